"""Whose mail an agent takes."""

from dataclasses import dataclass
from datetime import datetime

# From the widest to the narrowest.
OPEN, AUTO, CONTACTS_ONLY, BLOCK_ALL = POLICIES = ("open", "auto", "contacts_only", "block_all")

APPROVED, DENIED, REQUESTED = STATES = ("approved", "denied", "requested")

# Why mail is held: its recipient has not agreed to it, or is not to be disturbed.
POLICY, QUIET = BECAUSE = ("policy", "dnd")


@dataclass(frozen=True, slots=True)
class Contact:
    """What one agent has said of another, or been asked by it: `state` is one of STATES. `other` is an address."""

    other: str
    state: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class HeldMail:
    """A message that waits at its recipient's door until `until`. `because`: one of BECAUSE."""

    message_id: str
    recipient: str
    sender: str  # an address, as the recipient's project sees it
    until: datetime
    because: str
