"""Directory descriptors: how every file below a worktree is opened, made, moved and removed.

Agents own their desks and may put anything there. So no path is ever handed to the kernel whole: each component is opened
from its parent's descriptor with O_NOFOLLOW, and a component that is a symlink, or that has another owner or device than
the root, stops with `Untrusted`. What was opened stays the directory that was checked, whatever happens to its name.
"""

import contextlib
import errno
import functools
import itertools
import os
import stat
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from gitmaild.model.errors import MailError, Verdict

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | getattr(os, "O_NOCTTY", 0)
# Directories of one root kept open between two `forget`s.
_KEPT_OPEN = 64
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Untrusted(MailError):
    """A component of a desk is a symlink, or belongs to somebody else, or lies on another device."""

    code = "untrusted-desk"


class RootGone(MailError):
    """The root is not there, or is not the directory that was registered."""

    code = "root-gone"
    verdict = Verdict.TEMPORARY


class Root:
    """A directory from which all walks start, held open. Not safe for use by two threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.fd = os.open(path, _DIRECTORY)
        except FileNotFoundError as error:
            raise RootGone(f"{path} is not there") from error
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENOTDIR):
                raise Untrusted(f"{path} is not a directory of its own (a symlink or a file)") from error
            raise
        about = os.fstat(self.fd)
        self.device, self.owner, self.inode = about.st_dev, about.st_uid, about.st_ino
        self._open: OrderedDict[str, int] = OrderedDict()

    def close(self) -> None:
        self.forget()
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def forget(self) -> None:
        """Close every directory that was walked to, so that the next walk sees names as they are now."""
        for fd in self._open.values():
            os.close(fd)
        self._open.clear()

    def is_current(self) -> bool:
        """True while the path still leads to the directory that was opened."""
        try:
            about = os.stat(self.path, follow_symlinks=False)
        except OSError:
            return False
        return (about.st_dev, about.st_ino) == (self.device, self.inode)

    def directory(self, path: str, *, make: bool = False) -> int:
        """A descriptor of the directory at `path` below the root; kept open until `forget`.

        With `make`, missing components are created with mode 0755. Raises FileNotFoundError without, `Untrusted` for a
        component that must not be followed.
        """
        if path in ("", "."):
            return self.fd
        if path in self._open:
            self._open.move_to_end(path)
            return self._open[path]
        parent, _, name = path.rpartition("/")
        fd = self._step(self.directory(parent, make=make), name, path, make=make)
        self._open[path] = fd
        if len(self._open) > _KEPT_OPEN:
            # The least recently used; the few that one operation holds at a time were used just now.
            os.close(self._open.popitem(last=False)[1])
        return fd

    def _step(self, above: int, name: str, path: str, *, make: bool) -> int:
        while True:
            try:
                fd = os.open(name, _DIRECTORY, dir_fd=above)
                break
            except FileNotFoundError:
                if not make:
                    raise
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o755, dir_fd=above)
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.ENOTDIR):
                    raise Untrusted(f"{self.path}/{path} is not a directory of its own (a symlink or a file)") from error
                raise
        about = os.fstat(fd)
        if about.st_dev != self.device or about.st_uid != self.owner:
            os.close(fd)
            raise Untrusted(f"{self.path}/{path} has another owner or lies on another device than its root")
        return fd

    def exists(self, path: str) -> bool:
        """True where `path` is there as anything, a dangling symlink included."""
        return self.stat(path) is not None

    def stat(self, path: str) -> os.stat_result | None:
        parent, _, name = path.rpartition("/")
        try:
            return os.stat(name, dir_fd=self.directory(parent), follow_symlinks=False)
        except FileNotFoundError:
            return None

    def names(self, path: str) -> list[str]:
        """The names in a directory, in no order; [] where it is missing."""
        try:
            return os.listdir(self.directory(path))
        except FileNotFoundError:
            return []

    def scan(self, path: str) -> Iterator[os.DirEntry[str]]:
        """The entries of a directory, with `lstat` at hand."""
        try:
            fd = self.directory(path)
        except FileNotFoundError:
            return
        with os.scandir(fd) as entries:
            yield from entries

    def open_regular(self, path: str) -> tuple[int, os.stat_result]:
        """Open a file for reading without following, blocking or trusting: (descriptor, its fstat).

        A FIFO or a device opens at once and is for the caller to refuse by its mode. Raises OSError: ELOOP for a symlink,
        ENXIO for a socket.
        """
        parent, _, name = path.rpartition("/")
        fd = os.open(name, _READ, dir_fd=self.directory(parent))
        return fd, os.fstat(fd)

    def read(self, path: str, *, limit: int = 1 << 30) -> bytes | None:
        """The bytes of a regular file, or None where there is none or it is longer than `limit`."""
        try:
            fd, about = self.open_regular(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO):
                return None
            raise
        try:
            if not stat.S_ISREG(about.st_mode) or about.st_size > limit:
                return None
            return read_all(fd, about.st_size)
        finally:
            os.close(fd)

    def put(self, path: str, data: bytes, *, mode: int = 0o444, mtime_ns: int | None = None) -> None:
        """Make `data` appear at `path` whole, or not at all, replacing what is there.

        The draft is a dot name in the same directory, since a rename is atomic only inside one file system. Not fsynced:
        a mirror is derived, and is rebuilt after a power cut.
        """
        parent, _, name = path.rpartition("/")
        directory = self.directory(parent, make=True)
        draft = b".%s.tmp" % os.fsencode(name)[-200:]
        try:
            fd = os.open(draft, _CREATE, mode, dir_fd=directory)
        except FileExistsError:  # a draft that a killed writer left
            _clear(directory, draft)
            fd = os.open(draft, _CREATE, mode, dir_fd=directory)
        try:
            try:
                write_all(fd, data)
                if mtime_ns is not None:
                    os.utime(fd, ns=(mtime_ns, mtime_ns))
            finally:
                os.close(fd)
            _rename(draft, name, directory, directory)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(draft, dir_fd=directory)
            raise

    def touch(self, path: str, mtime_ns: int) -> None:
        """Set a file's mtime, where that says more than it does now."""
        parent, _, name = path.rpartition("/")
        with contextlib.suppress(FileNotFoundError):
            os.utime(name, ns=(mtime_ns, mtime_ns), dir_fd=self.directory(parent), follow_symlinks=False)

    def move(self, source: str, target: str) -> bool:
        """Rename inside the root; False where the source is gone."""
        above, _, name = source.rpartition("/")
        below, _, new = target.rpartition("/")
        # The target's directory may be made by this walk, so it is opened first: it may close others.
        destination = self.directory(below, make=True)
        try:
            _rename(name, new, self.directory(above), destination)
        except FileNotFoundError:
            return False
        return True

    def remove(self, path: str) -> None:
        """Unlink a file; no matter if it is gone. A directory that was put in its place is kept as `.orig`."""
        parent, _, name = path.rpartition("/")
        with contextlib.suppress(FileNotFoundError):
            _clear(self.directory(parent), name)


