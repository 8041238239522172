"""Between the daemon and who is in its process: a drop is told to it at once, an answer and new commits are told by it.

Everything that is told here can be found on the disk as well, so a bell that is not rung costs time, and nothing else.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from gitmaild.model.drop import Hint

_Place = tuple[str, str, str]  # desk root, agent, name of the dropped file


class Bell:
    """Rung by the daemon's thread, heard by any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[_Place, threading.Event] = {}
        self._followers: list[Callable[[], None]] = []
        self._hint: Callable[[Iterable[Hint]], None] = lambda hints: None

    # --- the daemon's side

    def connect(self, hint: Callable[[Iterable[Hint]], None]) -> None:
        """Say where the doors' own hints go."""
        self._hint = hint

    def answered(self, root: str, agent: str, name: str) -> None:
        """The file that was dropped as `name` has its answer."""
        with self._lock:
            waiter = self._waiting.get((root, agent, name))
        if waiter:
            waiter.set()

    def landed(self) -> None:
        """Commits have landed, and desks show them."""
        with self._lock:
            followers = list(self._followers)
        for follower in followers:
            follower()

    # --- the doors' side

    def look(self, hints: Iterable[Hint]) -> None:
        """Tell the daemon of a drop, sooner than a watcher can."""
        self._hint(hints)

    @contextmanager
    def expecting(self, root: str, agent: str, name: str) -> Iterator[Callable[[float], bool]]:
        """Entered before the drop, so that no answer is missed; gives a wait of so many seconds, True where it was rung."""
        event, place = threading.Event(), (root, agent, name)

        def wait(seconds: float) -> bool:
            rung = event.wait(seconds)
            event.clear()
            return rung

        with self._lock:
            self._waiting[place] = event
        try:
            yield wait
        finally:
            with self._lock:
                del self._waiting[place]

    def follow(self, follower: Callable[[], None]) -> Callable[[], None]:
        """Have `follower` called after each landing, on the daemon's thread: it must be quick, and must not raise.

        Gives what ends it.
        """
        with self._lock:
            self._followers.append(follower)

        def leave() -> None:
            with self._lock:
                self._followers.remove(follower)

        return leave

    def wait(self, seconds: float) -> bool:
        """Wait for the next landing; False where there was none in time."""
        event = threading.Event()
        leave = self.follow(event.set)
        try:
            return event.wait(seconds)
        finally:
            leave()
