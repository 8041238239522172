"""The directory of a search index: our own, closed to everybody else.

What lies in it is believed, and in Whoosh's case executed: its files are pickles. So it is never one that somebody else
made.
"""

import os
import shutil
import stat
from enum import Enum
from pathlib import Path

from gitmaild.edges import disk
from gitmaild.model.errors import MailError


class UntrustedIndex(MailError):
    """The index directory is a symlink, or belongs to somebody else: nothing in it is opened, and nothing removed."""

    code = "untrusted-index"


def prepare(directory: Path, *, make: bool) -> None:
    """Check the directory and the one above it; with `make`, create them and close them to others.

    Raises `UntrustedIndex`. A directory that is not there is left to whoever opens a file in it.
    """
    for path in (directory.parent, directory):
        if make:
            path.mkdir(mode=0o700, exist_ok=True)
        try:
            about = os.lstat(path)
        except FileNotFoundError:
            return
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid():
            raise UntrustedIndex(f"{path} is not a directory of this user: move it away, and the index is made anew")
    if stat.S_IMODE(about.st_mode) & 0o077:
        if not make:
            raise UntrustedIndex(f"{directory} is open to others: chmod 700 it")
        directory.chmod(0o700)


def remove(directory: Path) -> None:
    """Take the index away, whatever there is of it."""
    shutil.rmtree(directory, ignore_errors=True)


def size(directory: Path) -> int:
    """The bytes of all its files."""
    with os.scandir(directory) as entries:
        return sum(entry.stat().st_size for entry in entries if entry.is_file(follow_symlinks=False))


class SealState(Enum):
    OURS = "as it was left"
    UNSURE = "somebody died while writing, or the machine was started since"
    FOREIGN = "not as it was left"


class Seal:
    """Whether a file is as we left it, told by its length and its time. To be put anew whenever it was written to."""

    def __init__(self, path: Path, seal: Path) -> None:
        self._path, self._seal = path, seal

    def read(self) -> SealState:
        try:
            said, _, boot = self._seal.read_text("ascii").strip().rpartition(" ")
        except (OSError, ValueError):
            return SealState.FOREIGN
        if said == self._mark() and boot == disk.boot_id():
            return SealState.OURS
        return SealState.UNSURE if said == "writing" or (boot and boot != disk.boot_id()) else SealState.FOREIGN

    def doubt(self) -> None:
        """Say that the file is about to be written to."""
        self._store("writing")

    def put(self) -> None:
        self._store(self._mark())

    def _store(self, said: str) -> None:
        disk.replace(self._seal, f"{said} {disk.boot_id()}\n".encode())

    def _mark(self) -> str:
        about = os.stat(self._path)
        return f"{about.st_size} {about.st_mtime_ns}"
