"""The mailbox's one branch: which commit it leads to, and how it moves.

It moves by compare-and-swap under git's own lock file, so a commit made by another program is noticed, never overwritten.
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from gitmaild.edges import disk
from gitmaild.edges.plumbing import Damaged
from gitmaild.model.errors import MailError, Verdict

MAIN = "refs/heads/main"

T = TypeVar("T")


class Stale(MailError):
    """The tip is not the one that a batch was planned on."""

    code = "stale"
    verdict = Verdict.TEMPORARY


class Main:
    def __init__(self, repository: Path) -> None:
        self._path, self._packed = repository / MAIN, repository / "packed-refs"
        self._lock = repository / f"{MAIN}.lock"
        self._left_lock = False

    def tip(self) -> str:
        """The commit that main leads to; '' for an empty mailbox. Raises `Damaged` for a ref that is not one."""
        try:
            text = self._path.read_text(errors="replace").strip()
        except FileNotFoundError:
            return self._packed_tip()
        return _checked(text, self._path)

    def _packed_tip(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            for line in self._packed.read_text(errors="replace").splitlines():
                oid, _, name = line.partition(" ")
                if name == MAIN:
                    return _checked(oid, self._packed)
        return ""

    def move(self, old: str, new: str, *, first: Callable[[], T]) -> T:
        """Main from `old` to `new`, and what `first` gave, which is done once main is known to be at `old`.

        Raises `Stale`, and OSError where the disk refuses: main is where it was, then.
        """
        if self._left_lock:
            self._lock.unlink(missing_ok=True)
            self._left_lock = False
        # Under git's own lock from here on: a push or an update-ref waits, or we find that it was first.
        fd = _create(self._lock)
        try:
            try:
                disk.write_all(fd, f"{new}\n".encode())
                disk.sync(fd)
            finally:
                os.close(fd)
            if self.tip() != old:
                raise Stale(f"main is at {self.tip()}, not at {old}")
            done = first()
            self._lock.rename(self._path)
            return done
        except BaseException:
            # A disk that refuses everything keeps the lock as well; the next attempt knows it for ours.
            self._left_lock = True
            with contextlib.suppress(OSError):
                self._lock.unlink()
                self._left_lock = False
            raise

    def secure(self) -> None:
        """Bring main, as it stands, to the disk: after a move, and for a tip whose writer died, or whose disk refused."""
        disk.sync_directory(self._path.parent)

    def set(self, oid: str) -> None:
        """Write main anew, for a ref that was found broken."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        disk.replace(self._path, f"{oid}\n".encode(), mode=0o644, durable=True)


def _checked(oid: str, source: Path) -> str:
    if len(oid) == 40 and all(c in "0123456789abcdef" for c in oid):
        return oid
    raise Damaged(f"{source} is not a ref: {oid[:60]!r}")


def _create(lock: Path) -> int:
    try:
        return os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError as error:
        raise Stale(f"{lock} is held by another program") from error
