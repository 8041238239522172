"""Addresses that stand for somebody else: roles, groups, queues, boards."""

from dataclasses import dataclass
from datetime import datetime

GROUP, QUEUE, BOARD = KINDS = ("group", "queue", "board")

# The board that is there without being made.
GENERAL = "general"


@dataclass(frozen=True, slots=True)
class Role:
    """An office that one agent holds at a time, or nobody. `lease_seconds`: what its holder reserves for by default."""

    name: str
    holder: str = ""
    since: str = ""
    about: str = ""
    lease_seconds: int = 0


@dataclass(frozen=True, slots=True)
class MailingList:
    """A group (a copy for each member), a queue (one member takes it) or a board (all read it, in nobody's inbox).

    Members are agents, roles and groups; a queue without any is open to all. 0 stands for the home's own setting.
    """

    name: str
    kind: str
    members: tuple[str, ...] = ()
    about: str = ""
    keep: int = 0  # messages that a board shows
    claim_seconds: int = 0  # for how long a message taken out of a queue may stay unacknowledged
    lease_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that was taken out of a queue: who has it, and until when it must be acknowledged.

    `own`: its taker had a copy before, as one to whom it was written besides, and keeps that where it goes back.
    """

    message_id: str
    queue: str
    agent: str
    until: datetime
    own: bool = False