def _rename(name: str | bytes, new: str, source: int, target: int) -> None:
    """Rename over whatever is there: an agent that puts a directory where a file belongs must not stop its root."""
    try:
        os.rename(name, new, src_dir_fd=source, dst_dir_fd=target)
    except OSError as error:
        if error.errno not in (errno.EISDIR, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST):
            raise
        _clear(target, new)
        os.rename(name, new, src_dir_fd=source, dst_dir_fd=target)


def _clear(directory: int, name: str | bytes) -> None:
    """Unlink a name. A directory with something in it is somebody's: it is moved aside."""
    if not stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=directory)
        return
    try:
        os.rmdir(name, dir_fd=directory)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        raw = os.fsencode(name)[:200]
        aside = next(a for a in (b"%s.%d.orig" % (raw, n) for n in itertools.count()) if not _is_there(directory, a))
        os.rename(name, aside, src_dir_fd=directory, dst_dir_fd=directory)


def _is_there(directory: int, name: bytes) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def read_all(fd: int, size: int) -> bytes:
    """Up to `size` bytes and one more, so that a file that grew since its fstat can be told."""
    chunks: list[bytes] = []
    left = size + 1
    while left > 0:
        chunk = os.read(fd, left)
        if not chunk:
            break
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)


def replace(path: Path, data: bytes, *, mode: int = 0o600, durable: bool = False) -> None:
    """Write a file of the home whole, or not at all; with `durable`, it is on the disk when this returns."""
    draft = path.with_name(f".{path.name}.tmp")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        write_all(fd, data)
        if durable:
            sync(fd)
    finally:
        os.close(fd)
    os.replace(draft, path)
    if durable:
        sync_directory(path.parent)


def overwrite(path: Path, data: bytes) -> None:
    """Write over a file where it lies, which needs room only where it grows. A reader may see half of it."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        write_all(fd, data)
        os.ftruncate(fd, len(data))
    finally:
        os.close(fd)


def read_below(directory: Path, name: str, *, limit: int) -> bytes:
    """A plain file below a directory that is somebody else's; b"" for what is none, is too long, or cannot be read."""
    try:
        root = Root(directory)
    except (MailError, OSError, ValueError):  # no path holds a NUL
        return b""
    try:
        return root.read(name, limit=limit) or b""
    except (MailError, OSError, ValueError):
        return b""
    finally:
        root.close()


@functools.cache
def boot_id() -> str:
    """What distinguishes this boot of the machine from every other, or '' where the system does not say.

    A checkpoint of an earlier boot may have outlived what it vouches for: derived files are not fsynced, so after a power
    cut they may be torn although the checkpoint's own rename reached the disk.
    """
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def checkpoint_text(oid: str) -> bytes:
    return f"{oid} {boot_id()}".rstrip().encode() + b"\n"


def parse_checkpoint(data: bytes) -> str:
    """The commit of a checkpoint that was written in this boot, or ''."""
    oid, _, boot = data.decode("ascii", "replace").strip().partition(" ")
    valid = len(oid) == 40 and all(c in "0123456789abcdef" for c in oid)
    return oid if valid and boot == boot_id() else ""


def sync(fd: int) -> None:
    """Bring a descriptor's data to the disk itself: F_FULLFSYNC where fsync stops at the drive's cache."""
    try:
        import fcntl  # noqa: PLC0415

        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)  # type: ignore[attr-defined]
    except (AttributeError, ImportError):
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.ENOTSUP, errno.EINVAL):
            raise
        os.fsync(fd)


def sync_directory(path: Path | str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync(fd)
    finally:
        os.close(fd)
