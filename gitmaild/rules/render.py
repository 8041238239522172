"""Messages and answers to bytes, and accepted messages back. `parse(render(m)) == m`."""

from gitmaild.model.errors import Refusal, Refused
from gitmaild.model.ids import parse_stamp
from gitmaild.model.message import Message, Value
from gitmaild.rules import frontmatter
from gitmaild.rules.tags import TAGS, tags

# An accepted message was within the limits of its day; reading it back must not depend on today's.
_ANY_SIZE = 1 << 30

_OWN = frozenset(
    "id thread_id from to created importance ack_required subject cc in_reply_to attachments ack_within "
    "roles auto_reply hops".split()
)


def message(msg: Message) -> bytes:
    """The canonical file of a message: front matter that opens with its id, then the body as it was sent."""
    return frontmatter.fence(header(msg), msg.body).encode()


def header(msg: Message) -> str:
    """The lines of a message. Its tags are its subject's, unless the sender wrote a field of that name, which stands."""
    lines: list[tuple[str, frontmatter.Written]] = [
        ("id", msg.id),
        ("thread_id", msg.thread_id),
        ("from", msg.sender),
        ("to", msg.to),
        ("created", msg.created),
        ("importance", msg.importance),
        ("ack_required", msg.ack_required),
        ("subject", msg.subject),
    ]
    optional: tuple[tuple[str, Value], ...] = (
        (TAGS, () if any(key == TAGS for key, _ in msg.extra) else tags(msg.subject)),
        ("cc", msg.cc),
        ("in_reply_to", msg.in_reply_to),
        ("attachments", msg.attachments),
        ("ack_within", str(msg.ack_within) if msg.ack_within else ""),
        ("roles", msg.roles),
        ("auto_reply", "true" if msg.hops else ""),
        ("hops", str(msg.hops) if msg.hops else ""),
    )
    lines += [(key, value) for key, value in optional if value]
    return frontmatter.write(lines) + extra(msg.extra)


def extra(fields: tuple[tuple[str, Value], ...]) -> str:
    """Unknown fields as they were written: a list below its key stays a list below its key."""
    return "".join(
        frontmatter.write_lines(key, kept) if isinstance(kept, tuple) else frontmatter.write([(key, kept)])
        for key, kept in fields
    )


def parse_message(data: bytes) -> Message:
    """Read a canonical file back. Raises `Refused`, KeyError or ValueError for bytes that gitmaild did not write."""
    fields, body = frontmatter.read(data, limit=_ANY_SIZE)

    def many(key: str) -> tuple[str, ...]:
        return frontmatter.as_list(fields[key]) if key in fields else ()

    def one(key: str) -> str:
        return fields[key].value if key in fields else ""

    subject = one("subject")
    extra_fields = ((key, value(field)) for key, field in fields.items() if key not in _OWN)
    return Message(
        id=fields["id"].value,
        thread_id=fields["thread_id"].value,
        sender=fields["from"].value,
        to=many("to"),
        created=parse_stamp(fields["created"].value),
        importance=one("importance"),
        ack_required=one("ack_required") == "true",
        subject=subject,
        cc=many("cc"),
        in_reply_to=one("in_reply_to"),
        attachments=many("attachments"),
        ack_within=int(text) if (text := one("ack_within")).isdecimal() else 0,
        roles=many("roles"),
        hops=int(text) if (text := one("hops")).isdecimal() and len(text) < 4 else 0,
        extra=tuple((key, kept) for key, kept in extra_fields if not repeats_tags(key, kept, subject)),
        body=body,
    )


def readable(data: bytes | None) -> Message | None:
    """The message in a canonical file, or None for bytes that are none."""
    try:
        return parse_message(data) if data is not None else None
    except (Refused, KeyError, ValueError):
        return None


def repeats_tags(key: str, kept: Value, subject: str) -> bool:
    """True for a field that says no more than the subject: what `header` writes, and a sender who wrote the same."""
    if key != TAGS:
        return False
    field = frontmatter.Field(kept, 0) if isinstance(kept, str) else frontmatter.Field("", 0, kept)
    return frontmatter.as_list(field) == tags(subject) != ()


def value(field: frontmatter.Field) -> Value:
    """An unknown field as it is kept: a list where it was written as one, else its text."""
    if field.items is not None:
        return field.items
    return field.value


def why(refusal: Refusal, *, file: str, at: str) -> bytes:
    """The `<name>.why.md` beside a refused file: code, reason and mend, for a program and for a reader."""
    fields: list[tuple[str, frontmatter.Written]] = [
        ("status", "refused"),
        ("code", refusal.code),
        ("file", file),
        ("reason", refusal.reason),
        ("mend", refusal.mend),
    ]
    if refusal.field:
        fields.append(("field", refusal.field))
    if refusal.line:
        fields.append(("line", refusal.line))
    fields.append(("at", at))
    return frontmatter.fence(frontmatter.write(fields), f"\n{refusal_text(refusal, file)}\n").encode()


def refusal_text(refusal: Refusal, file: str) -> str:
    return f"{file}: refused: {refusal.reason}; {refusal.mend} ({refusal.code})"
