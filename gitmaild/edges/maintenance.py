"""Repacking while mail goes on, so that the object store stays bounded.

`git repack -d --geometric=2` never drops an object that no ref leads to, and a pack that is being landed has a `.keep`:
so it is safe beside the writer. `repack -ad` and `gc --prune=now` are not (docs/decisions/0002).
"""

import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from gitmaild.edges.plumbing import environment

_REPACK = ("repack", "-d", "--geometric=2", "--quiet")
_PATIENCE = 10.0  # seconds that a child has to end when it is asked to
_LAST_WORDS = 4096  # bytes of a failed child's errors that are worth an alarm
# Packs with this many objects are left as they are: git takes some 120 bytes of memory for each object that it packs anew,
# and a mailbox of any size must be repacked within what a daemon may use (docs/decisions/0002).
_FULL = 250_000
# How much of the packs git maps at a time: its own limits are for machines that do nothing else.
_THRIFT = ("core.packedGitWindowSize=1m", "core.packedGitLimit=8m", "core.deltaBaseCacheLimit=4m")
_GRAPH = ("commit-graph", "write", "--reachable", "--changed-paths", "--split")


class Maintenance:
    """Runs one git child at a time, at the lowest priority; `poll` never waits for it."""

    def __init__(
        self,
        repository: Path,
        pack_count: Callable[[], int],
        *,
        packs: int,
        seconds: float,
        full: int = _FULL,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._repository, self._pack_count, self._monotonic = repository, pack_count, monotonic
        self._packs, self._seconds, self._full = packs, seconds, full
        self._child: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None
        self._queue: list[tuple[str, ...]] = []
        self._next = 0.0
        self.failure = ""
        self.runs = 0

    def poll(self) -> None:
        """Reap the child that has ended, begin the next one, or see whether it is time."""
        if self._child is not None:
            code = self._child.poll()
            if code is None:
                return
            error = self._close()
            self.failure = f"git {self._queue[0][0]}: {error or f'exit {code}'}" if code else ""
            self._queue = [] if code else self._queue[1:]
            self.runs += 1
        if self._queue:
            self._begin(self._queue[0])
        elif self._monotonic() >= self._next:
            self._next = self._monotonic() + self._seconds
            if self._pack_count() >= self._packs:
                self._queue = [(*_REPACK, *self._full_packs()), _GRAPH]
                self._begin(self._queue[0])

    def _full_packs(self) -> list[str]:
        """Options that keep git from packing its largest packs anew."""
        found = sorted((self._repository / "objects" / "pack").glob("pack-*.idx"))
        return [f"--keep-pack={path.stem}.pack" for path in found if object_count(path) >= self._full]

    def _begin(self, arguments: tuple[str, ...]) -> None:
        try:
            self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - a pipe that nobody reads would stop a loud child
            settings = [word for setting in ("core.hooksPath=/dev/null", *_THRIFT) for word in ("-c", setting)]
            self._child = subprocess.Popen(
                ["nice", "-n", "19", "git", f"--git-dir={self._repository}", *settings, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                env=environment(),
            )
        except OSError as error:
            self._close()
            self.failure, self._queue = f"git {arguments[0]}: {error}", []

    def finish(self) -> None:
        """Wait for what runs, and do what is queued: for `--once` and for tests."""
        while self._child is not None or self._queue:
            if self._child is not None:
                self._child.wait()
            self.poll()

    def stop(self) -> None:
        """End the child, if one runs; what it had begun is removed at the next start."""
        if self._child is not None:
            self._child.terminate()
            try:
                self._child.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
            self._close()
        self._queue = []

    def _close(self) -> str:
        """Let go of a child that has ended; what it said last."""
        said = b""
        if self._errors is not None:
            self._errors.seek(max(self._errors.tell() - _LAST_WORDS, 0))
            said = self._errors.read()
            self._errors.close()
        self._child = self._errors = None
        return said.decode(errors="replace").strip()


def object_count(index: Path) -> int:
    """How many objects a pack has, by the last entry of its index's fan-out table (gitformat-pack(5)); 0 if it is gone."""
    try:
        with open(index, "rb") as file:
            file.seek(8 + 255 * 4)
            return int.from_bytes(file.read(4))
    except FileNotFoundError:
        return 0
