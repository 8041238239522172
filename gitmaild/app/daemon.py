"""The loop."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gitmaild.app.alarms import Alarms, describe
from gitmaild.app.bypasses import Bypasses
from gitmaild.app.filing import Filing
from gitmaild.app.indexer import Indexer
from gitmaild.app.intake import Intake
from gitmaild.app.mirrors import Mirrors
from gitmaild.app.outboxes import Outboxes
from gitmaild.app.ports import Repo, Watcher
from gitmaild.app.roots import Roots
from gitmaild.app.tip import Halted
from gitmaild.model import layout
from gitmaild.model.changeset import parse_commit_message
from gitmaild.model.clock import Clock, Leap
from gitmaild.model.drop import Hint
from gitmaild.model.errors import MailError, Refused
from gitmaild.model.registry import Registry
from gitmaild.model.settings import Settings

log = logging.getLogger("gitmaild.daemon")

# Pages (threads, agents.md) may lag this far behind the mail when passes follow each other without a pause.
_PAGE_LAG = 0.25
# Under load, writing pages that took t seconds is not repeated for this many t: mail comes first.
_PAGE_REST = 10
_LONGEST_WAIT = 300.0
# Cold threads, audits and questions leave something behind each time; so often it is forgotten. It takes 35 ms at 50,000
# messages. The making of an index leaves more: 160 MB of it after a minute at 100,000.
_TIDYING, _TIDYING_WHILE_INDEXING = 60.0, 10.0


class Daemon:
    """One home's post office. `turn` is one round of the loop; `run` goes on until `stop`."""

    def __init__(
        self,
        repo: Repo,
        intake: Intake,
        *,
        outboxes: Outboxes,
        mirrors: Mirrors,
        filing: Filing,
        roots: Roots,
        bypasses: Bypasses,
        indexer: Indexer,
        watcher: Watcher,
        clock: Clock,
        alarms: Alarms,
        settings: Settings,
        registry: Callable[[], Registry],
        also_watch: list[Path],
        report: Callable[[dict[str, Any]], None],
        notify: Callable[..., None],
        upkeep: Callable[[], str],
        rebuild_asked: Callable[[], bool],
        give_back_memory: Callable[[], None],
        watchdog_seconds: float = 0.0,
        wall: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._repo, self.intake, self._outboxes, self.mirrors = repo, intake, outboxes, mirrors
        self.filing, self.roots, self._watcher = filing, roots, watcher
        self._bypasses, self.indexer = bypasses, indexer
        self._clock, self.alarms, self._settings = clock, alarms, settings
        self._also_watch = also_watch
        self._registry, self._report, self._notify, self._upkeep = registry, report, notify, upkeep
        self._give_back_memory = give_back_memory
        self._rebuild_asked, self._watchdog_seconds = rebuild_asked, watchdog_seconds
        self._wall, self._monotonic = wall, monotonic
        self._stopping = self._running = False
        self._tidied = monotonic()
        self._next_tidying = self._tidied + _TIDYING
        self._next_scan = self._flush_by = self._retry_at = self._fed = 0.0
        self._leap, self._trust_clock_at = Leap(wall, monotonic), 0.0
        self._page_lag = _PAGE_LAG
        self._hints: list[Hint] = []  # that came in while pages were written
        self._failures = 0
        self._failed_with: set[str] = set()
        self._begun = self._to_rebuild = False
        self._turned = monotonic()

    # --- life

    def run(self) -> None:
        """Serve until `stop`."""
        self._running = True
        self._tidy()
        self._notify("READY=1", "STATUS=ready")
        while not self._stopping:
            self.turn(self._watcher.wait(self._patience()))
            self.rest()
        self._notify("STOPPING=1")

    def stop(self) -> None:
        """Make `run` return after the pass that is under way. Safe in a signal handler."""
        self._stopping = True
        self._watcher.wake()

    def begin(self, last_tip: str) -> None:
        """Recover: find the tip, mend what a dead daemon left, attach the roots, finish their claims.

        `last_tip` is the tip that this home's last daemon knew.
        """
        self.intake.tip.begin(last_tip)
        for name in self._repo.clear_leftovers(before=self._wall().timestamp() - 3600):
            log.info("removed-leftover name=%s (a previous daemon died)", name)
        self.scan()

    def close(self) -> None:
        try:
            self._flush()
        except (MailError, OSError) as error:
            # Pages are derived: the checkpoints are behind, and the next daemon writes them.
            log.error("pages-not-written because=%s", error)
        self.indexer.close()
        self.roots.close()
        self._watcher.close()

    # --- one round

    def turn(self, hints: list[Hint]) -> int:
        """Look where hints point, scan when it is time, take what is ready; how many commands were answered."""
        self._turned = self._monotonic()
        self._feed()
        self._look_at_clock()
        hints, self._hints = [*self._hints, *hints], []
        vague = any(not hint.directory.endswith(("/outbox", "/read", "/acked")) for hint in hints)
        if vague or self._monotonic() >= self._next_scan:
            self.scan()
        # After the scan, which may have found the desk that a hint is about.
        self._outboxes.hint(hints)
        self.filing.hint(hints)
        answered = self._take_all() if self._monotonic() >= self._retry_at else 0
        for root in self.intake.roots.values():
            root.forget()
        return answered

    def rest(self, *, at_once: bool = False) -> bool:
        """What waits until no mail does: a slice of work on the search index. True where more of it can be done now."""
        if self._stopping or not self._begun or (self.indexer.seconds_left() and not at_once):
            return False
        self._hints += self._watcher.wait(0)
        if self._hints or max(self._outboxes.next_look(), self._retry_at) <= self._monotonic():
            return False
        more = self.indexer.step(self.intake.seen)
        if more:
            self._next_tidying = min(self._next_tidying, self._tidied + _TIDYING_WHILE_INDEXING)
        return more

    def scan(self) -> None:
        """The truth behind the hints: registry, roots, desks, outboxes, folders, and what is due for upkeep."""
        self._next_scan = self._monotonic() + self._settings.scan_seconds
        try:
            self._to_rebuild |= self._rebuild_asked()
            if self._to_rebuild:
                self._rebuild()
            if not self._begun:
                self._open_books()
            self.intake.tip.follow()
            self.roots.refresh(self._registry())
            self.roots.look_at_desks()
            desks = [path for root in self.intake.roots.values() for path in root.watched()]
            self._watcher.watch([*self._also_watch, *desks])
            self._outboxes.look_everywhere(self.intake.roots.values())
            self.filing.look_everywhere()
            for path in self.filing.audit(self.intake.seen):
                log.info("mended path=%s", path)
            self.mirrors.vouch(self._wall())
            self._look_for_bypasses()
            if self._running and self._monotonic() >= self._next_tidying:
                self._tidy()
            self.indexer.look()
        except (MailError, Refused, OSError) as error:
            self._failed(error)
        self.alarms.set("polling", self._watcher.polling, self._now())
        self.alarms.set("damaged-object", _damage(self._repo.damaged), self._now())
        self.alarms.set("clock", self._clock.alarm(), self._now())
        try:
            self.alarms.set("upkeep", self._upkeep(), self._now())
            self._report(self.state())
            self.alarms.clear("status")
        except OSError as error:
            # Nobody is told how things are, but the mail may still go.
            self.alarms.raise_("status", describe(error)[1], self._now())

    def _take_all(self) -> int:
        """Pass after pass until nothing is ready, or `stop` is asked for: under steady load something always is."""
        answered = 0
        try:
            while not self._stopping and (count := self.intake.run(self.filing.wishes(self.intake.seen))):
                answered += count
                self._feed()
                self._flush_if_due()
                more = self._watcher.wait(0)
                self._outboxes.hint(more)
                self.filing.hint(more)
            self._flush(self._interrupted)
            self._recovered()
        except (MailError, OSError) as error:
            self._failed(error)
        return answered

    def idle_for(self) -> float:
        """Seconds until something may be ready in some outbox; infinite where nothing waits."""
        return self._outboxes.next_look() - self._monotonic()

    def still_for(self) -> float:
        """Seconds since the loop last began a round. For any thread."""
        return self._monotonic() - self._turned

    def state(self) -> dict[str, Any]:
        """What `gitmaild status` shows of a running daemon."""
        return {
            "tip": self.intake.seen,
            "accepted": self.intake.accepted,
            "claimed": len(self.intake.claiming.claims),
            "roots": sorted(self.intake.roots),
            "away": dict(self.roots.away),
            "alarms": self.alarms.listed(),
            "search": self.indexer.state(),
            "watching": self._watcher.polling or "inotify hints and a scan",
        }

    # --- inside

    def _patience(self) -> float:
        """How long the loop may wait for hints."""
        if self._hints:
            return 0.0
        now = self._monotonic()
        until = min(self._next_scan, max(self._outboxes.next_look(), self._retry_at))
        if self.mirrors.has_unwritten_pages():
            until = min(until, self._flush_by)
        if self._begun:
            until = min(until, now + self.indexer.seconds_left())
        until = min(until, max(now + self.intake.tending.seconds_left(), self._retry_at))
        if self._watchdog_seconds:
            until = min(until, self._fed + self._watchdog_seconds / 2)
        return max(until - now, 0.0)

    def _look_for_bypasses(self) -> None:
        try:
            if found := self._bypasses.look(self._registry(), self.intake.roots, self.intake.envelope):
                self.intake.record(found)
            self._bypasses.remember()
        except (MailError, OSError):
            self._bypasses.forget()
            raise
        except Exception:
            # A mistake of our own. What it was made on is passed over: it must not cost the mail.
            log.exception("bug bypasses")
            text = "some commits past the guard are not recorded; the log has the error"
            self.alarms.raise_("bypasses", text, self._now())
            self._bypasses.remember()

    def _look_at_clock(self) -> None:
        """Where the clock was set forward, no lease runs out for one usual term: it may be set right again."""
        leapt = self._leap.look()
        if leapt and self.intake.tending.seconds_left() < float("inf"):
            self._trust_clock_at = self._monotonic() + self._settings.lease_seconds
            text = (
                f"the clock went forward by {leapt}; no lease expires until it has held for {self._settings.lease_seconds} s"
            )
            self.alarms.raise_("clock-leapt", text, self._now())
            log.warning("clock-leapt by=%s", leapt)
        elif not self.intake.tending.expiring and self._monotonic() >= self._trust_clock_at:
            self.alarms.clear("clock-leapt")
        self.intake.tending.expiring = self._monotonic() >= self._trust_clock_at

    def _feed(self) -> None:
        """Tell the service manager that the loop goes round: from the loop itself, never from a timer."""
        if self._watchdog_seconds and self._monotonic() - self._fed >= self._watchdog_seconds / 2:
            self._fed = self._monotonic()
            self._notify("WATCHDOG=1", f"STATUS=accepted {self.intake.accepted}, claimed {len(self.intake.claiming.claims)}")

    def _interrupted(self) -> bool:
        """True where something came in, and pages must wait: they may lag, but not for longer than they may under load."""
        self._flush_by = self._flush_by or self._monotonic() + self._page_lag
        self._hints += self._watcher.wait(0)
        return bool(self._hints) and self._monotonic() < self._flush_by

    def _flush(self, interrupted: Callable[[], bool] = lambda: False) -> None:
        began = self._monotonic()
        self.mirrors.flush(interrupted)
        if self.mirrors.has_unwritten_pages():
            return
        self._flush_by = 0.0
        self._page_lag = max(_PAGE_LAG, _PAGE_REST * (self._monotonic() - began))

    def _flush_if_due(self) -> None:
        if not self._flush_by:
            self._flush_by = self._monotonic() + self._page_lag
        elif self._monotonic() >= self._flush_by:
            self._flush()

    def _failed(self, error: Exception) -> None:
        """The disk or the repository refused: say so, and come back later and later."""
        key, text = describe(error) if isinstance(error, OSError) else (getattr(error, "code", "error"), str(error))
        if isinstance(error, Refused):
            key, text = "roots", f"roots.yaml cannot be read: {error}"
        if self.alarms.raise_(key, text, self._now()):
            log.error("%s: %s", key, text)
        self._failed_with.add(key)
        self._failures += 1
        self._retry_at = self._monotonic() + min(2.0 ** (self._failures - 1), _LONGEST_WAIT)

    def _recovered(self) -> None:
        if self._failures:
            log.info("recovered after=%d", self._failures)
            for key in self._failed_with:
                self.alarms.clear(key)
            self._failed_with.clear()
            self._failures, self._retry_at = 0, 0.0

    def _rebuild(self) -> None:
        """Make every mirror and index from nothing but the tip, which is the truth even where it was rewritten."""
        log.info("rebuild tip=%s", self._repo.tip()[:12])
        self.mirrors.forget()
        self.indexer.forget()
        self.roots.close()
        self.intake.tip.accept()
        self._open_books()
        self._next_tidying = self._monotonic()
        # Only now: what a full disk cuts short begins anew at the next scan.
        self._to_rebuild = False
        self.alarms.clear(Halted.code)
        self._recovered()

    def _tidy(self) -> None:
        """Forget what was read of the history, and give its memory back. For who goes on; one pass has no use for it."""
        self._tidied = self._monotonic()
        self._next_tidying = self._tidied + _TIDYING
        self._repo.let_go()
        self._give_back_memory()

    def _open_books(self) -> None:
        """What must be known before the first root is attached; nothing of it where the history was rewritten."""
        tip = self._repo.tip()
        if not self._repo.is_ancestor(self.intake.seen, tip):
            self.intake.tip.follow()
        self.intake.tip.accept()
        self._remember_the_past()
        self.intake.tending.look(self._repo.tree(self.intake.seen))
        self.mirrors.show_views(self.intake.seen)
        self.mirrors.threads.catch_up(self.intake.seen)
        self._begun = True

    def _remember_the_past(self) -> None:
        """The newest time and the ids of today, so that neither is used twice."""
        self._clock.last = max(self._clock.last, self._last_accepted())
        today = self._now().strftime("%Y%m%d")
        tree = self._repo.tree(self.intake.seen)
        for project in tree.names(""):
            day = f"{layout.messages(project[:-1])}/{today[:4]}/{today[4:6]}/{today[6:]}"
            for hour in tree.names(day):
                self.intake.claiming.taken |= {name[4:-3] for name in _names_below(tree, f"{day}/{hour[:-1]}")}

    def _last_accepted(self) -> datetime:
        """When the newest command of our own was accepted: a foreign commit may bear any date."""
        for oid, text, seconds in self._repo.newest_first(self.intake.seen):
            at = self._repo.accepted_at(oid)
            if "Accepted" in parse_commit_message(text)[0] and int(at.timestamp()) == seconds and at.year < 9999:
                return at
        return self._clock.last

    def _now(self) -> datetime:
        return max(self._clock.last, datetime(2000, 1, 1, tzinfo=UTC))


def _damage(damaged: dict[str, str]) -> str:
    if not damaged:
        return ""
    first = next(iter(damaged.values()))
    return f"{len(damaged)} damaged object(s) in the mailbox: {first}; other mail goes on; restore it from a clone"


def _names_below(tree: Any, hour: str) -> list[str]:
    found: list[str] = []
    for name in tree.names(hour):
        found += tree.names(f"{hour}/{name[:-1]}") if name.endswith("/") else [name]
    return found
