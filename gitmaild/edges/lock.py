"""The single writer: one flock for a home, freed by death."""

import fcntl
import os
import socket
from pathlib import Path

from gitmaild.model.errors import MailError, Verdict


class Locked(MailError):
    """Another gitmaild writes this home."""

    code = "locked"
    verdict = Verdict.TEMPORARY


class Lock:
    """Held from `acquire` to `release`, or to the end of the process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1

    def acquire(self) -> None:
        """Raises `Locked`, naming the holder."""
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            raise Locked(f"another gitmaild ({self.holder() or 'unknown'}) holds {self.path}") from error
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"pid {os.getpid()}, host {socket.gethostname()}\n".encode(), 0)
        self._fd = fd

    def release(self) -> None:
        if self._fd >= 0:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = -1

    def holder(self) -> str:
        """What the last holder said of itself; it may be dead."""
        try:
            return self.path.read_text(errors="replace").strip()
        except OSError:
            return ""

    def is_held(self) -> bool:
        """True while some process, this one included, holds the lock."""
        if self._fd >= 0:
            return True
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(fd)
        return False
