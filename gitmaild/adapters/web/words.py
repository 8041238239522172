"""How a page says times, names and the beginnings of texts."""

from datetime import UTC, datetime
from hashlib import sha1

_HUES = 12
_STEPS = ((86400 * 2, 86400, "d"), (3600 * 2, 3600, "h"), (90, 60, "min"))
_SNIPPET = 180


def moment(stamp: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(stamp)
    except (ValueError, TypeError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def span(seconds: float) -> str:
    """A length of time in one word: `now`, `40 s`, `12 min`, `5 h`, `3 d`."""
    for least, unit, word in _STEPS:
        if seconds >= least:
            return f"{int(seconds // unit)} {word}"
    return f"{int(seconds)} s" if seconds >= 5 else "now"


def hue(name: str) -> str:
    """The class of a name's colour: the same name has the same colour on every page."""
    return f"h{sha1(name.encode(errors='replace'), usedforsecurity=False).digest()[0] % _HUES}"


def initials(name: str) -> str:
    """GreenCastle is GC."""
    capitals = [letter for letter in name if letter.isupper()]
    return "".join(capitals[:2]) or name[:1].upper()


def snippet(body: str) -> str:
    """The first words of a text, without the signs of markdown."""
    return " ".join(body[: _SNIPPET * 4].translate(str.maketrans("", "", "#*`>_|")).split())[:_SNIPPET]


def day(stamp: str) -> str:
    at = moment(stamp)
    return f"{at:%A, %d %B %Y}" if at else ""


def clock(stamp: str) -> str:
    at = moment(stamp)
    return f"{at:%H:%M}" if at else ""
