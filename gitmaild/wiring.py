"""The one place where the loop meets the outside: builds a daemon or a door's view of a home.

What only a daemon or a rare command needs is imported where it is needed: `inbox` must start in a tenth of a second.
"""

import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitmaild.edges.deskroot import DeskRoot
from gitmaild.edges.home import Home, LeaseViews, ThreadIndex
from gitmaild.edges.lock import Lock, Locked
from gitmaild.model import names
from gitmaild.model.drop import Hint
from gitmaild.model.errors import MailError, Refused, refuse
from gitmaild.model.registry import Registry
from gitmaild.rules import roots as roots_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitmaild.app.answers import Answer, Question
    from gitmaild.app.daemon import Daemon
    from gitmaild.app.ports import SearchIndex, Watcher
    from gitmaild.app.queries import Reader
    from gitmaild.app.records import Records
    from gitmaild.edges.code import Code
    from gitmaild.edges.hooks import Hooks
    from gitmaild.edges.summarizer import Summarizer
    from gitmaild.edges.supervisor import Supervisor
    from gitmaild.model.settings import Settings

__all__ = [
    "Home",
    "Office",
    "enrol",
    "forget_prefix",
    "guard_hooks",
    "guard_project",
    "look",
    "open_code",
    "open_office",
    "open_reader",
    "open_records",
    "open_root",
    "registry",
    "search",
    "serve_once",
    "summarizer",
    "supervisor",
]

REBUILD = "rebuild"
REBUILD_INDEX = "rebuild-index"


def wall_clock() -> datetime:
    return datetime.now(UTC)


def uptime() -> float:
    """Seconds that never go back, and that a machine counts while it sleeps where it can."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


def give_back_memory() -> None:
    """Return to the system what making mirrors from nothing has left behind: a third of the process at 20,000 messages."""
    import ctypes  # noqa: PLC0415 - 5 ms, for the daemon alone
    import gc  # noqa: PLC0415

    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # malloc_trim is glibc's
        ctypes.CDLL(None).malloc_trim(0)


def registry(home: Home) -> Registry:
    return roots_file.parse(home.registry())


def settings(home: Home, environment: Mapping[str, str]) -> "Settings":
    import logging  # noqa: PLC0415

    from gitmaild.edges import config  # noqa: PLC0415

    loaded, warnings = config.load(home.config, environment)
    for warning in warnings:
        logging.getLogger("gitmaild").warning("%s", warning)
    return loaded


def git_settings(path: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The `gitmaild.*` settings of the repository around `path`."""
    from gitmaild.edges import worktree  # noqa: PLC0415

    return worktree.settings(path, environment)


def is_in_repository(path: Path) -> bool:
    return any((parent / ".git").exists() for parent in (path, *path.parents))


def check_home(home: Home) -> None:
    """Raises `NoHome` where there is no mailbox."""
    if not home.exists():
        raise NoHome(f"there is no mailbox in {home.path}; run gitmaild init in your worktree first")


def open_reader(home: Home) -> "Reader":
    """The mailbox, for questions. Raises `NoHome` where there is none."""
    from gitmaild.app.queries import Reader  # noqa: PLC0415
    from gitmaild.app.threads import Threads  # noqa: PLC0415
    from gitmaild.edges.repo import Repo  # noqa: PLC0415
    from gitmaild.model.settings import Settings  # noqa: PLC0415

    check_home(home)
    repo = Repo(home.mailbox)
    limits = Settings()
    return Reader(repo, Threads(repo, ThreadIndex(home.state / "threads"), limits), limits)


def search_index(home: Home, engine: str) -> "SearchIndex":
    """The search index of a home. Each engine is imported only where it is asked."""
    directory = home.indexes / engine
    if engine == "fts5":
        from gitmaild.edges.fts_index import FtsIndex  # noqa: PLC0415

        return FtsIndex(directory)
    from gitmaild.edges.whoosh_index import WhooshIndex  # noqa: PLC0415

    return WhooshIndex(directory)


def remove_index(home: Home, engine: str) -> None:
    from gitmaild.edges import index_directory  # noqa: PLC0415

    index_directory.remove(home.indexes / engine)


