"""What is held: a lease on a path pattern or on a name (a build slot), and a request that waits for one.

A lease is ACTIVE from its grant until it is RELEASED or EXPIRED, and nothing else ever happens to it but a renewal. Its
fence comes from one counter of its project and only grows: whoever shows the larger one was granted later.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

ACTIVE, RELEASED, EXPIRED = "active", "released", "expired"

SLOT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Thing:
    """What can be held: the paths of a pattern (its canonical text), or a slot's name. One of the two is ''.

    `is_file`: the plain path of the pattern was a file when it was asked for, so it has no path in common with patterns that
    mean what would be below it. It is the same thing all the same.
    """

    pattern: str = ""
    slot: str = ""
    is_file: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return self.pattern or f"slot {self.slot}"


@dataclass(frozen=True, slots=True)
class Lease:
    id: str
    thing: Thing
    holder: str
    exclusive: bool
    fence: int
    granted: datetime
    expires: datetime
    ttl_seconds: int
    reason: str = ""
    warned: bool = False  # its holder has been told that it ends soon
    state: str = ACTIVE
    ended: datetime | None = None
    because: str = ""  # why it ended, where somebody else ended it

    @property
    def first_term(self) -> datetime:
        """When it would have ended, had it never been renewed."""
        return self.granted + timedelta(seconds=self.ttl_seconds)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request in the queue. `number` orders the queue: it is the file's name, which begins with the time of asking."""

    number: str
    command_id: str
    agent: str
    things: tuple[Thing, ...]
    exclusive: bool
    ttl_seconds: int
    until: datetime
    reason: str = ""
    atomic: bool = False


def clash(exclusive: bool, other: bool) -> bool:
    """Two leases on one path go together only where both are shared."""
    return exclusive or other
