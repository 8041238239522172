"""What is wrong right now, in words for a person. An alarm is raised by a key and cleared by it."""

import errno
from datetime import datetime

from gitmaild.model.ids import stamp


class Alarms:
    def __init__(self) -> None:
        self._raised: dict[str, tuple[str, str]] = {}

    def raise_(self, key: str, text: str, now: datetime) -> bool:
        """True where this is news."""
        before = self._raised.get(key)
        self._raised[key] = (text, before[1] if before and before[0] == text else stamp(now))
        return before is None or before[0] != text

    def clear(self, key: str) -> None:
        self._raised.pop(key, None)

    def set(self, key: str, text: str, now: datetime) -> None:
        """Raise where there is a text, clear where there is none."""
        if text:
            self.raise_(key, text, now)
        else:
            self.clear(key)

    def __contains__(self, key: str) -> bool:
        return key in self._raised

    def listed(self) -> list[dict[str, str]]:
        return [{"alarm": key, "text": text, "since": since} for key, (text, since) in sorted(self._raised.items())]


def describe(error: OSError) -> tuple[str, str]:
    """(alarm, text) for a disk that refuses."""
    texts = {
        errno.ENOSPC: ("disk-full", "no space, or no free inodes"),
        errno.EDQUOT: ("disk-full", "the quota is used up"),
        errno.EROFS: ("read-only", "the file system is read-only"),
        errno.EIO: ("disk-error", "the disk reports an input/output error"),
        errno.EMFILE: ("too-many-files", "too many open files"),
        errno.ENFILE: ("too-many-files", "too many open files on this machine"),
    }
    key, text = texts.get(error.errno or 0, ("disk-refuses", error.strerror or str(error)))
    where = f" ({error.filename!r})" if error.filename else ""
    return key, f"{text}{where}; mail waits and is tried again"
