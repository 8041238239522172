"""Time as the post office tells it: UTC, and strictly increasing within a home."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from gitmaild.model.ids import TICK

# A step back of the wall clock up to this is held without a word; a longer one raises an alarm.
TOLERATED = timedelta(minutes=5)


class Clock:
    """Hands out acceptance times. `last` is the newest one that this home has used."""

    def __init__(self, wall: Callable[[], datetime], last: datetime | None = None) -> None:
        self._wall = wall
        self.last = last or datetime(1970, 1, 1, tzinfo=UTC)
        self.stepped_back = timedelta(0)

    def now(self) -> datetime:
        """A time later than every one before: the wall clock's, or one microsecond on where that stands or went back."""
        wall = self._wall()
        self.stepped_back = max(self.last - wall, timedelta(0))
        self.last = max(wall, self.last + TICK)
        return self.last

    def read(self) -> datetime:
        """The time as `now` would give it, without using it up."""
        return max(self._wall(), self.last)

    def alarm(self) -> str:
        """What is wrong with the wall clock, or ''."""
        if self.stepped_back <= TOLERATED:
            return ""
        at = f"{self.last:%Y-%m-%dT%H:%M:%SZ}"
        return f"the clock went back by {self.stepped_back}; times stand still at {at} until it catches up"


class Leap:
    """Notices that the wall clock was set forward: it has gone further than time itself, by more than is tolerated."""

    def __init__(self, wall: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._last = wall(), monotonic()

    def look(self) -> timedelta:
        """By how much the wall clock has leapt since the last look; zero for what is tolerated, and for a step back."""
        (wall, ticks), self._last = self._last, (self._wall(), self._monotonic())
        leapt = (self._last[0] - wall) - timedelta(seconds=self._last[1] - ticks)
        return leapt if leapt > TOLERATED else timedelta(0)