def search(home: Home, environment: Mapping[str, str], question: "Question", agent: Callable[[], str]) -> "Answer":
    """Search the mailbox, with the daemon up or down. `agent` is asked only where the query asks for a state of its mail.

    Raises `NoHome`, and `Refused` for a query that cannot be understood.
    """
    from gitmaild.app.answers import look as answer  # noqa: PLC0415
    from gitmaild.app.answers import states_of  # noqa: PLC0415
    from gitmaild.edges.repo import Repo  # noqa: PLC0415
    from gitmaild.rules.mailbox import Mailbox  # noqa: PLC0415

    check_home(home)
    repo = Repo(home.mailbox)

    def states(name: str) -> frozenset[str]:
        return states_of(Mailbox(repo.tree(repo.tip()), question.project), agent())(name)

    return answer(repo, search_index(home, settings(home, environment).search_engine), question, states)


def open_records(home: Home) -> "Records":
    """The mailbox's history, for questions. Raises `NoHome` where there is none."""
    from gitmaild.app.records import Records  # noqa: PLC0415
    from gitmaild.edges.history import History  # noqa: PLC0415

    return Records(open_reader(home), History(home.mailbox), home.tip())


def open_code(worktrees: "Sequence[Path]") -> "Code":
    """The user's own repository, for reading: its commits and its issues."""
    from gitmaild.edges.code import Code  # noqa: PLC0415

    return Code(worktrees)


def summarizer(home: Home, environment: Mapping[str, str]) -> "Summarizer | None":
    """The program that puts conversations in short, None where none is set or LLM_ENABLED says no."""
    from gitmaild.edges.summarizer import Summarizer  # noqa: PLC0415

    limits = settings(home, environment)
    if not limits.summarizer or environment.get("LLM_ENABLED", "yes").lower() in ("false", "no", "0"):
        return None
    return Summarizer(limits.summarizer, limits.summarizer_seconds, home.state / "summaries", environment)


def serve_once(home: Home, environment: Mapping[str, str], hints: list[Hint], *, index: bool = False) -> bool:
    """Run one pass here, where nobody else serves this home. False: somebody else does, and it is worth waiting.

    With `index`, the search index is brought up as well.

    A process that may not write the home, as in a sandbox, runs nothing; the next daemon will. Raises `MailError` or OSError
    where the home cannot be served.
    """
    if Lock(home.lock).is_held():
        return False
    try:
        office = open_office(home, environment, watcher=NoHints())
    except Locked:
        return False
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return True
        raise
    try:
        office.daemon.turn(hints)
        while index and office.daemon.rest(at_once=True):
            pass
    finally:
        office.close()
    return True


def enrol(home: Home, path: Path, *, project: str, join: bool) -> tuple[str, Path]:
    """Make `path`'s worktree carry a desk root: (project slug, desk root). Idempotent.

    Raises `Refused` for a slug that is no slug, or that another repository holds.
    """
    from gitmaild.edges import worktree  # noqa: PLC0415

    found = worktree.find(path)
    known = registry(home).of_repository(str(found.repository))
    slug = project or (known.slug if known else names.slug(found.name))
    if not names.is_slug(slug):
        raise names.bad_slug(slug)
    home.make()

    def change(data: bytes) -> bytes:
        now = roots_file.parse(data)
        return roots_file.render(now.enrol(slug, str(found.repository), str(found.top), join=join))

    home.change_registry(change)
    root = found.top / ".gitmaild"
    root.mkdir(exist_ok=True)
    # A checkout may hold anything under these names, symlinks included: from here on nothing is followed.
    desks = open_root(root, slug, at_home=False)
    if not desks.exists(".gitignore"):
        desks.put(".gitignore", b"*\n", mode=0o644)
    desks.close()
    (root / "agents").mkdir(exist_ok=True)
    worktree.mark(found, home=home.path, project=slug)
    return slug, root


def protocol_page() -> bytes:
    """The page that `init` writes for agents."""
    return (Path(__file__).parent / "protocol.md").read_bytes()


