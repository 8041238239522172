"""The words of a commit: what `git log` shows of a command."""

from gitmaild.model.commands import Envelope
from gitmaild.model.message import Value
from gitmaild.rules import frontmatter
from gitmaild.rules.parse import ignored


def one_line(text: str, limit: int = 300) -> str:
    """`text` as a commit subject: control characters gone, white space folded."""
    return " ".join(printable(text, " ").split())[:limit]


def printable(text: str, instead: str = "?") -> str:
    """`text` as a person can read it, whatever it was made of: a name of a file, bytes that are no text."""
    return text if text.isprintable() else "".join(c if c.isprintable() else instead for c in text)


def trailers(envelope: Envelope, kind: str, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    drop = (("Drop", envelope.drop),) if envelope.drop else ()
    return (("Command", f"{kind} {envelope.id}"), ("Project", envelope.project), ("From", envelope.agent), *drop, *more)


def answer(kind: str, status: str, extra: tuple[tuple[str, Value], ...], fields: list[tuple[str, Value]]) -> str:
    unknown = ignored(kind, extra)
    return frontmatter.write([("kind", kind), ("status", status), *fields, *([("ignored", unknown)] if unknown else [])])
