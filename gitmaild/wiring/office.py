"""The daemon of a home: every part of the loop, built and joined. Importing this costs what pygit2 costs, 60 ms."""

import contextlib
import ctypes
import gc
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from gitmaild.app.alarms import Alarms
from gitmaild.app.bell import Bell
from gitmaild.app.bypasses import Bypasses
from gitmaild.app.claiming import Claiming
from gitmaild.app.daemon import Daemon
from gitmaild.app.filing import Filing
from gitmaild.app.indexer import Indexer
from gitmaild.app.intake import Intake
from gitmaild.app.mirrors import Mirrors
from gitmaild.app.outboxes import Outboxes
from gitmaild.app.ports import Watcher
from gitmaild.app.roots import Roots
from gitmaild.app.tending import Tending
from gitmaild.app.threads import Threads
from gitmaild.app.tip import Tip
from gitmaild.edges import commits
from gitmaild.edges.home import Home, LeaseViews, ThreadIndex
from gitmaild.edges.lock import Lock
from gitmaild.edges.maintenance import Maintenance
from gitmaild.edges.notify import Notifier
from gitmaild.edges.repo import Repo
from gitmaild.model.changeset import Landed
from gitmaild.model.clock import Clock
from gitmaild.model.drop import Hint
from gitmaild.model.settings import Settings
from gitmaild.rules.holdings import Holdings
from gitmaild.wiring.places import REBUILD, REBUILD_INDEX, open_root, registry, settings, take_request, uptime, wall_clock
from gitmaild.wiring.questions import remove_index, search_index


class Office:
    """A home that is being served: the lock, the daemon, and what they hold."""

    def __init__(self, home: Home, lock: Lock, daemon: Daemon, close: Callable[[], None]) -> None:
        self.home, self.lock, self.daemon, self._close = home, lock, daemon, close

    def close(self) -> None:
        try:
            self.daemon.close()
        finally:
            self._close()
            self.lock.release()


def open_office(
    home: Home,
    environment: Mapping[str, str],
    *,
    wall: Callable[[], datetime] = wall_clock,
    entropy: Callable[[int], bytes] = os.urandom,
    monotonic: Callable[[], float] = uptime,
    limits: Settings | None = None,
    watcher: Watcher | None = None,
    bell: Bell | None = None,
) -> Office:
    """Take the lock and recover. Raises `Locked` where another gitmaild has it, `Damaged` for a broken mailbox.

    `bell` is rung for doors of this process.
    """
    home.make()
    limits = limits or settings(home, environment)
    home.check_file_system(allow_network=limits.allow_network_fs)
    lock = Lock(home.lock)
    lock.acquire()
    try:
        daemon, stop = _build(
            home, environment, limits, wall=wall, entropy=entropy, monotonic=monotonic, watcher=watcher, bell=bell or Bell()
        )
        daemon.begin(home.tip())
    except BaseException:
        lock.release()
        raise
    return Office(home, lock, daemon, stop)


def _build(
    home: Home,
    environment: Mapping[str, str],
    limits: Settings,
    *,
    wall: Callable[[], datetime],
    entropy: Callable[[int], bytes],
    monotonic: Callable[[], float],
    watcher: Watcher | None,
    bell: Bell,
) -> tuple[Daemon, Callable[[], None]]:
    """The daemon, and what ends the processes that it has started."""
    repo = Repo.create(home.mailbox)
    alarms, clock = Alarms(), Clock(wall)
    watcher = watcher or _inotify()
    bell.connect(watcher.hint)
    threads = Threads(repo, ThreadIndex(home.state / "threads"), limits)
    holdings: dict[str, Holdings] = {}
    mirrors = Mirrors(
        repo, threads, limits, protocol=protocol_page(), views=LeaseViews(home.state / "leases"), holdings=holdings
    )
    outboxes = Outboxes(limits, lambda: wall().timestamp(), monotonic)
    indexer = Indexer(
        repo,
        lambda: search_index(home, limits.search_engine),
        engine=limits.search_engine,
        remove=lambda: remove_index(home, limits.search_engine),
        rebuild_asked=lambda: take_request(home, REBUILD_INDEX),
        alarms=alarms,
        wall=wall,
        monotonic=monotonic,
    )
    tending = Tending(clock, limits, alarms, holdings)
    claiming = Claiming(outboxes, mirrors, clock=clock, entropy=entropy, settings=limits, answered=bell.answered)
    tip = Tip(
        repo,
        mirrors,
        claiming,
        tending,
        clock=clock,
        alarms=alarms,
        remember=home.set_tip,
        landed=lambda commits: _landed(commits, indexer, bell),
    )
    intake = Intake(repo, mirrors, claiming, tip, tending, clock=clock, settings=limits)
    upkeep = Maintenance(
        home.mailbox, repo.pack_count, packs=limits.repack_packs, seconds=limits.repack_seconds, monotonic=monotonic
    )
    notifier = Notifier(environment)

    def upkeep_poll() -> str:
        upkeep.poll()
        return upkeep.failure

    daemon = Daemon(
        repo,
        intake,
        outboxes=outboxes,
        mirrors=mirrors,
        filing=Filing(repo, mirrors, limits, monotonic),
        bypasses=Bypasses(commits.Commits(commits.load(home.marks)), lambda marks: commits.store(home.marks, marks)),
        roots=Roots(repo, intake, mirrors, outboxes, alarms, open_root=open_root, post=home.post),
        indexer=indexer,
        watcher=watcher,
        clock=clock,
        alarms=alarms,
        settings=limits,
        registry=lambda: registry(home),
        also_watch=[home.path],
        report=_on_change(lambda state: home.store("status.json", state)),
        notify=notifier.send,
        upkeep=upkeep_poll,
        give_back_memory=give_back_memory,
        rebuild_asked=lambda: take_request(home, REBUILD),
        watchdog_seconds=notifier.watchdog_seconds,
        wall=wall,
        monotonic=monotonic,
    )
    return daemon, upkeep.stop


def _landed(commits: Sequence[Landed], indexer: Indexer, bell: Bell) -> None:
    indexer.apply(commits)
    bell.landed()


def _inotify() -> Watcher:
    from gitmaild.edges.watch import Watcher as InotifyWatcher  # noqa: PLC0415 - 34 ms that one pass does not need

    return InotifyWatcher()


class NoHints:
    """A watcher for one pass: whoever calls says where to look."""

    polling = ""

    def watch(self, directories: list[Path]) -> None: ...

    def wait(self, timeout: float) -> list[Hint]:
        return []

    def hint(self, hints: Iterable[Hint]) -> None: ...

    def wake(self) -> None: ...

    def close(self) -> None: ...


def protocol_page() -> bytes:
    """The page that `init` writes for agents."""
    return (Path(__file__).parent.parent / "protocol.md").read_bytes()


def give_back_memory() -> None:
    """Return to the system what making mirrors from nothing has left behind: a third of the process at 20,000 messages."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # malloc_trim is glibc's
        ctypes.CDLL(None).malloc_trim(0)


def _on_change(store: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    """`store`, called only where the value differs from the last one."""
    last: list[dict[str, Any]] = []

    def changed(value: dict[str, Any]) -> None:
        if [value] != last:
            store(value)
            last[:] = [value]

    return changed
