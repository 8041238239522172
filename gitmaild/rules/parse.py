"""Dropped bytes to a command, or to the refusal that its sender gets. The only place where text becomes meaning."""

import re
from collections.abc import Callable, Iterable

from gitmaild.model.commands import COMMON, KINDS, LISTS, Command, Envelope, File, Register, Retire, Send
from gitmaild.model.errors import Refusal, Refused, refuse
from gitmaild.model.ids import check_message_id, check_thread_id
from gitmaild.model.layout import ATTACHMENT_NAME
from gitmaild.model.message import IMPORTANCE, Value
from gitmaild.model.names import parse_address
from gitmaild.model.settings import Settings
from gitmaild.rules import frontmatter, parse_lease, parse_people, render
from gitmaild.rules.fields import boolean, did_you_mean, other_spelling, seconds, short
from gitmaild.rules.frontmatter import Field, Fields

# `paths`: `*.py` and `!x` are patterns, good or bad ones, and never nodes of YAML.
_FREE_TEXT = frozenset(
    "subject task_description reason program model date paths about "
    "completed remaining blockers next files tests iteration".split()
)
_ATTACHMENT_NAME = re.compile(ATTACHMENT_NAME)


def parse(data: bytes, envelope: Envelope, settings: Settings, *, fenced: bool = True) -> Command | Refusal:
    """Read one dropped file. The envelope wins over whatever the file claims; a wrong file is a value, not an exception."""
    try:
        if len(data) > settings.message_limit:
            raise too_large(len(data), settings.message_limit)
        fields, body = frontmatter.read(data, limit=settings.front_matter_limit, fenced=fenced)
        return command(fields, body, envelope, settings)
    except Refused as refused:
        return refused.refusal


def too_large(size: int, limit: int) -> Refused:
    return refuse("too-large", f"{size} bytes; limit {limit}", "send less text, or attach files")


def command(fields: Fields, body: str, envelope: Envelope, settings: Settings) -> Command:
    """The command that `fields` ask for. Raises `Refused`."""
    kind = fields["kind"].value if "kind" in fields else "message"
    if kind not in KINDS:
        raise refuse(
            "unknown-kind",
            f"kind: {kind[:40]!r} is not known{did_you_mean(kind, KINDS)}",
            "kinds are " + ", ".join(KINDS),
            field="kind",
            line=fields["kind"].line,
        )
    _check_common(fields, envelope)
    known = (*KINDS[kind], *COMMON)
    for key, field in fields.items():
        frontmatter.refuse_control_characters(key, field)
        if key not in _FREE_TEXT:
            frontmatter.refuse_yaml_nodes(key, field)
        if key in known and key not in LISTS and field.items is not None:
            raise refuse(
                "not-a-list",
                f"line {field.line}: {key}: takes one value",
                "write it on one line",
                field=key,
                line=field.line,
            )
    request = fields["request_id"].value if "request_id" in fields else ""
    if len(request) > 200:
        raise refuse(
            "bad-request-id",
            "request_id: over 200 characters",
            "use a shorter one",
            field="request_id",
            line=fields["request_id"].line,
        )
    extra = tuple((key, render.value(field)) for key, field in fields.items() if key == "date" or key not in known)
    return _PARSERS[kind](fields, body, _with_request(envelope, request), extra, settings)


def ignored(kind: str, extra: Iterable[tuple[str, Value]]) -> tuple[str, ...]:
    """The unknown fields of a command, for its answer, each with the known field that it resembles."""
    known = (*KINDS[kind], *COMMON)
    return tuple(f"{key}{did_you_mean(key, known)}" for key, _ in extra if key not in known)


def _with_request(envelope: Envelope, request: str) -> Envelope:
    return Envelope(envelope.id, envelope.project, envelope.agent, envelope.drop, envelope.sha256, request)


def _check_common(fields: Fields, envelope: Envelope) -> None:
    for key in ("id", "created"):
        if key in fields:
            raise refuse(
                "not-yours-to-set",
                f"line {fields[key].line}: {key}: is set by the post office",
                "remove the line",
                field=key,
                line=fields[key].line,
            )
    if "from" in fields and fields["from"].value != envelope.agent:
        field = fields["from"]
        raise refuse(
            "not-your-desk",
            f"line {field.line}: from: names {field.value[:60]!r}, but this is {envelope.agent}'s outbox",
            "remove the line; the directory says who speaks",
            field="from",
            line=field.line,
        )


def _send(fields: Fields, body: str, envelope: Envelope, extra: tuple[tuple[str, Value], ...], settings: Settings) -> Send:
    to, cc, bcc = (_addresses(fields, key) for key in ("to", "cc", "bcc"))
    reply = fields.get("in_reply_to")
    if not (to or cc or bcc or reply):
        raise refuse("no-recipient", f"no recipient{other_spelling('to', fields)}", 'add "to:"', field="to")
    if len(to) + len(cc) + len(bcc) > settings.recipient_limit:
        raise too_many_recipients(len(to) + len(cc) + len(bcc), settings)
    subject = fields.get("subject")
    if subject:
        _check_subject(subject, settings)
    thread = fields.get("thread_id")
    return Send(
        envelope,
        to,
        cc,
        bcc,
        subject=subject.value if subject else None,
        thread_id=check_thread_id(thread.value, line=thread.line) if thread and thread.value else "",
        importance=_importance(fields),
        ack_required=boolean(fields, "ack_required", default="ack_within" in fields),
        ack_within=_ack_within(fields, settings),
        in_reply_to=check_message_id(reply.value, field="in_reply_to", line=reply.line) if reply else "",
        auto_reply=boolean(fields, "auto_reply"),
        attachments=_attachments(fields),
        extra=extra,
        body=body,
    )


