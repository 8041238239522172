"""What is sent, once it has been accepted."""

from dataclasses import dataclass
from datetime import datetime

IMPORTANCE = ("low", "normal", "high", "urgent")

# A front-matter value: one text, or a list of them.
Value = str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """An accepted message. It never changes; its state is the folder that a recipient's copy lies in.

    `to` and `cc` are addresses as they were written, and `sender` is one: `GreenCastle@shop` for mail from another project.
    Blind recipients are nowhere in a message. `extra` holds the fields that gitmaild does not know, kept in the order they
    were written.
    """

    id: str
    thread_id: str
    sender: str
    to: tuple[str, ...]
    created: datetime
    importance: str = "normal"
    ack_required: bool = False
    subject: str = ""
    cc: tuple[str, ...] = ()
    in_reply_to: str = ""
    attachments: tuple[str, ...] = ()
    ack_within: int = 0  # seconds until acknowledgements are overdue; 0: the sender set no time
    roles: tuple[str, ...] = ()  # `Mayor=GreenCastle`: who held a role that it was written to
    hops: int = 0  # how many automatic answers in a row it is the last of; 0 for what a person or an agent wrote
    extra: tuple[tuple[str, Value], ...] = ()
    body: str = ""
