"""What a drop about people asks for: contacts, quiet, roles, groups, queues, boards; and a hand-off to one's next self."""

from collections.abc import Callable

from gitmaild.model.commands import (
    BindRole,
    Claim,
    ContactAnswer,
    ContactPolicy,
    ContactRequest,
    EditList,
    Envelope,
    Quiet,
    Send,
)
from gitmaild.model.contact import POLICIES
from gitmaild.model.errors import refuse
from gitmaild.model.ids import check_message_id, check_thread_id
from gitmaild.model.message import Value
from gitmaild.model.names import parse_address
from gitmaild.model.settings import Settings
from gitmaild.rules import frontmatter
from gitmaild.rules.fields import boolean, did_you_mean, other_spelling, seconds, short
from gitmaild.rules.frontmatter import Field, Fields

Extra = tuple[tuple[str, Value], ...]

# The thread in which an agent leaves word for its next self, which remembers nothing.
CONTINUITY = "continuity"
_SECTIONS = ("completed", "remaining", "blockers", "next")
_MOST = 10_000  # messages that a board may be told to keep


def policy(fields: Fields, body: str, envelope: Envelope, extra: Extra, settings: Settings) -> ContactPolicy:
    word = _needed(fields, "policy", "policy: contacts_only").lower().replace("-", "_")
    if word not in POLICIES:
        raise refuse(
            "bad-policy",
            f"policy: {word[:40]!r} is not known{did_you_mean(word, POLICIES)}",
            "use one of " + ", ".join(POLICIES),
            field="policy",
            line=fields["policy"].line,
        )
    return ContactPolicy(envelope, word, extra)


def request(fields: Fields, body: str, envelope: Envelope, extra: Extra, settings: Settings) -> ContactRequest:
    _needed(fields, "agent", "agent: RedCat")
    return ContactRequest(envelope, _address(fields, "agent"), _short(fields, "reason") or body.strip()[:1000], extra)


def contact_answer(
    approve: bool,
) -> Callable[[Fields, str, Envelope, Extra, Settings], ContactAnswer]:
    def parser(fields: Fields, body: str, envelope: Envelope, extra: Extra, settings: Settings) -> ContactAnswer:
        agents = (*_addresses(fields, "agents"), *_addresses(fields, "agent"))
        if not agents:
            raise refuse(
                "no-agents", f"nobody named{other_spelling('agents', fields)}", 'add "agents: RedCat"', field="agents"
            )
        return ContactAnswer(envelope, tuple(dict.fromkeys(agents)), approve, _short(fields, "reason"), extra)

    return parser


def quiet(fields: Fields, body: str, envelope: Envelope, extra: Extra, settings: Settings) -> Quiet:
    """`on: no` ends it; without a time it lasts as long as it may."""
    longest = settings.dnd_longest
    span = seconds(fields, "seconds", default=longest, longest=longest) if boolean(fields, "on", default=True) else 0
    return Quiet(envelope, span, extra)


def bind(fields: Fields, body: str, envelope: Envelope, extra: Extra, settings: Settings) -> BindRole:
    role = _needed(fields, "role", "role: Orchestrator")
    agent = _address(fields, "agent") if "agent" in fields else None
    about = _short(fields, "about") if "about" in fields else None
    term = _seconds(fields, "lease_seconds", settings)
    if agent is None and about is None and term is None:
        raise refuse("no-agent", "nobody to bind the role to", 'add "agent: GreenCastle"', field="agent")
    return BindRole(envelope, role, agent, about, term, extra=extra)


def unbind(fields: Fields, body: str, envelope: Envelope, extra: Extra, settings: Settings) -> BindRole:
    return BindRole(envelope, _needed(fields, "role", "role: Orchestrator"), unbind=True, extra=extra)


def edit(kind: str) -> Callable[[Fields, str, Envelope, Extra, Settings], EditList]:
    def parser(fields: Fields, body: str, envelope: Envelope, extra: Extra, settings: Settings) -> EditList:
        return EditList(
            envelope,
            kind,
            _needed(fields, "name", "name: review-team").removeprefix("@"),
            _addresses(fields, "members") if "members" in fields else None,
            _addresses(fields, "add"),
            _addresses(fields, "remove"),
            about=_short(fields, "about") if "about" in fields else None,
            keep=seconds(fields, "keep", default=0, longest=_MOST) if "keep" in fields else None,
            claim_seconds=_seconds(fields, "claim_seconds", settings),
            lease_seconds=_seconds(fields, "lease_seconds", settings),
            delete=boolean(fields, "delete"),
            extra=extra,
        )

    return parser


