"""Small files of the mailbox's own, lines of `key: value`, read with distrust: anybody may have committed them."""

from datetime import datetime

from gitmaild.model.errors import Refused
from gitmaild.model.ids import parse_stamp
from gitmaild.rules import frontmatter

_LIMIT = 1 << 16


def read(data: bytes | None, *keys: str) -> dict[str, str] | None:
    """The values of `keys`, or None where one is missing, or the file is not of this kind."""
    try:
        fields, _ = frontmatter.read(data or b"", limit=_LIMIT, fenced=False)
    except Refused:
        return None
    return {key: fields[key].value for key in keys} if all(key in fields for key in keys) else None


def moment(text: str) -> datetime | None:
    """A time that gitmaild wrote, or None."""
    try:
        return parse_stamp(text)
    except ValueError:
        return None
