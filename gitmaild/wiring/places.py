"""Where things are: the home, the registry, a desk root, the settings; and what a door may ask of the daemon by a file."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gitmaild.edges.deskroot import DeskRoot
from gitmaild.edges.home import Home
from gitmaild.model import names
from gitmaild.model.errors import MailError
from gitmaild.model.registry import Registry
from gitmaild.rules import roots as roots_file

if TYPE_CHECKING:
    from gitmaild.edges.supervisor import Supervisor
    from gitmaild.model.settings import Settings


REBUILD = "rebuild"
REBUILD_INDEX = "rebuild-index"


class NoHome(MailError):
    """Nothing has been set up yet."""

    code = "no-home"


def wall_clock() -> datetime:
    return datetime.now(UTC)


def uptime() -> float:
    """Seconds that never go back, and that a machine counts while it sleeps where it can."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


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


def open_root(path: Path, project: str, at_home: bool) -> DeskRoot:
    if at_home:
        (path / "agents" / "Overseer" / "outbox").mkdir(mode=0o700, parents=True, exist_ok=True)
    return DeskRoot(path, project, at_home=at_home)


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


def request(home: Home, name: str) -> None:
    """Ask the daemon, the running one or the next, for something that is not a command of an agent."""
    (home.state / name).touch()


def is_requested(home: Home, name: str) -> bool:
    return (home.state / name).exists()


def take_request(home: Home, name: str) -> bool:
    """True once for each time that a command left a request file in `state/`."""
    try:
        (home.state / name).unlink()
    except FileNotFoundError:
        return False
    return True


def supervisor(home: Home, environment: Mapping[str, str], *, launchd: bool, hardened: bool = False) -> "Supervisor":
    """Whoever runs the daemon for the user: launchd, or systemd. With `hardened`, only what is enrolled now is writable."""
    from gitmaild.edges.supervisor import Launchd, Systemd  # noqa: PLC0415

    if launchd:
        return Launchd(home.path, environment)
    places = [place for project in registry(home).projects.values() for place in project.worktrees] if hardened else []
    return Systemd(home.path, environment, hardened=hardened, writable=places)
