"""Stand-ins for what a test must control: time, entropy, hints."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from gitmaild.model.drop import Hint


class FakeClock:
    """Wall and monotonic time that go on only when told; they start at 2026-01-01T00:00Z."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.ticks = 1000.0

    def wall(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.ticks

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.ticks += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock alone, as a person or NTP does."""
        self.now += timedelta(seconds=seconds)


class SeededEntropy:
    """The same bytes in every run, never the same twice in one."""

    def __init__(self, seed: str = "gitmaild") -> None:
        self.seed, self.count = seed, 0

    def __call__(self, size: int) -> bytes:
        self.count += 1
        return sha256(f"{self.seed} {self.count}".encode()).digest()[:size]


class StillWatcher:
    """A watcher that sees nothing: tests say what changed."""

    polling = ""

    def __init__(self) -> None:
        self.watched: list[Path] = []

    def watch(self, directories: list[Path]) -> None:
        self.watched = directories

    def wait(self, timeout: float) -> list[Hint]:
        return []

    def wake(self) -> None:
        pass

    def close(self) -> None:
        pass
