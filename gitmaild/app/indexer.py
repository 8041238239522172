"""The search index beside the mail: what is done for it waits until no mail does, and what goes wrong with it stops none.

It is opened some time after the start, written to at most once a second, and made from nothing a slice at a time. Commits
that land are only kept in mind; where they are too many, they are read again from the repository.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from gitmaild.app.alarms import Alarms
from gitmaild.app.ports import Repo, SearchIndex
from gitmaild.app.search import Search
from gitmaild.model.changeset import Landed
from gitmaild.model.search import IndexDamaged, IndexUnavailable

log = logging.getLogger("gitmaild.search")

ALARM = "search"
# Seconds after the start in which only mail counts.
_GRACE = 2.0
_EVERY = 1.0
# A build goes on when no mail has come for so long, and once a second in any case: one step may take a fifth of a second.
_QUIET = 0.1
_SLICE = 0.05
# Commits that are taken in one step, and that are kept in mind at most.
_AT_ONCE, _MOST = 64, 5_000
# Upkeep goes on for so long after the last commit: a merge ends in a process of its own.
_TENDED = 30.0
_LONGEST_WAIT = 300.0
_HEALS = 3
# Messages a second that a processor indexes, and those from which on it takes half a minute with the slower engine.
_RATES = {"whoosh": 1_345, "fts5": 6_149}
_LARGE = 30 * _RATES["whoosh"]


class Indexer:
    """Keeps the index of the home that a daemon serves. `open_index` may import what only an index needs."""

    def __init__(
        self,
        repo: Repo,
        open_index: Callable[[], SearchIndex],
        *,
        engine: str,
        remove: Callable[[], None],
        rebuild_asked: Callable[[], bool],
        alarms: Alarms,
        wall: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._repo, self._open_index, self._engine, self._remove = repo, open_index, engine, remove
        self._rebuild_asked, self._alarms, self._wall, self._monotonic = rebuild_asked, alarms, wall, monotonic
        self._index: SearchIndex | None = None
        self._search: Search | None = None
        self._waiting: deque[Landed] = deque()
        self._behind = False  # more has landed than is kept in mind
        self._due = monotonic() + _GRACE
        self._last = self._tended_until = self._quiet_at = 0.0
        self._more = False
        self._failures = 0
        self._heals = 0  # since the index was whole
        self._state: dict[str, Any] = {}  # what was found out since the last step

    def apply(self, landed: Sequence[Landed]) -> None:
        """Keep in mind what has landed. Before the index is open there is no need: it is brought to the tip then."""
        if self._search is None:
            return
        self._waiting.extend(landed)
        if len(self._waiting) > _MOST:
            self._waiting.clear()
            self._behind = True
        self._quiet_at = self._monotonic() + _QUIET
        self._due = min(self._quiet_at if self._more else self._due, self._last + _EVERY)

    def seconds_left(self) -> float:
        """Until `step` has something to do; infinite where it has not."""
        return max(self._due - self._monotonic(), 0.0)

    def step(self, tip: str) -> bool:
        """Do a slice of what there is; True where more can be done now."""
        self._state = {}
        try:
            more = self._step(tip)
        except Exception as error:  # noqa: BLE001 - whatever it is, the mail goes on
            self._failed(error)
            return False
        if not more:
            self._failures = self._heals = 0
            self._alarms.clear(ALARM)
        self._last = self._monotonic()
        self._more = more
        if more:
            self._due = max(self._last, self._quiet_at)
        else:
            self._due = self._last + _EVERY if self._last < self._tended_until else float("inf")
        return more

    def look(self) -> None:
        """See whether somebody wants the index made anew."""
        if self._rebuild_asked():
            self.forget()

    def forget(self) -> None:
        """Throw the index away; it is made from the tip."""
        self.close()
        self._remove()
        self._due = self._monotonic()

    def close(self) -> None:
        """Let go of the index. What it lacks is in the repository, and found by its checkpoint."""
        try:
            if self._search is not None:
                self._search.close()
        except Exception:
            log.exception("search-index-not-closed")
        self._search = self._index = None
        self._waiting.clear()
        self._behind = False

    def state(self) -> dict[str, Any]:
        """What `gitmaild status` shows."""
        if self._search is None or self._index is None:
            return described(self._engine, None, 0, "the index is not open")
        try:
            progress = self._search.progress()
            note = str(progress) if progress else ""
            self._state = self._state or described(self._engine, self._index.size(), self._index.bytes_used(), note)
            return self._state
        except Exception as error:  # noqa: BLE001 - a status must not fail; the next step says what is wrong
            return described(self._engine, None, 0, str(error))

    def _step(self, tip: str) -> bool:
        search = self._search or self._open(tip)
        if self._behind:
            self._behind = False
            search.catch_up(tip)
        landed = list(islice(self._waiting, _AT_ONCE))
        heals = search.heals
        search.apply(landed, self._repo.tree(tip))
        search.settle()
        for _ in landed:
            self._waiting.popleft()
        more = search.step(_SLICE) or bool(self._waiting)
        if landed or more:
            self._tended_until = self._monotonic() + _TENDED
        if search.heals > heals:
            self._healed(search)
        return more

    def _healed(self, search: Search) -> None:
        """The index was thrown away. Once is nothing to speak of; again and again would never end."""
        log.warning("search-index-made-anew because=%s", search.healed)
        self._heals += 1
        if self._failures or self._heals > _HEALS:
            raise IndexDamaged(search.healed)

    def _open(self, tip: str) -> Search:
        self._index = self._open_index()
        self._search = Search(self._repo, self._index, self._monotonic)
        self._search.catch_up(tip)
        if self._search.healed:
            log.warning("search-index-made-anew because=%s", self._search.healed)
        return self._search

    def _failed(self, error: Exception) -> None:
        """Say so, and begin anew later and later. Searches read the newest messages from the repository meanwhile."""
        text = f"the search index is not kept up: {error or type(error).__name__}; it is tried again"
        if self._alarms.raise_(ALARM, text, self._wall()):
            # A disk that is full says all there is to know; what nobody foresaw is told with where it happened.
            log.error("%s", text, exc_info=None if isinstance(error, (OSError, IndexUnavailable)) else error)
        self.close()
        self._failures += 1
        self._due = self._monotonic() + min(2.0 ** (self._failures - 1), _LONGEST_WAIT)


def described(engine: str, messages: int | None, size: int, note: str) -> dict[str, Any]:
    """The state of an index as every door shows it; `messages` is None where nobody could count them."""
    return {"engine": engine, "messages": messages, "bytes": size, "note": note, "advice": _advice(engine, messages or 0)}


def _advice(engine: str, messages: int) -> str:
    if engine != "whoosh" or messages < _LARGE:
        return ""
    slow, fast = (round(messages / _RATES[name]) for name in ("whoosh", "fts5"))
    return (
        f"{messages:,} messages take whoosh about {slow} s to index anew, fts5 {fast} s, and fts5 answers faster: "
        "put search_engine: fts5 into config.yaml"
    )