class NoHome(MailError):
    """Nothing has been set up yet."""

    code = "no-home"


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
    monotonic: Callable[[], float] = uptime,
    limits: "Settings | None" = None,
    watcher: "Watcher | None" = None,
) -> Office:
    """Take the lock and recover. Raises `Locked` where another gitmaild has it, `Damaged` for a broken mailbox."""
    from gitmaild.app.alarms import Alarms  # noqa: PLC0415 - pygit2 below costs 60 ms that most commands never need
    from gitmaild.app.bypasses import Bypasses  # noqa: PLC0415
    from gitmaild.app.daemon import Daemon  # noqa: PLC0415
    from gitmaild.app.filing import Filing  # noqa: PLC0415
    from gitmaild.app.indexer import Indexer  # noqa: PLC0415
    from gitmaild.app.intake import Intake  # noqa: PLC0415
    from gitmaild.app.mirrors import Mirrors  # noqa: PLC0415
    from gitmaild.app.outboxes import Outboxes  # noqa: PLC0415
    from gitmaild.app.roots import Roots  # noqa: PLC0415
    from gitmaild.app.tending import Tending  # noqa: PLC0415
    from gitmaild.app.threads import Threads  # noqa: PLC0415
    from gitmaild.edges import commits  # noqa: PLC0415
    from gitmaild.edges.maintenance import Maintenance  # noqa: PLC0415
    from gitmaild.edges.notify import Notifier  # noqa: PLC0415
    from gitmaild.edges.repo import Repo  # noqa: PLC0415
    from gitmaild.model.clock import Clock  # noqa: PLC0415
    from gitmaild.rules.holdings import Holdings  # noqa: PLC0415

    home.make()
    limits = limits or settings(home, environment)
    home.check_file_system(allow_network=limits.allow_network_fs)
    lock = Lock(home.lock)
    lock.acquire()
    try:
        repo = Repo.create(home.mailbox)
        alarms, clock = Alarms(), Clock(wall)
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
        intake = Intake(
            repo,
            mirrors,
            outboxes,
            clock=clock,
            entropy=entropy,
            settings=limits,
            alarms=alarms,
            remember_tip=home.set_tip,
            tending=Tending(clock, limits, alarms, holdings),
            landed=indexer.apply,
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
            bypasses=Bypasses(commits.Commits(commits.load(home.marks)), lambda marks: commits.store(home.marks, marks)),
            roots=Roots(repo, intake, mirrors, outboxes, alarms, open_root=open_root, post=home.post),
            indexer=indexer,
            watcher=watcher or _inotify(),
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
        daemon.begin(home.tip())
    except BaseException:
        lock.release()
        raise
    return Office(home, lock, daemon, upkeep.stop)


def _inotify() -> "Watcher":
    from gitmaild.edges.watch import Watcher as InotifyWatcher  # noqa: PLC0415 - 34 ms that one pass does not need

    return InotifyWatcher()


class NoHints:
    """A watcher for one pass: whoever calls says where to look."""

    polling = ""

    def watch(self, directories: list[Path]) -> None: ...

    def wait(self, timeout: float) -> list[Hint]:
        return []

    def wake(self) -> None: ...

    def close(self) -> None: ...


def look(home: Home, environment: Mapping[str, str]) -> dict[str, Any]:
    """The state of a home as it is, for `status`: asked of the lock, the repository and the registry themselves.

    Of a daemon that runs, its own report comes besides: what it watches, its alarms.
    """
    lock = Lock(home.lock)
    running = lock.is_held()
    report = home.load("status.json") if running else {}
    alarms = list(report.get("alarms", []))
    value: dict[str, Any] = {"home": str(home.path), "running": running, "holder": lock.holder() if running else ""}
    value |= {"tip": "", "commits": 0, "packs": 0, "watching": report.get("watching", "")}
    value["search"] = {}
    try:
        known = registry(home)
        if home.exists():
            from gitmaild.edges.repo import Repo  # noqa: PLC0415

            repo = Repo(home.mailbox)
            value |= {"tip": repo.tip(), "commits": repo.count(repo.tip()), "packs": repo.pack_count()}
            value["search"] = report.get("search") or _look_at_index(home, settings(home, environment).search_engine)
    except (MailError, Refused, OSError) as error:
        known = Registry()
        alarms.append({"alarm": getattr(error, "code", "error"), "text": str(error), "since": "now"})
    roots = [str(home.post / slug) for slug in known.projects]
    roots += [f"{place}/.gitmaild" for project in known.projects.values() for place in project.worktrees]
    away: dict[str, str] = dict(report.get("away", {}))
    waiting: dict[str, dict[str, int]] = {}
    for root in roots:
        try:
            waiting[root] = _waiting(Path(root))
        except (MailError, OSError) as error:
            away.setdefault(root, str(error))
    return value | {"roots": roots, "away": away, "waiting": waiting, "alarms": alarms}


def _look_at_index(home: Home, engine: str) -> dict[str, Any]:
    from gitmaild.app.indexer import described  # noqa: PLC0415

    if not (home.indexes / engine).exists():
        return described(engine, None, 0, "not made yet: gitmaild serve makes it, or gitmaild rebuild --index")
    index = search_index(home, engine)
    try:
        index.open(writing=False)
        return described(engine, index.size(), index.bytes_used(), "")
    except (MailError, OSError) as error:
        return described(engine, None, 0, str(error))
    finally:
        index.close()


def _waiting(path: Path) -> dict[str, int]:
    """Files in each outbox of a root that are not answered yet, claimed ones included."""
    root = DeskRoot(path, "", at_home=True)
    try:
        found = {agent: len(root.waiting(agent)) + len(root.claims(agent)) for agent in root.desks()}
    finally:
        root.close()
    return {agent: count for agent, count in found.items() if count}


def request(home: Home, name: str) -> None:
    """Ask the daemon, the running one or the next, for something that is not a command of an agent."""
    (home.state / name).touch()


def is_requested(home: Home, name: str) -> bool:
    return (home.state / name).exists()


def _on_change(store: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    """`store`, called only where the value differs from the last one."""
    last: list[dict[str, Any]] = []

    def changed(value: dict[str, Any]) -> None:
        if [value] != last:
            store(value)
            last[:] = [value]

    return changed


def take_request(home: Home, name: str) -> bool:
    """True once for each time that a command left a request file in `state/`."""
    try:
        (home.state / name).unlink()
    except FileNotFoundError:
        return False
    return True


def open_root(path: Path, project: str, at_home: bool) -> DeskRoot:
    if at_home:
        (path / "agents" / "Overseer" / "outbox").mkdir(mode=0o700, parents=True, exist_ok=True)
    return DeskRoot(path, project, at_home=at_home)


def supervisor(home: Home, environment: Mapping[str, str], *, launchd: bool, hardened: bool = False) -> "Supervisor":
    """Whoever runs the daemon for the user: launchd, or systemd. With `hardened`, only what is enrolled now is writable."""
    from gitmaild.edges.supervisor import Launchd, Systemd  # noqa: PLC0415

    if launchd:
        return Launchd(home.path, environment)
    places = [place for project in registry(home).projects.values() for place in project.worktrees] if hardened else []
    return Systemd(home.path, environment, hardened=hardened, writable=places)


def guard_hooks(place: Path, environment: Mapping[str, str], *, version: "Sequence[int] | None" = None) -> "Hooks":
    """The guard's hooks in the repository around `place`. Raises `Refused` where there is none."""
    from gitmaild.edges.hookfile import render  # noqa: PLC0415
    from gitmaild.edges.hooks import Hooks  # noqa: PLC0415

    here = Path(__file__).parent
    # In a checkout the hooks lie beside the package, in a wheel they are within.
    shipped = here / "hooks" if (here / "hooks").is_dir() else here.parent / "hooks"
    program = here / "adapters" / "guard" / "__main__.py"
    stub = render((shipped / "guard").read_text(), python=Path(sys.executable), program=program)
    return Hooks(place, stub, environment, version=tuple(version) if version else None)


def guard_project(home: Home, place: Path, environment: Mapping[str, str], *, project: str) -> tuple[str, str]:
    """Make the repository around `place` know its project: (slug, prefix of its paths there). Idempotent.

    A submodule that is not enrolled itself belongs to the project that its superproject is in. Raises `Refused` where there
    is no project, or `project` is not one of this home.
    """
    from gitmaild.edges import hooks, worktree  # noqa: PLC0415

    found, known = worktree.find(place), registry(home)
    if project:
        path = Path(project).expanduser().resolve()
        named = known.projects.get(project) or (known.of_worktree(path) if path.is_dir() else None)
        if named is None:
            names_known = ", ".join(known.projects) or "none yet"
            raise refuse("no-project", f"no project {project!r}", f"run gitmaild init there (known: {names_known})")
        worktree.mark(found, home=home.path, project=named.slug)
        return named.slug, ""
    if own := known.of_repository(str(found.repository)):
        worktree.mark(found, home=home.path, project=own.slug)
        return own.slug, ""
    outer = found.top
    while above := hooks.superproject(outer, environment):
        outer = above.resolve()
        if enrolled := known.of_repository(str(worktree.find(outer).repository)):
            prefix = f"{found.top.relative_to(outer)}/"
            worktree.mark(found, home=home.path, project=enrolled.slug, prefix=prefix)
            return enrolled.slug, prefix
    raise refuse("no-project", f"{found.top} is in no project", "run gitmaild init there, or name its project")


def forget_prefix(place: Path) -> bool:
    """Take back what `guard_project` wrote into a submodule. True where there was something."""
    from gitmaild.edges import worktree  # noqa: PLC0415

    return worktree.unmark(worktree.find(place))
