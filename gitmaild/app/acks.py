"""Who owes an acknowledgement of what: read from the copies that are not acknowledged, as the tree has them now."""

from dataclasses import dataclass
from datetime import datetime

from gitmaild.app.threads import parsed
from gitmaild.model import layout
from gitmaild.model.ids import stamp
from gitmaild.model.message import Message
from gitmaild.rules.due import due_of, is_active, is_open
from gitmaild.rules.mailbox import Mailbox

_ASKED = b"\nack_required: true\n"


@dataclass(frozen=True, slots=True)
class Owed:
    """One recipient's acknowledgement that is missing."""

    message: Message
    agent: str
    state: str  # inbox or read
    due: datetime | None  # where the sender set a time

    def fields(self, now: datetime) -> dict[str, object]:
        message = self.message
        return {
            "id": message.id,
            "thread_id": message.thread_id,
            "from": message.sender,
            "agent": self.agent,
            "state": self.state,
            "subject": message.subject,
            "importance": message.importance,
            "created": stamp(message.created),
            "due": stamp(self.due) if self.due else "",
            "overdue": self.due is not None and self.due <= now,
            "age_seconds": max(int((now - message.created).total_seconds()), 0),
        }


def owed(mailbox: Mailbox, *, by: str = "", to: str = "") -> list[Owed]:
    """Acknowledgements that are missing, the longest due first, then those without a time, the oldest first.

    `by` one agent, or `to` one sender; both '' is what anybody may know, which leaves blind recipients out. Names of files
    say who sent them, so only what may count is opened.
    """
    found: list[Owed] = []
    for agent in (by,) if by else mailbox.agents():
        if not is_active(agent, mailbox):
            continue
        for folder in layout.FOLDERS[:2]:
            for name, path in mailbox.files(agent, folder):
                parts = layout.parse_file_name(name)
                if parts is None or (to and parts.sender != to):
                    continue
                data = mailbox.tree.read(path) or b""
                # Most ask for nothing, and need not be parsed to say so.
                message = parsed(data) if _ASKED in data else None
                if message and message.ack_required and (by or to or is_open(agent, message, mailbox)):
                    due = due_of(message)
                    found.append(Owed(message, agent, folder, due.at if due else None))
    return sorted(found, key=lambda row: (row.due is None, row.due or row.message.created, row.agent))
