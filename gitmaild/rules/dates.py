"""Dates of a query: a day or a moment, in UTC, to a range that holds its beginning and not its end."""

import re
from datetime import UTC, datetime, timedelta

from gitmaild.model.search import Between
from gitmaild.rules.document import microseconds

FORMS = "YYYY-MM-DD, today, yesterday, 3d, 2h, or a time such as 2026-11-22T15:00:00Z"
_AGO = re.compile(r"(\d{1,6})([mhdw])", re.ASCII)
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DAY = timedelta(days=1)
_FROM, _TO = -(2**62), 2**62


def between(field: str, text: str, now: datetime) -> Between | None:
    """What `before:`, `after:` or `on:` with this value leaves, None for a value that is no date.

    `before:` ends where the day or the moment begins, `after:` begins there, `on:` is the whole day.
    """
    try:
        moment, day = _moment(text, now)
        end = day + _DAY
    except (ValueError, OverflowError):
        return None
    match field:
        case "before":
            return Between(_FROM, microseconds(moment))
        case "after":
            return Between(microseconds(moment), _TO)
        case _:
            return Between(microseconds(day), microseconds(end))


def _moment(text: str, now: datetime) -> tuple[datetime, datetime]:
    """(the moment that is meant, the beginning of its day). Raises ValueError for anything that is no date."""
    folded = text.lower()
    if folded in ("today", "yesterday"):
        moment = _midnight(now) - (_DAY if folded == "yesterday" else timedelta())
    elif re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    elif ago := _AGO.fullmatch(folded):
        moment = now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    elif re.match(r"\d{4}-\d\d-\d\dt\d\d:\d\d", folded, re.ASCII):
        moment = datetime.fromisoformat(text.upper())
    else:
        raise ValueError(text)
    moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    return moment, _midnight(moment)


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
