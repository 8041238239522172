"""Reading one field of front matter: a boolean, a short text, a time span; and the spelling that was meant."""

import difflib
import re
from collections.abc import Iterable

from gitmaild.model.commands import COMMON
from gitmaild.model.errors import refuse
from gitmaild.rules.frontmatter import Field, Fields

_BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}
_SPAN = re.compile(r"(\d{1,12})([smhdw]?)", re.ASCII)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean x?` for the nearest known word, or nothing. Case and dashes do not count as a difference."""
    folded = {name.lower().replace("-", "_"): name for name in known}
    near = difflib.get_close_matches(word.lower().replace("-", "_"), folded, n=1, cutoff=0.6)
    return f"; did you mean {folded[near[0]]}?" if near else ""


def boolean(fields: Fields, key: str, *, default: bool = False) -> bool:
    if key not in fields:
        return default
    field = fields[key]
    if field.value.lower() not in _BOOLEANS:
        raise refuse(
            "bad-boolean",
            f"line {field.line}: {key}: {field.value[:40]!r} is neither yes nor no",
            "use true, false, yes or no",
            field=key,
            line=field.line,
        )
    return _BOOLEANS[field.value.lower()]


def short(key: str, field: Field) -> str:
    text = field.value.strip()
    if len(text) > 1000:
        raise refuse(
            "too-long",
            f"line {field.line}: {key}: {len(text)} characters; limit 1000",
            "shorten it",
            field=key,
            line=field.line,
        )
    return text


def span(text: str) -> int | None:
    """Seconds of `3600`, `90m`, `2h`, `1d`; None for anything else."""
    match = _SPAN.fullmatch(text.strip())
    return int(match[1]) * _SECONDS[match[2]] if match else None


def seconds(fields: Fields, key: str, *, default: int, longest: int, shortest: int = 1) -> int:
    """A time span of `shortest` to `longest` seconds."""
    if key not in fields:
        return default
    field = fields[key]
    value = span(field.value)
    if value is None or not shortest <= value <= longest:
        raise refuse(
            "bad-time-span",
            f"line {field.line}: {key}: {field.value[:40]!r} is not a time span of {shortest} to {longest} seconds",
            "write seconds, or 90m, 2h, 1d",
            field=key,
            line=field.line,
        )
    return value


def other_spelling(wanted: str, fields: Fields) -> str:
    near = difflib.get_close_matches(wanted, [k for k in fields if k not in COMMON and k != wanted], n=1, cutoff=0.5)
    return f"; line {fields[near[0]].line} says {near[0]}: instead of {wanted}:" if near else ""
