"""The home directory: where everything is, and the files that only gitmaild writes."""

import contextlib
import errno
import fcntl
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gitmaild.edges import disk
from gitmaild.model.errors import MailError
from gitmaild.model.ids import parse_stamp

_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "ceph"})


# A dot name: beside it lie directories that are named after projects.
_CHECKPOINT = ".checkpoint"
# What begins a line about a page instead of a message.
_SHOWN = "page"


class NetworkFileSystem(MailError):
    code = "network-file-system"


def file_system(path: Path, mounts: str) -> str:
    """The type of the file system that `path` lies on, by the text of /proc/self/mounts; '' where that does not say."""
    best, kind = "", ""
    for line in mounts.splitlines():
        words = line.split(" ")
        if len(words) < 3:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), words[1])
        inside = str(path) == point or str(path).startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, words[2]
    return kind


def _mounts() -> str:
    try:
        return Path("/proc/self/mounts").read_text(errors="replace")
    except OSError:
        return ""


class Home:
    """Paths of one home, and its small state files. All of `state/` is derived or ephemeral."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mailbox = path / "mailbox.git"
        self.state = path / "state"
        self.post = path / "post"
        self.indexes = path / "index"
        self.roots = path / "roots.yaml"
        self.config = path / "config.yaml"
        self.lock = self.state / "lock"
        self.marks = self.state / "reflogs"

    def make(self) -> None:
        """Create what is missing, for its owner alone."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)
        for path in (self.state, self.post):
            path.mkdir(mode=0o700, exist_ok=True)

    def check_file_system(self, *, allow_network: bool) -> None:
        """Refuse a home on a network file system, where locks and renames promise less. Raises `NetworkFileSystem`."""
        kind = file_system(self.path.resolve(), _mounts())
        if kind in _NETWORK and not allow_network:
            raise NetworkFileSystem(
                f"{self.path} is on {kind}: locks and fsync are not to be trusted there; "
                "move the home to a local disk, or set allow_network_fs: true"
            )

    def exists(self) -> bool:
        return (self.mailbox / "HEAD").exists()

    def registry(self) -> bytes:
        """The bytes of roots.yaml, b"" where there is none."""
        try:
            return self.roots.read_bytes()
        except FileNotFoundError:
            return b""

    def change_registry(self, change: Callable[[bytes], bytes]) -> None:
        """Rewrite roots.yaml, one writer at a time."""
        with flock(self.state / "roots.lock"):
            before = self.registry()
            after = change(before)
            if after != before:
                disk.replace(self.roots, after, durable=True)

    def tip(self) -> str:
        """The last tip that this home's daemon knew, or ''."""
        return self._line("tip")

    def set_tip(self, oid: str) -> None:
        disk.replace(self.state / "tip", f"{oid}\n".encode())

    def _line(self, name: str) -> str:
        try:
            text = (self.state / name).read_text(errors="replace").strip()
        except FileNotFoundError:
            return ""
        return text if len(text) == 40 and all(c in "0123456789abcdef" for c in text) else ""

    def load(self, name: str) -> dict[str, Any]:
        """A JSON state file, {} where it is missing or damaged: all of them can be done without."""
        try:
            loaded = json.loads((self.state / name).read_bytes())
        except (OSError, ValueError):
            return {}
        return loaded if isinstance(loaded, dict) else {}

    def store(self, name: str, value: dict[str, Any]) -> None:
        """Write a JSON state file. A full disk has no room for a draft, and is worth reporting: then over the old bytes."""
        data = json.dumps(value, indent=1).encode()
        try:
            disk.replace(self.state / name, data)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            disk.overwrite(self.state / name, data)


class ThreadIndex:
    """Which messages a thread has, in the order they came: one file a thread below `state/threads/`, one line a message.

    A fold over commits like the mirrors, with its own checkpoint; lines that a replay adds again are dropped on reading. A
    line `page` says what the thread's page was when it was last written.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def checkpoint(self) -> str:
        try:
            return disk.parse_checkpoint((self._directory / _CHECKPOINT).read_bytes())
        except FileNotFoundError:
            return ""

    def set_checkpoint(self, oid: str) -> None:
        self._directory.mkdir(exist_ok=True)
        disk.replace(self._directory / _CHECKPOINT, disk.checkpoint_text(oid))

    def clear(self) -> None:
        """Forget everything, before a rebuild."""
        for where, _, names in os.walk(self._directory, topdown=False):
            for name in names:
                os.unlink(os.path.join(where, name))
            os.rmdir(where)

    def add(self, project: str, thread: str, rows: list[tuple[str, str, str]]) -> None:
        """Append (created, message id, blob id) rows to the thread whose page is called `thread`."""
        # So that `newest` is the same after a rebuild.
        last = int(parse_stamp(rows[-1][0]).timestamp() * 1e9)
        self._append(project, thread, [f"{created} {an_id} {oid}" for created, an_id, oid in rows], last)

    def _append(self, project: str, thread: str, lines: list[str], mtime_ns: int = 0) -> None:
        directory = self._directory / project
        directory.mkdir(parents=True, exist_ok=True)
        fd = os.open(directory / thread, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            mtime_ns = mtime_ns or os.fstat(fd).st_mtime_ns
            # The line feed goes first: what is appended after a line that a full disk or a kill cut short stands by itself.
            disk.write_all(fd, "".join(f"\n{line}" for line in lines).encode())
            os.utime(fd, ns=(mtime_ns, mtime_ns))
        finally:
            os.close(fd)

    def rows(self, project: str, thread: str) -> list[tuple[str, str, str]]:
        """The rows of a thread, oldest first, each message once. A torn line is left out."""
        found: dict[str, tuple[str, str, str]] = {}
        for words in self._lines(project, thread):
            if len(words) == 3 and len(words[2]) == 40:
                found[words[1]] = (words[0], words[1], words[2])
        return sorted(found.values())

    def shown(self, project: str, thread: str) -> tuple[str, int]:
        """(digest of the thread's page as it was last written, how many messages it counts), ('', 0) where none was."""
        for words in reversed(self._lines(project, thread)):
            if len(words) == 3 and words[0] == _SHOWN and len(words[1]) == 32 and words[2].isdecimal():
                return words[1], int(words[2])
        return "", 0

    def set_shown(self, project: str, thread: str, digest: str, total: int) -> None:
        self._append(project, thread, [f"{_SHOWN} {digest} {total}"])

    def _lines(self, project: str, thread: str) -> list[list[str]]:
        try:
            text = (self._directory / project / thread).read_text(errors="replace")
        except FileNotFoundError:
            return []
        return [line.split(" ") for line in text.splitlines()]

    def newest(self, project: str, count: int) -> list[str]:
        """The pages' names of the threads that were written to last, newest first."""
        try:
            with os.scandir(self._directory / project) as entries:
                found = sorted(((e.stat().st_mtime_ns, e.name) for e in entries), reverse=True)
        except FileNotFoundError:
            return []
        return [name for _, name in found[:count]]


class LeaseViews:
    """One file a project in `state/leases/`: what guards read (`model.leaseview`). Its mtime says when it was last true."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, project: str, data: bytes) -> None:
        self._directory.mkdir(exist_ok=True)
        disk.replace(self._directory / project, data, mode=0o644)

    def touch(self, mtime_ns: int) -> None:
        """Vouch for every view as it stands."""
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(self._directory):
                if not name.startswith("."):
                    os.utime(self._directory / name, ns=(mtime_ns, mtime_ns))


@contextlib.contextmanager
def flock(path: Path) -> Iterator[None]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
