"""A commit that somebody made in the user's own repository."""

from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Made:
    """`passed`: why the guard let its tree through (`holder`, `warned`), '' where it left no trace. `guarded`: whether it is
    installed there at all."""

    oid: str
    tree: str
    at: datetime  # to the second
    paths: tuple[str, ...]
    passed: str = ""
    guarded: bool = False

    def judged(self, *, passed: str, guarded: bool) -> "Made":
        return replace(self, passed=passed, guarded=guarded)


@dataclass(frozen=True, slots=True)
class Mention:
    """A commit whose message holds something that was looked for."""

    oid: str
    author: str
    at: str  # to the second, '' for a time that no calendar has
    message: str

    @property
    def subject(self) -> str:
        return self.message.partition("\n")[0]
