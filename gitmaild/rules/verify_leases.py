"""The leases of a mailbox, commit by commit: they are granted under a fence that only grows, and end once."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from gitmaild.model.history import Change, Recorded
from gitmaild.model.ids import LEASE_ID
from gitmaild.model.lease import ACTIVE, EXPIRED, RELEASED, Lease
from gitmaild.rules.holdings import parse_lease

_HELD = re.compile(rf"([a-z0-9-]+)/leases/({LEASE_ID.pattern})\.yaml", re.ASCII)
_ENDED = re.compile(rf"([a-z0-9-]+)/leases-ended/(?:\d+/)+({LEASE_ID.pattern})\.yaml", re.ASCII)
_FENCE = re.compile(r"([a-z0-9-]+)/fence\.yaml", re.ASCII)

Problem = tuple[str, str, str]


class Leases:
    def __init__(self, read: Callable[[str], bytes | None]) -> None:
        self._read = read
        self._held: dict[str, Lease] = {}  # by project and id
        self._ended: set[str] = set()
        self._fences: dict[str, int] = {}
        self._counters: dict[str, int] = {}

    @staticmethod
    def has(path: str) -> bool:
        return bool(_HELD.fullmatch(path) or _ENDED.fullmatch(path) or _FENCE.fullmatch(path))

    def look(self, changes: list[Change], commit: Recorded) -> Iterator[Problem]:
        """What is wrong with what a commit did to lease files."""
        gone: dict[str, str] = {}  # leases that are held no more, and where they were
        for change in changes:
            if match := _FENCE.fullmatch(change.path):
                yield from self._counter(match[1], change)
            elif (match := _HELD.fullmatch(change.path)) and not change.after:
                gone[_key(match)] = change.path
        yield from self._grants([change for change in changes if change.after and _HELD.fullmatch(change.path)])
        for change in changes:
            if match := _ENDED.fullmatch(change.path):
                yield from self._ends(_key(match), change, gone)
        for key, path in gone.items():
            if self._held.pop(key, None):
                yield "lease-removed", path, "a lease was removed, and is not among those that ended"
        yield from self._told(commit)

    def _counter(self, project: str, change: Change) -> Iterator[Problem]:
        digits = (self._read(change.after) or b"").partition(b": ")[2].strip() if change.after else b""
        count = int(digits) if digits.isdigit() else 0
        if count <= self._counters.get(project, 0):
            yield "fence-not-grown", change.path, f"the counter went from {self._counters.get(project, 0)} to {count}"
        self._counters[project] = max(count, self._counters.get(project, 0))

    def _lease(self, change: Change) -> Lease | None:
        data = self._read(change.after)
        return parse_lease(change.path.rpartition("/")[2].removesuffix(".yaml"), data) if data is not None else None

    def _grants(self, changes: list[Change]) -> Iterator[Problem]:
        """In the order of the fences: one request may be granted several leases, and their paths are in no order."""
        held: list[tuple[Lease, Change]] = []
        for change in changes:
            if lease := self._lease(change):
                held.append((lease, change))
            else:
                yield "unreadable", change.path, "it is not a lease as gitmaild writes one"
        for lease, change in sorted(held, key=lambda each: each[0].fence):
            yield from self._holds(lease, change)

    def _holds(self, lease: Lease, change: Change) -> Iterator[Problem]:
        project = change.path.partition("/")[0]
        before = self._held.get(key := f"{project} {lease.id}")
        if key in self._ended:
            yield "lease-went-back", change.path, "a lease that had ended is held again"
        elif lease.state != ACTIVE:
            yield "lease-state", change.path, f"it is among those that are held, and says {lease.state}"
        elif before and _kept(lease) != _kept(before):
            yield "lease-changed", change.path, "its holder, what it holds, or its fence changed"
        elif not before and lease.fence <= self._fences.get(project, 0):
            yield "fence-not-grown", change.path, f"fence {lease.fence} after {self._fences[project]}"
        self._held[key] = lease
        self._fences[project] = max(lease.fence, self._fences.get(project, 0))

    def _ends(self, key: str, change: Change, gone: dict[str, str]) -> Iterator[Problem]:
        lease = self._lease(change) if change.after else None
        if change.before or key in self._ended:
            yield "lease-changed", change.path, "a lease that had ended was changed or removed"
        elif lease is None:
            yield "unreadable", change.path, "it is not a lease as gitmaild writes one"
        elif lease.state not in (RELEASED, EXPIRED) or lease.ended is None:
            yield "lease-state", change.path, f"it is among those that ended, and says {lease.state}"
        elif key not in gone or (before := self._held.get(key)) is None:
            yield "lease-changed", change.path, "it ended and was not held, or is held still"
        elif _kept(lease) != _kept(before):
            yield "lease-changed", change.path, "its holder, what it holds, or its fence changed at its end"
        self._ended.add(key)
        gone.pop(key, None)
        self._held.pop(key, None)

    def _told(self, commit: Recorded) -> Iterator[Problem]:
        """What the trailers say of leases is how they stand."""
        state = commit.trailers.get("Lease-State") if commit.kind else None
        for an_id in commit.trailers.get("Lease-Id", "").split(", ") if state else ():
            key = f"{commit.project} {an_id}"
            stands = ACTIVE if key in self._held else "ended" if key in self._ended else "nowhere"
            if stands != (ACTIVE if state == ACTIVE else "ended"):
                yield "trailers-disagree", "", f"Lease-State says {an_id} is {state}; in the tree it is {stands}"


def _key(match: re.Match[str]) -> str:
    return f"{match[1]} {match[2]}"


def _kept(lease: Lease) -> Lease:
    """Of a lease, what stays as it is for its whole life."""
    return replace(
        lease,
        exclusive=True,
        expires=lease.granted,
        reason="",
        warned=False,
        state=ACTIVE,
        ended=None,
        because="",
        ttl_seconds=0,
    )
