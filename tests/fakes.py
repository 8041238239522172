"""Stand-ins for what a test must control: time, entropy, hints."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from hashlib import sha1, sha256
from pathlib import Path

from gitmaild.model.changeset import Changeset
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

    def hint(self, hints: Iterable[Hint]) -> None:
        pass

    def wake(self) -> None:
        pass

    def close(self) -> None:
        pass


class DictTree:
    """A mailbox tree that is a dictionary: paths to bytes, with git's ids and git's order of names."""

    def __init__(self, files: Iterable[tuple[str, bytes]] = ()) -> None:
        self._top: dict[str, object] = {}
        self._blobs: dict[str, bytes] = {}
        for path, data in files:
            self.put(path, data)

    # --- what `rules.mailbox.Tree` promises

    def names(self, path: str) -> list[str]:
        found = self._at(path)
        entries = found.items() if isinstance(found, dict) else ()
        return sorted(f"{name}/" if isinstance(below, dict) else name for name, below in entries)

    def entries(self, path: str) -> list[tuple[str, str]]:
        return [(name, self.oid(f"{path}/{name}".strip("/"))) for name in self.names(path)]

    def oid(self, path: str) -> str:
        found = self._at(path)
        return self._oid(found) if found is not None else ""

    def read(self, path: str) -> bytes | None:
        found = self._at(path)
        return found if isinstance(found, bytes) else None

    def size(self, path: str) -> int:
        return len(self.names(path))

    # --- what a batch does

    def put(self, path: str, data: bytes) -> None:
        *directories, name = path.split("/")
        directory = self._top
        for part in directories:
            directory = directory.setdefault(part, {})  # type: ignore[assignment]
            assert isinstance(directory, dict), f"{path}: a file is in the way"
        assert not isinstance(directory.get(name), dict), f"{path}: a directory is in the way"
        directory[name] = data
        self._blobs[self._oid(data)] = data

    def drop(self, path: str) -> None:
        """Take a file away, and the directories that it leaves empty."""
        directory, _, name = path.rpartition("/")
        parent = self._at(directory)
        assert isinstance(parent, dict) and name in parent, f"{path}: nothing to drop"
        del parent[name]
        if not parent and directory:
            self.drop(directory)

    def apply(self, change: Changeset) -> None:
        """Do what a plan says."""
        for path in change.drops:
            self.drop(path)
        for put in change.puts:
            self.put(put.path, self._blobs[put.oid] if put.oid else put.data)

    def paths(self, below: str = "") -> list[str]:
        """Every file below a directory."""
        prefix = f"{below}/" if below else ""
        found: list[str] = []
        for name in self.names(below):
            found += self.paths(f"{prefix}{name[:-1]}") if name.endswith("/") else [f"{prefix}{name}"]
        return found

    def _at(self, path: str) -> object:
        found: object = self._top
        for part in path.split("/") if path else ():
            found = found.get(part) if isinstance(found, dict) else None
        return found

    def _oid(self, found: object) -> str:
        if isinstance(found, bytes):
            return sha1(b"blob %d\0" % len(found) + found).hexdigest()
        assert isinstance(found, dict)
        return sha1("".join(f"{name} {self._oid(found[name])}\n" for name in sorted(found)).encode()).hexdigest()
