"""A fuse in the system calls that change a disk: the n-th one kills the daemon, or is refused."""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_CALLS = ("write", "fsync", "rename", "replace", "link", "unlink", "mkdir", "utime")


class Blown(BaseException):
    """The process is dead. Not an Exception: no handler may live on."""


class Fuse:
    """Counts calls, from several threads; at the n-th it blows.

    A kill stays a kill: whatever cleaning up the dying code tries afterwards fails as well, as it would for a dead process.
    A write that is killed leaves half of its bytes behind. An error comes for `length` calls.
    """

    def __init__(self, at: int, error: int = 0, length: int = 1 << 30) -> None:
        self.at, self.error, self.length = at, error, length
        self.count = 0
        self.blown = False
        self._lock = threading.Lock()

    def pass_through(self, name: str, call: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        with self._lock:
            number, self.count = self.count, self.count + 1
            blows = self.at <= number < self.at + self.length
            first, self.blown = blows and not self.blown, self.blown or blows
        if not blows:
            return call(*arguments, **keywords)
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        if first and name == "write":
            call(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
        raise Blown(f"{name} {number}")

    @contextmanager
    def in_place(self) -> Iterator["Fuse"]:
        """Replace the calls for as long as the block lasts."""
        with pytest.MonkeyPatch.context() as patch:
            for name in _CALLS:
                patch.setattr(os, name, self._wrapped(name, getattr(os, name)))
            patch.setattr(Path, "write_bytes", self._wrapped("write_bytes", Path.write_bytes))
            patch.setattr(os, "open", self._wrapped_open(os.open))
            yield self

    def _wrapped(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments, **keywords: self.pass_through(name, call, arguments, keywords)

    def _wrapped_open(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """An open counts where it makes a file, and, for a process that may open no more, always."""

        def opened(path: Any, flags: int, *arguments: Any, **keywords: Any) -> Any:
            if flags & os.O_CREAT or self.error == errno.EMFILE:
                return self.pass_through("open", call, (path, flags, *arguments), keywords)
            return call(path, flags, *arguments, **keywords)

        return opened
