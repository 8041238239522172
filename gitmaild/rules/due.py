"""Acknowledgements that are waited for: until when, and from whom.

A message with `ack_within` leaves a file in `acks-due/`, named so that the next to fall due comes first. It goes once all
have acknowledged, or once the sender has been told that some have not; a message that has no file there is done with.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from gitmaild.model import layout
from gitmaild.model.changeset import Put
from gitmaild.model.directory import QUEUE
from gitmaild.model.errors import Refused
from gitmaild.model.ids import MESSAGE_ID, hex_of, parse_stamp
from gitmaild.model.message import Message
from gitmaild.model.names import EVERYONE, OVERSEER
from gitmaild.rules import frontmatter
from gitmaild.rules.mailbox import Held, Mailbox

# What the record says in the place of an id, where a blind recipient has done something with its copy.
BLIND = "(blind)"


@dataclass(frozen=True, slots=True)
class Due:
    """A message whose acknowledgements are waited for. `begun`: since when reminders go out, None before."""

    message_id: str
    at: datetime
    begun: datetime | None = None

    def put(self, project: str) -> Put:
        lines: list[tuple[str, frontmatter.Written]] = [("message", self.message_id), ("due", self.at)]
        lines += [("begun", self.begun)] if self.begun else []
        return Put(self.path(project), frontmatter.write(lines).encode())

    def path(self, project: str) -> str:
        return f"{layout.acks_due(project)}/{self.at:%Y%m%dT%H%M%S.%fZ}_{hex_of(self.message_id)}.yaml"


def due_of(message: Message) -> Due | None:
    """When a message's acknowledgements fall due, None for one that sets no time."""
    if not message.ack_within:
        return None
    try:
        return Due(message.id, message.created + timedelta(seconds=message.ack_within))
    except OverflowError:
        return None


def dues(mailbox: Mailbox) -> Iterator[Due]:
    """All that are waited for, the next to fall due first. A file that cannot be read as one is none."""
    top = layout.acks_due(mailbox.project)
    for name in tuple(mailbox.tree.names(top)):
        due = _parsed(mailbox.tree.read(f"{top}/{name}") or b"") if name.endswith(".yaml") else None
        if due and due.path(mailbox.project) == f"{top}/{name}":
            yield due


def _parsed(data: bytes) -> Due | None:
    try:
        fields, _ = frontmatter.read(data, limit=1 << 20, fenced=False)
        an_id = fields["message"].value
        begun = parse_stamp(fields["begun"].value) if "begun" in fields else None
        return Due(an_id, parse_stamp(fields["due"].value), begun) if MESSAGE_ID.fullmatch(an_id) else None
    except (Refused, KeyError, ValueError):
        return None


def next_ack_due(mailbox: Mailbox) -> datetime | None:
    """When the next acknowledgement is overdue."""
    return next((due.at for due in dues(mailbox)), None)


def settled(message: Message, agent: str, mailbox: Mailbox) -> list[str]:
    """The files to drop when `agent` acknowledges a message: its own, where nobody else owes it an answer."""
    due = due_of(message)
    if due is None or not mailbox.tree.oid(due.path(mailbox.project)):
        return []
    return [] if any(held.agent != agent for held in owing(message, mailbox)) else [due.path(mailbox.project)]


def owing(message: Message, mailbox: Mailbox) -> list[Held]:
    """The copies that are not acknowledged, but for those of agents who have retired."""
    return [held for held in mailbox.holders(message) if held.folder != "acked" and is_active(held.agent, mailbox)]


def is_open(agent: str, message: Message, mailbox: Mailbox) -> bool:
    """False for a blind recipient, as far as can be told from what the message says, and from who is in which group now."""
    if is_named(agent, message):
        return True
    lists = [mailing for name in _named(message) if (mailing := mailbox.directory().lists.get(name))]
    members = (mailbox.directory().holders(mailing.name, mailbox.everyone()) for mailing in lists)
    return any(agent in names for names in members) or any(m.kind == QUEUE and not m.members for m in lists)


def is_named(agent: str, message: Message) -> bool:
    """True for who is named by the message itself: by name, by a role that it held then, or as one of `everyone`."""
    holders = {pair.partition("=")[2].partition("@")[0] for pair in message.roles}
    named = _named(message)
    return agent in named | holders or (EVERYONE in named and agent != OVERSEER)


def _named(message: Message) -> set[str]:
    return {address.partition("@")[0] for address in (*message.to, *message.cc)}


def is_active(agent: str, mailbox: Mailbox) -> bool:
    profile = mailbox.profile(agent)
    return agent == OVERSEER or (profile is not None and profile.state == "active")
