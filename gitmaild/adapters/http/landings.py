"""The daemon's bell, heard on the event loop."""

import asyncio
import contextlib
from collections.abc import Iterator

from gitmaild.app.bell import Bell

# Where no bell is rung, because the daemon is another process, somebody looks so often.
_LOOK_SECONDS = 0.25


class Landings:
    """`number` grows with each landing. For the event loop alone, `follow` and `ended` aside."""

    def __init__(self, bell: Bell | None) -> None:
        self._bell, self._event = bell, asyncio.Event()
        self.number, self.is_over = 0, False

    @contextlib.contextmanager
    def following(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()

        def rung() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
                loop.call_soon_threadsafe(self.ring)

        leave = self._bell.follow(rung) if self._bell else lambda: None
        try:
            yield
        finally:
            leave()
            self.end()

    def ring(self) -> None:
        self.number += 1
        self._event.set()
        self._event = asyncio.Event()

    def end(self) -> None:
        """Nobody waits any more."""
        self.is_over = True
        self.ring()

    async def after(self, number: int, seconds: float) -> bool:
        """Wait until there was another landing than the `number`th; False where there was none in time."""
        if self.number != number:
            return True
        seconds = seconds if self._bell else min(seconds, _LOOK_SECONDS)
        try:
            await asyncio.wait_for(self._event.wait(), seconds)
        except TimeoutError:
            return self._bell is None
        return True
