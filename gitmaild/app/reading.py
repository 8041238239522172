"""How every door reads mail: from the desk, which is plain files, so it works with the daemon down and starts fast."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import merge, nlargest
from itertools import repeat
from typing import TYPE_CHECKING

from gitmaild.model.errors import Refused, refuse
from gitmaild.model.ids import hex_of, stamp
from gitmaild.model.layout import FOLDERS, FileName, may_bear, named_as, parse_file_name
from gitmaild.model.message import IMPORTANCE, Message
from gitmaild.rules import render
from gitmaild.rules.facts import facts
from gitmaild.rules.tags import is_tagged, tags

if TYPE_CHECKING:
    from gitmaild.app.ports import DeskRoot

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DURATION = re.compile(r"(\d{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
# So many of the newest names are found first, which is a page and more: putting 100,000 in order takes 25 ms, this 2.
_FIRST = 64


@dataclass(frozen=True, slots=True)
class Entry:
    """A message at a desk: its folder is its state."""

    message: Message
    state: str
    path: str

    def fields(self, *, body: bool = False) -> dict[str, object]:
        """The shape that every door shows."""
        message = self.message
        shown: dict[str, object] = {
            "id": message.id,
            "thread_id": message.thread_id,
            "from": message.sender,
            "to": list(message.to),
            "cc": list(message.cc),
            "subject": message.subject,
            "tags": list(tags(message.subject)),
            "created": stamp(message.created),
            "importance": message.importance,
            "ack_required": message.ack_required,
            "state": self.state,
            "path": self.path,
        }
        return shown | ({"body": message.body, "facts": facts(message.body)} if body else {})


def inbox(
    root: "DeskRoot",
    agent: str,
    *,
    folders: Collection[str] = FOLDERS[:1],
    least: str = "low",
    only: str = "",
    since: datetime | None = None,
    thread: str = "",
    tag: str = "",
    senders: Collection[str] | None = None,
    limit: int = 0,
) -> list[Entry]:
    """The messages in `folders` of a desk, newest first.

    `least` and `only` choose by importance, `since` by time, `thread` by thread, `tag` by a tag of the subject, `senders` by
    who wrote; `limit` 0 is no limit. Only files that pass by their name are opened, and none is changed.
    """
    after = since.strftime("%Y%m%dT%H%M%S.%fZ") if since else ""
    # A file's name does not say from which project its sender is.
    names = None if senders is None else {sender.partition("@")[0] for sender in senders}
    levels = tuple(word for word in IMPORTANCE[IMPORTANCE.index(least) :] if only in ("", word))
    found: list[Entry] = []
    for name, parts, folder in _newest_first(root, agent, folders, after=after, levels=levels):
        if tag and not may_bear(parts.slug, tag):
            continue
        if names is not None and parts.sender not in names:
            continue
        entry = _entry(root, f"agents/{agent}/{folder}/{name}", folder)
        if entry is None or (thread and entry.message.thread_id != thread):
            continue
        if senders is not None and entry.message.sender not in senders:
            continue
        if tag and not is_tagged(entry.message.subject, tag):
            continue
        found.append(entry)
        if limit and len(found) >= limit:
            break
    return found


def find(root: "DeskRoot", agent: str, message_id: str) -> Entry | None:
    """A message of a desk by its id, or by the hexadecimal end of it."""
    digits = hex_of(message_id)
    for name, parts, folder in _newest_first(root, agent, FOLDERS, digits=digits):
        if parts.hex == digits and (entry := _entry(root, f"agents/{agent}/{folder}/{name}", folder)):
            return entry
    return None


def check_desk(root: "DeskRoot", agent: str) -> None:
    """Raises `Refused` where `agent` has no desk in this root: nothing was ever delivered to it here, and nobody answers."""
    if not root.has_desk(agent):
        raise refuse(
            "not-registered",
            f"from_agent not registered: {agent} has no desk in {root.path}",
            f"run gitmaild register {agent}",
        )


def desk_of(root: "DeskRoot") -> str:
    """The one agent whose desk is in this root, or '' where there is none or several."""
    desks = root.desks()
    return desks[0] if len(desks) == 1 else ""


def parse_since(text: str, now: datetime) -> datetime:
    """`2h`, `3d`, or a time such as 2026-11-22 or 2026-11-22T15:00:00Z, UTC unless it says otherwise; no earlier than 1970.

    Raises `Refused` for anything else.
    """
    try:
        if match := _DURATION.fullmatch(text):
            moment = now - timedelta(**{_UNITS[match[2]]: int(match[1])})
        else:
            moment = datetime.fromisoformat(text)
        return max((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC), _EPOCH)
    except OverflowError:
        return _EPOCH
    except ValueError:
        raise refuse("bad-time", f"{text!r} is not a time", "use 2h, 3d, or 2026-11-22T15:00:00Z") from None


def _newest_first(
    root: "DeskRoot",
    agent: str,
    folders: Collection[str],
    *,
    after: str = "",
    levels: tuple[str, ...] = IMPORTANCE,
    digits: str = "",
) -> Iterator[tuple[str, FileName, str]]:
    """The message files of a desk whose names say so, newest first; chosen before they are put in order or taken apart."""

    def chosen(names: list[str]) -> list[str]:
        if not after and levels == IMPORTANCE and not digits:
            return names
        return [name for name in names if named_as(name, after=after, levels=levels, digits=digits)]

    listed = [zip(_descending(chosen(root.names(f"agents/{agent}/{f}"))), repeat(f)) for f in folders]
    for name, folder in merge(*listed, reverse=True):
        if parts := parse_file_name(name):
            yield name, parts, folder


def _descending(names: list[str]) -> Iterator[str]:
    yield from nlargest(_FIRST, names)
    if len(names) > _FIRST:
        yield from sorted(names, reverse=True)[_FIRST:]


def _entry(root: "DeskRoot", path: str, state: str) -> Entry | None:
    data = root.read(path)
    if data is None:
        return None
    try:
        return Entry(render.parse_message(data), state, f"{root.key}/{path}")
    except (Refused, KeyError, ValueError):
        return None