def too_many_recipients(count: int, settings: Settings) -> Refused:
    return refuse(
        "too-many-recipients", f"{count} recipients; limit {settings.recipient_limit}", "write to a group", field="to"
    )


def _register(
    fields: Fields, body: str, envelope: Envelope, extra: tuple[tuple[str, Value], ...], settings: Settings
) -> Register:
    name = fields.get("name")
    if name and name.value != envelope.agent:
        raise refuse(
            "not-your-desk",
            f"line {name.line}: name: {name.value[:60]!r}, but this is {envelope.agent}'s desk",
            "the directory's name is the agent's name: drop it in agents/<Name>/outbox/",
            field="name",
            line=name.line,
        )

    def text(key: str) -> str | None:
        return short(key, fields[key]) if key in fields else None

    return Register(envelope, text("program"), text("model"), text("task_description"), extra)


def _retire(
    fields: Fields, body: str, envelope: Envelope, extra: tuple[tuple[str, Value], ...], settings: Settings
) -> Retire:
    agent = fields["agent"].value if "agent" in fields else envelope.agent
    parse_address(agent, field="agent", line=fields["agent"].line if "agent" in fields else 0)
    return Retire(envelope, agent, short("reason", fields["reason"]) if "reason" in fields else "", extra)


def _file(folder: str) -> Callable[[Fields, str, Envelope, tuple[tuple[str, Value], ...], Settings], File]:
    def parser(
        fields: Fields, body: str, envelope: Envelope, extra: tuple[tuple[str, Value], ...], settings: Settings
    ) -> File:
        field = fields.get("ids")
        ids = frontmatter.as_list(field) if field else ()
        if not field or not ids:
            raise refuse("no-ids", f"no ids{other_spelling('ids', fields)}", 'add "ids: msg_..."', field="ids")
        for an_id in ids:
            check_message_id(an_id, field="ids", line=field.line)
        return File(envelope, folder, tuple(dict.fromkeys(ids)), extra)

    return parser


_PARSERS: dict[str, Callable[[Fields, str, Envelope, tuple[tuple[str, Value], ...], Settings], Command]] = {
    "message": _send,
    "register": _register,
    "retire": _retire,
    "read": _file("read"),
    "ack": _file("acked"),
    "reserve": parse_lease.reserve,
    "renew": parse_lease.renew,
    "release": parse_lease.release,
    "handoff": parse_people.handoff,
    "contact-policy": parse_people.policy,
    "contact-request": parse_people.request,
    "contact-approve": parse_people.contact_answer(approve=True),
    "contact-deny": parse_people.contact_answer(approve=False),
    "dnd": parse_people.quiet,
    "role-bind": parse_people.bind,
    "role-unbind": parse_people.unbind,
    "group": parse_people.edit("group"),
    "queue": parse_people.edit("queue"),
    "board": parse_people.edit("board"),
    "claim": parse_people.claim,
    "give-back": parse_people.give_back,
}


def _addresses(fields: Fields, key: str) -> tuple[str, ...]:
    if key not in fields:
        return ()
    names = frontmatter.as_list(fields[key])
    return tuple(dict.fromkeys(str(parse_address(name, field=key, line=fields[key].line)) for name in names))


def _check_subject(field: Field, settings: Settings) -> None:
    if "\n" in field.value.strip("\n"):
        raise refuse("long-subject", "subject: is one line", "put the rest into the body", field="subject", line=field.line)
    if len(field.value) > settings.subject_limit:
        raise refuse(
            "long-subject",
            f"subject: {len(field.value)} characters; limit {settings.subject_limit}",
            "put the rest into the body",
            field="subject",
            line=field.line,
        )


def _importance(fields: Fields) -> str:
    if "importance" not in fields:
        return "normal"
    field = fields["importance"]
    word = field.value.lower()
    if word not in IMPORTANCE:
        raise refuse(
            "bad-importance",
            f"line {field.line}: importance: {field.value[:40]!r} is not known{did_you_mean(word, IMPORTANCE)}",
            "use one of " + ", ".join(IMPORTANCE),
            field="importance",
            line=field.line,
        )
    return word


def _ack_within(fields: Fields, settings: Settings) -> int:
    """Seconds until acknowledgements are overdue. Who sets a time asks for them."""
    if "ack_within" in fields and not boolean(fields, "ack_required", default=True):
        raise refuse(
            "no-ack-required",
            f"line {fields['ack_within'].line}: ack_within: sets a time for what ack_required: does not ask for",
            "write ack_required: yes, or leave ack_within out",
            field="ack_within",
            line=fields["ack_within"].line,
        )
    return seconds(fields, "ack_within", default=0, longest=settings.ack_longest)


def _attachments(fields: Fields) -> tuple[str, ...]:
    if "attachments" not in fields:
        return ()
    field = fields["attachments"]
    names = frontmatter.as_list(field)
    for name in names:
        if not _ATTACHMENT_NAME.fullmatch(name):
            raise refuse(
                "bad-attachment",
                f"line {field.line}: attachments: {name[:80]!r} is not a bare file name",
                "put the file into outbox/files/ and write its name alone: letters, digits, dot, dash, underscore",
                field="attachments",
                line=field.line,
            )
    return tuple(dict.fromkeys(names))
