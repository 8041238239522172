"""The single writer: one flock for a home, freed by death."""

import contextlib
import fcntl
import os
import time
from pathlib import Path

from gitmaild.model.errors import MailError, Verdict

# Whoever asks `is_held` has the lock for an instant; an owner tries again rather than take that for another owner.
_TRIES, _PAUSE = 5, 0.002


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
        for left in reversed(range(_TRIES)):
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if left:
                    time.sleep(_PAUSE)
                    continue
                os.close(fd)
                raise Locked(f"another gitmaild ({self.holder() or 'unknown'}) holds {self.path}") from error
        self._fd = fd
        with contextlib.suppress(OSError):  # on a full disk it is held without a name
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"pid {os.getpid()}, host {os.uname().nodename}\n".encode(), 0)

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
            # For reading: a sandbox may look at a home that it cannot write.
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(fd)
        return False