def claim(fields: Fields, body: str, envelope: Envelope, extra: Extra, settings: Settings) -> Claim:
    queue = _needed(fields, "queue", "queue: reviewers").removeprefix("@")
    return Claim(envelope, queue, _ids(fields), extra=extra)


def give_back(fields: Fields, body: str, envelope: Envelope, extra: Extra, settings: Settings) -> Claim:
    ids = _ids(fields)
    if not ids:
        raise refuse("no-ids", f"no ids{other_spelling('ids', fields)}", 'add "ids: msg_..."', field="ids")
    return Claim(envelope, ids=ids, give_back=True, extra=extra)


def handoff(fields: Fields, body: str, envelope: Envelope, extra: Extra, settings: Settings) -> Send:
    """A message to oneself in the thread `continuity`, with a section for each of what the next one must know."""
    said = {key: _items(fields[key]) for key in (*_SECTIONS, "files", "tests") if key in fields}
    if not any(said.get(key) for key in _SECTIONS) and not body.strip():
        raise refuse(
            "empty-handoff",
            "a hand-off that says nothing",
            "say what is completed:, remaining:, blockers: and next:, one line each, or `- item` lines below",
            field="completed",
        )
    sections = [_section(key, said.get(key, ())) for key in _SECTIONS]
    sections += [_section(key, said[key]) for key in ("files", "tests") if said.get(key)]
    text = "\n".join(["", *sections, *([f"{body.strip()}\n"] if body.strip() else [])])
    iteration = _short(fields, "iteration")
    thread = fields.get("thread_id")
    return Send(
        envelope,
        (envelope.agent,),
        subject=f"[HANDOFF] {f'Iteration {iteration}: ' if iteration else ''}{_gist(said)}"[: settings.subject_limit],
        thread_id=check_thread_id(thread.value, line=thread.line) if thread else CONTINUITY,
        extra=(*extra, *((("iteration", iteration),) if iteration else ())),
        body=text,
    )


def _section(key: str, items: tuple[str, ...]) -> str:
    return f"## {key.capitalize()}\n\n" + ("".join(f"- {item}\n" for item in items) or "none\n")


def _gist(said: dict[str, tuple[str, ...]]) -> str:
    """The first thing that is worth a subject."""
    for key in ("next", "remaining", "completed", "blockers"):
        if said.get(key):
            return f"{key}: {' '.join(said[key][0].split())}"
    return "notes"


def _items(field: Field) -> tuple[str, ...]:
    """The lines below a field, or its one line: commas are part of what is said."""
    text = field.value.strip()
    is_list = field.items is not None or (text.startswith("[") and text.endswith("]"))
    items = frontmatter.as_list(field) if is_list else tuple(text.splitlines())
    return tuple(item.strip() for item in items if item.strip())


def _needed(fields: Fields, key: str, example: str) -> str:
    if key not in fields or not fields[key].value.strip():
        raise refuse(f"no-{key}", f"no {key}{other_spelling(key, fields)}", f'add "{example}"', field=key)
    return fields[key].value.strip()


def _short(fields: Fields, key: str) -> str:
    return short(key, fields[key]) if key in fields else ""


def _seconds(fields: Fields, key: str, settings: Settings) -> int | None:
    """A default of a role or a list; 0 takes it back, and the home's own counts again."""
    return seconds(fields, key, default=0, longest=settings.lease_longest, shortest=0) if key in fields else None


def _address(fields: Fields, key: str) -> str:
    return str(parse_address(fields[key].value, field=key, line=fields[key].line))


def _addresses(fields: Fields, key: str) -> tuple[str, ...]:
    names = frontmatter.as_list(fields[key]) if key in fields else ()
    return tuple(dict.fromkeys(str(parse_address(name, field=key, line=fields[key].line)) for name in names))


def _ids(fields: Fields) -> tuple[str, ...]:
    ids = frontmatter.as_list(fields["ids"]) if "ids" in fields else ()
    for an_id in ids:
        check_message_id(an_id, field="ids", line=fields["ids"].line)
    return tuple(dict.fromkeys(ids))
