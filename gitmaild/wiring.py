"""The one place where the loop meets the outside: builds a daemon or a door's view of a home."""

import logging
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from gitmaild.edges import config
from gitmaild.edges.deskroot import DeskRoot
from gitmaild.edges.home import Home, ThreadIndex
from gitmaild.edges.lock import Lock
from gitmaild.edges.notify import Notifier
from gitmaild.model.clock import Clock
from gitmaild.model.registry import Registry
from gitmaild.model.settings import Settings
from gitmaild.rules import roots as roots_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitmaild.app.daemon import Daemon
    from gitmaild.app.ports import Watcher

_log = logging.getLogger("gitmaild")
REBUILD = "rebuild"


def wall_clock() -> datetime:
    return datetime.now(UTC)


def registry(home: Home) -> Registry:
    return roots_file.parse(home.registry())


def settings(home: Home, environment: Mapping[str, str]) -> Settings:
    loaded, warnings = config.load(home.config, environment)
    for warning in warnings:
        _log.warning("%s", warning)
    return loaded


def protocol_page() -> bytes:
    """The page that `init` writes for agents."""
    return (Path(__file__).parent / "protocol.md").read_bytes()


class Office:
    """A home that is being served: the lock, the daemon, and what they hold."""

    def __init__(self, home: Home, lock: Lock, daemon: "Daemon", close: Callable[[], None]) -> None:
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
    monotonic: Callable[[], float] = time.monotonic,
    limits: Settings | None = None,
    watcher: "Watcher | None" = None,
) -> Office:
    """Take the lock and recover. Raises `Locked` where another gitmaild has it, `Damaged` for a broken mailbox."""
    from gitmaild.app.alarms import Alarms  # noqa: PLC0415 - pygit2 below costs 60 ms that most commands never need
    from gitmaild.app.daemon import Daemon  # noqa: PLC0415
    from gitmaild.app.filing import Filing  # noqa: PLC0415
    from gitmaild.app.intake import Intake  # noqa: PLC0415
    from gitmaild.app.mirrors import Mirrors  # noqa: PLC0415
    from gitmaild.app.outboxes import Outboxes  # noqa: PLC0415
    from gitmaild.app.roots import Roots  # noqa: PLC0415
    from gitmaild.app.threads import Threads  # noqa: PLC0415
    from gitmaild.edges.maintenance import Maintenance  # noqa: PLC0415
    from gitmaild.edges.repo import Repo  # noqa: PLC0415
    from gitmaild.edges.watch import Watcher as InotifyWatcher  # noqa: PLC0415

    home.make()
    limits = limits or settings(home, environment)
    home.check_file_system(allow_network=limits.allow_network_fs)
    lock = Lock(home.lock)
    lock.acquire()
    try:
        repo = Repo.create(home.mailbox)
        alarms, clock = Alarms(), Clock(wall)
        threads = Threads(repo, ThreadIndex(home.state / "threads"), limits)
        mirrors = Mirrors(repo, threads, limits, protocol_page())
        outboxes = Outboxes(limits, lambda: wall().timestamp(), monotonic)
        intake = Intake(
            repo,
            mirrors,
            outboxes,
            clock=clock,
            entropy=entropy,
            settings=limits,
            alarms=alarms,
            remember_tip=home.set_tip,
        )
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
            mirrors=mirrors,
            filing=Filing(repo, mirrors, limits, monotonic),
            roots=Roots(repo, intake, mirrors, outboxes, alarms, open_root=_open_root, post=home.post),
            watcher=watcher or InotifyWatcher(),
            clock=clock,
            alarms=alarms,
            settings=limits,
            registry=lambda: registry(home),
            report=lambda state: home.store("status.json", state),
            notify=notifier.send,
            upkeep=upkeep_poll,
            rebuild_asked=lambda: take_request(home, REBUILD),
            watchdog_seconds=notifier.watchdog_seconds,
            wall=wall,
            monotonic=monotonic,
        )
        daemon.begin(home.tip())
    except BaseException:
        lock.release()
        raise
    return Office(home, lock, daemon, upkeep.stop)


def take_request(home: Home, name: str) -> bool:
    """True once for each time that a command left a request file in `state/`."""
    try:
        (home.state / name).unlink()
    except FileNotFoundError:
        return False
    return True


def _open_root(path: Path, project: str, at_home: bool) -> DeskRoot:
    if at_home:
        (path / "agents" / "Overseer" / "outbox").mkdir(mode=0o700, parents=True, exist_ok=True)
    return DeskRoot(path, project, at_home=at_home)
