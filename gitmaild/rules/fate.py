"""What becomes of one recipient of a message."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Deliver:
    """A copy goes into an inbox. `role`: what the agent was written to as, where that was not its name."""

    agent: str
    project: str = ""  # '' for the sender's own
    role: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """A copy waits at the recipient's door until `until`. `because`: one of `model.contact.BECAUSE`."""

    agent: str
    project: str
    until: datetime
    because: str


@dataclass(frozen=True, slots=True)
class Post:
    """A copy goes into a queue or onto a board; `where` is `queues` or `boards`."""

    where: str
    name: str


@dataclass(frozen=True, slots=True)
class Bounce:
    """Understood, but it cannot be delivered; the sender is told."""

    address: str
    code: str
    reason: str

    def text(self) -> str:
        return f"{self.address}: {self.reason} ({self.code})"


Fate = Deliver | Hold | Post | Bounce
