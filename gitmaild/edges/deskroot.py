"""One desk root: `.gitmaild/` of a worktree, or `post/<project>/` of the home.

Outboxes are read and claimed here, mirrors are written here. Everything goes through `disk.Root`, so nothing that an agent
puts below its desk is followed.
"""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from gitmaild.edges.disk import Root, checkpoint_text, parse_checkpoint, read_all
from gitmaild.model.drop import Claim, Dropped, Waiting, is_drop, parse_claim
from gitmaild.model.errors import MailError, Refused, refuse
from gitmaild.model.glob import LONGEST
from gitmaild.model.layout import FOLDERS
from gitmaild.model.names import OVERSEER, RESERVED

CHECKPOINT = ".checkpoint"
MADE = (*FOLDERS, "sent", "rejected", "outbox")
# What opening an attachment says of the attachment; every other error is of the machine.
_NOT_A_FILE = frozenset({errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG})
# Over these, a look takes the oldest and leaves the rest to the next one.
_LOOK_AT_ONCE = 20_000


class DeskRoot:
    """Raises `RootGone` and `Untrusted` from any method; OSError where the disk refuses."""

    def __init__(self, path: Path, project: str, *, at_home: bool) -> None:
        self.path, self.project, self.at_home = path, project, at_home
        self.key = str(path)
        self._root = Root(path)

    def close(self) -> None:
        self._root.close()

    def is_current(self) -> bool:
        return self._root.is_current()

    def forget(self) -> None:
        """Let go of directories that were walked to; done between passes, so that names are walked afresh."""
        self._root.forget()

    # --- desks

    def desks(self) -> list[str]:
        """The directories in `agents/`, whatever their names: who may own a desk is decided when a file is dropped.

        The Overseer's desk is in the home alone, and Postmaster has none.
        """
        return [name for name in self._directories() if name not in RESERVED or (self.at_home and name == OVERSEER)]

    def forged(self) -> list[str]:
        """Desks of reserved names in a worktree: ignored, with an alarm."""
        return [name for name in self._directories() if name in RESERVED and not (self.at_home and name == OVERSEER)]

    def _directories(self) -> list[str]:
        # A symlink counts, and is then not followed: it stops the root. Files and sockets are litter.
        return sorted(
            entry.name
            for entry in self._root.scan("agents")
            if not entry.name.startswith(".") and (entry.is_symlink() or entry.is_dir(follow_symlinks=False))
        )

    def has_desk(self, agent: str) -> bool:
        about = self._root.stat(f"agents/{agent}")
        return about is not None and stat.S_ISDIR(about.st_mode)

    def make_desk(self, agent: str) -> None:
        for name in MADE:
            self._root.directory(f"agents/{agent}/{name}", make=True)

    def watched(self) -> list[Path]:
        """The directories where something may arrive: what is worth a hint."""
        found = [self.path / "agents"]
        for agent in self._directories():
            found += [self.path / "agents" / agent / name for name in ("", "outbox", "read", "acked")]
        return found

    def in_worktree(self, path: str) -> str:
        """`file` or `directory` where `path`, as it stands, is something in the worktree that this root belongs to, else ''.

        Nothing is followed: a symlink is a file.
        """
        parts = path.split("/")
        if self.at_home or any(part in ("", ".", "..") for part in parts) or "\0" in path or len(path) > LONGEST:
            return ""
        try:
            worktree = Root(self.path.parent)
        except MailError:
            return ""
        try:
            about = worktree.stat(path)
            return "" if about is None else "directory" if stat.S_ISDIR(about.st_mode) else "file"
        except (MailError, OSError):
            return ""
        finally:
            worktree.close()

    # --- the outbox

    def waiting(self, agent: str) -> list[Waiting]:
        """What asks to be taken, oldest first."""
        found = []
        for entry in self._root.scan(f"agents/{agent}/outbox"):
            if is_drop(entry.name):
                try:
                    about = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                regular = stat.S_ISREG(about.st_mode)
                found.append(Waiting(entry.name, about.st_ino, about.st_size, about.st_mtime_ns, regular))
        found.sort(key=lambda w: (w.mtime_ns, w.name))
        return found[:_LOOK_AT_ONCE]

    def peek(self, agent: str, name: str, limit: int) -> bytes:
        """The bytes of a waiting file as they are now; b"" where it cannot be read. Decides nothing but readiness."""
        try:
            return self._root.read(f"agents/{agent}/outbox/{name}", limit=limit) or b""
        except OSError:
            return b""

    def claims(self, agent: str) -> list[Claim]:
        names = sorted(self._root.names(f"agents/{agent}/outbox/.claimed"))
        return [claim for name in names if (claim := parse_claim(self.key, agent, name))]

    def claim(self, claim: Claim, name: str) -> bool:
        """Take a waiting file by renaming it; False where it is gone, or is a directory that its mode nails down."""
        outbox = f"agents/{claim.agent}/outbox"
        try:
            return self._root.move(f"{outbox}/{name}", f"{outbox}/.claimed/{claim.file}")
        except PermissionError:
            about = self._root.stat(f"{outbox}/{name}")
            if about is None or stat.S_ISDIR(about.st_mode):
                return False
            raise

    def reclaim(self, claim: Claim, new: Claim) -> bool:
        """Give a claimed file another id, by one rename; False where it is gone."""
        return self._root.move(self._claimed(claim), self._claimed(new))

    def take(self, claim: Claim, limit: int) -> Dropped:
        """Read a claimed file through one descriptor: what was checked is what is read.

        Raises `Refused` for anything but one plain file of its owner within `limit`; FileNotFoundError where it is gone.
        """
        path = f"{self._claimed(claim)}"
        try:
            fd, about = self._root.open_regular(path)
        except PermissionError:
            raise refuse("unreadable", "the file cannot be read", "chmod u+r the file and drop it again") from None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO):
                raise _irregular("symlink" if error.errno == errno.ELOOP else "socket") from None
            raise
        try:
            _check(about, self._root.owner, limit)
            data = read_all(fd, about.st_size)
        finally:
            os.close(fd)
        if not claim.name.isprintable():  # bytes that are not UTF-8 are not, either
            raise refuse("bad-file-name", "the file's name is not printable UTF-8", "use letters, digits, dot and dash")
        return Dropped(data, about.st_size, about.st_mtime_ns)

    def attachment(self, agent: str, name: str, limit: int) -> bytes:
        """The bytes of `outbox/files/<name>`. Raises `Refused`."""
        path = f"agents/{agent}/outbox/files/{name}"
        try:
            fd, about = self._root.open_regular(path)
        except OSError as error:
            if error.errno not in _NOT_A_FILE:
                raise  # the disk's fault, not the sender's
            raise refuse(
                "no-attachment",
                f"attachments: outbox/files/{name} cannot be read ({os.strerror(error.errno or 0)})",
                "put the file there before you drop the message",
                field="attachments",
            ) from None
        try:
            _check(about, self._root.owner, limit)
            return read_all(fd, about.st_size)
        finally:
            os.close(fd)

    def attachment_done(self, agent: str, name: str, taken: bytes) -> None:
        """Let an attachment go, unless its agent has put other bytes than `taken` there since."""
        path = f"agents/{agent}/outbox/files/{name}"
        if self._root.read(path, limit=len(taken)) == taken:
            self._root.remove(path)

    def done(self, claim: Claim, dropped: Dropped | None) -> bool:
        """Let a claimed file go; False, and it stays, where its bytes changed after it was taken."""
        path = self._claimed(claim)
        about = self._root.stat(path)
        if about and dropped and (about.st_size, about.st_mtime_ns) != (dropped.size, dropped.mtime_ns):
            return False
        self._root.remove(path)
        return True

    def reject(self, claim: Claim, why: bytes) -> str:
        """Move a claimed file to `rejected/`, its bytes unchanged, with its reason beside it; the name it has there.

        The reason is written first: where the move is cut short, both are done again.
        """
        rejected = f"agents/{claim.agent}/rejected"
        name = claim.name
        # The reason of `x.md` must not fall on a file that was dropped as `x.md.why.md`, which has a reason of its own.
        if self._root.exists(f"{rejected}/{name}") or self._root.exists(f"{rejected}/{name}.why.md.why.md"):
            stem, dot, ending = name.rpartition(".")
            name = f"{stem}.{claim.id[-8:]}{dot}{ending}"
        self._root.put(f"{rejected}/{name}.why.md", why, mode=0o644)
        self._root.move(self._claimed(claim), f"{rejected}/{name}")
        return name

    def _claimed(self, claim: Claim) -> str:
        return f"agents/{claim.agent}/outbox/.claimed/{claim.file}"

    # --- the mirror

    def checkpoint(self) -> str:
        """The commit that this mirror shows, or '' where it must be made from nothing."""
        return parse_checkpoint(self._root.read(CHECKPOINT, limit=200) or b"")

    def set_checkpoint(self, oid: str) -> None:
        self._root.put(CHECKPOINT, checkpoint_text(oid), mode=0o644)

    def put(self, path: str, data: bytes, *, mtime_ns: int | None = None, mode: int = 0o444) -> None:
        self._root.put(path, data, mtime_ns=mtime_ns, mode=mode)

    def touch(self, path: str, mtime_ns: int) -> None:
        self._root.touch(path, mtime_ns)

    def move(self, source: str, target: str) -> bool:
        return self._root.move(source, target)

    def remove(self, path: str) -> None:
        self._root.remove(path)

    def read(self, path: str, *, limit: int = 1 << 30) -> bytes | None:
        return self._root.read(path, limit=limit)

    def exists(self, path: str) -> bool:
        return self._root.exists(path)

    def names(self, path: str) -> list[str]:
        return self._root.names(path)

    def changed(self, path: str) -> int:
        """A directory's mtime in nanoseconds, 0 where there is none: unequal means that a name came or went."""
        about = self._root.stat(path)
        return about.st_mtime_ns if about else 0

    def entries(self, path: str) -> Iterator[tuple[str, int, int]]:
        """(name, size, mtime in nanoseconds) of what is in a directory; a size of -1 for what is not a plain file."""
        for entry in self._root.scan(path):
            try:
                about = entry.stat(follow_symlinks=False)
            except FileNotFoundError:  # moved away while we look
                continue
            yield entry.name, about.st_size if stat.S_ISREG(about.st_mode) else -1, about.st_mtime_ns


def _check(about: os.stat_result, owner: int, limit: int) -> None:
    """Refuse what is not one plain file of the desk's owner, before a byte of it is read."""
    if not stat.S_ISREG(about.st_mode):
        kind = "directory" if stat.S_ISDIR(about.st_mode) else "FIFO" if stat.S_ISFIFO(about.st_mode) else "device"
        raise _irregular(kind)
    if about.st_nlink > 1:
        raise refuse("hard-link", f"the file has {about.st_nlink} hard links", "write a fresh file")
    if about.st_uid != owner:
        raise refuse("other-owner", "the file belongs to somebody else than the desk", "write it as the desk's owner")
    if about.st_size > limit:
        raise refuse("too-large", f"{about.st_size} bytes; limit {limit}", "send less text, or attach files")


def _irregular(kind: str) -> Refused:
    return refuse("not-a-file", f"not a regular file: {kind}", "write a plain file into the outbox")
