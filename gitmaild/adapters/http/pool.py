"""The post office's calls wait for the disk; a bounded number of threads does the waiting."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from gitmaild.adapters.http.answers import Turned

T = TypeVar("T")
# So many calls may wait for a thread, for each that there is; more would wait too long to be of use.
_QUEUE = 32


class Pool:
    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="http")
        self._most, self._asked = threads * _QUEUE, 0

    async def run(self, work: Callable[[], T]) -> T:
        """Raises `Turned` where too many wait already."""
        if self._asked >= self._most:
            raise Turned(503, "busy", "too many calls wait already", "try again in a second", Retry_After="1")
        self._asked += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self._asked -= 1

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
