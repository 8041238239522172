"""Repacking while mail goes on, so that the object store stays bounded.

`git repack -d --geometric=2` never drops an object that no ref leads to, and a pack that is being landed has a `.keep`:
so it is safe beside the writer. `repack -ad` and `gc --prune=now` are not (docs/decisions/0002).
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

_REPACK = ("repack", "-d", "--geometric=2", "--quiet")
_PATIENCE = 10.0  # seconds that a child has to end when it is asked to
_LAST_WORDS = 4096  # bytes of a failed child's errors that are worth an alarm
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
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._repository, self._pack_count, self._monotonic = repository, pack_count, monotonic
        self._packs, self._seconds = packs, seconds
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
                self._queue = [_REPACK, _GRAPH]
                self._begin(_REPACK)

    def _begin(self, arguments: tuple[str, ...]) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
        environment |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}
        try:
            self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - a pipe that nobody reads would stop a loud child
            self._child = subprocess.Popen(
                ["nice", "-n", "19", "git", f"--git-dir={self._repository}", "-c", "core.hooksPath=/dev/null", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                env=environment,
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
