"""Pictures from rows: where things stand in a drawing. Pure geometry; the templates draw it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gitmaild.adapters.web.words import moment

Fields = dict[str, Any]
WIDE = 960
_ROW = 26
_TOP = 24
_LABEL = 200


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    label: str
    count: int


def hourly(stamps: Iterable[str], now: datetime, *, hours: int = 48) -> list[int]:
    """How many of these moments fell into each of the last hours, the oldest first."""
    counts = [0] * hours
    for stamp in stamps:
        at = moment(stamp)
        if at is not None and 0 <= (ago := int((now - at).total_seconds() // 3600)) < hours:
            counts[hours - 1 - ago] += 1
    return counts


def bars(counts: Sequence[int], now: datetime, *, width: float = WIDE, height: float = 120.0) -> list[Bar]:
    """A column an hour."""
    step, top = width / max(len(counts), 1), max(counts, default=0) or 1
    found = []
    for number, count in enumerate(counts):
        tall = round(count / top * height, 1)
        at = now - timedelta(hours=len(counts) - 1 - number)
        label = f"{at:%d %b %H:00} UTC: {count}"
        found.append(Bar(round(number * step, 1), round(height - tall, 1), round(step - 2, 1), tall, label, count))
    return found


def spark(counts: Sequence[int]) -> list[Bar]:
    """The same, as small as a word."""
    return [
        Bar(n * 4.0, 20 - round(c / (max(counts) or 1) * 20, 1), 3.0, round(c / (max(counts) or 1) * 20, 1), "", c)
        for n, c in enumerate(counts)
        if c
    ]


def timeline(leases: Sequence[Fields], now: datetime, *, before: timedelta, after: timedelta) -> Fields:
    """Each lease as a line from its grant to its end, in a window around now."""
    begin, whole = now - before, (before + after).total_seconds()

    def across(at: datetime) -> float:
        return _LABEL + min(max((at - begin).total_seconds() / whole, 0.0), 1.0) * (WIDE - _LABEL)

    rows: list[Fields] = []
    for lease in leases:
        granted = moment(str(lease["granted"]))
        ended = moment(str(lease.get("ended") or lease["expires"]))
        if granted is None or ended is None or ended < begin:
            continue
        x, end, y = across(granted), across(ended), _TOP + len(rows) * _ROW
        rows.append({"x": round(x, 1), "y": y, "width": round(max(end - x, 3.0), 1), "lease": lease})
    height = _TOP + max(len(rows), 1) * _ROW
    hour = begin.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    hours = (hour + timedelta(hours=n) for n in range(int(whole // 3600)))
    ticks = [{"x": round(across(at), 1), "label": f"{at:%H:%M}"} for at in hours]
    return {"rows": rows, "height": height, "width": WIDE, "now": round(across(now), 1), "ticks": ticks, "label": _LABEL}


def registry(leases: Iterable[Fields]) -> Fields:
    """Leases as the tree of the paths that they are on: a directory is `{"below": ..., "leases": [...]}`."""
    top: Fields = {"below": {}, "leases": []}
    for lease in leases:
        pattern = str(lease.get("pattern") or "")
        place = top
        # The last part is the lease's own; a slot is a place of its own at the top.
        for part in pattern.split("/")[:-1] if pattern else ["build slots"]:
            place = place["below"].setdefault(part, {"below": {}, "leases": []})
        place["leases"].append(lease)
    return top


def counted(names: Iterable[str], *, limit: int = 12) -> list[tuple[str, int, int]]:
    """(name, how often, percent of the most frequent), the most frequent first."""
    count: dict[str, int] = {}
    for name in names:
        count[name] = count.get(name, 0) + 1
    first = sorted(count.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]
    return [(name, number, round(number / first[0][1] * 100)) for name, number in first]
