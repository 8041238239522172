"""Whose mail gets in: what an agent has said of its own door, and what that means for one message.

Within a project every door is open unless its agent, or the home, says otherwise. A message that answers one which its
recipient wrote always passes; so does the Overseer's. Between projects agents agree first.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gitmaild.model import layout
from gitmaild.model.changeset import Put
from gitmaild.model.contact import (
    APPROVED,
    AUTO,
    BLOCK_ALL,
    DENIED,
    OPEN,
    POLICIES,
    POLICY,
    QUIET,
    STATES,
    Contact,
)
from gitmaild.model.message import Message
from gitmaild.model.names import OVERSEER
from gitmaild.model.settings import Settings
from gitmaild.rules import foreign, frontmatter, held, record
from gitmaild.rules.acquainted import days_before, have_met, participants
from gitmaild.rules.fate import Bounce, Deliver, Fate, Hold
from gitmaild.rules.mailbox import Mailbox

# So many senders may fill the door of one agent; each look at it reads what waits there.
_SENDERS = 10


@dataclass(frozen=True, slots=True)
class Letter:
    """A message at somebody's door, as far as the door cares."""

    sender: str
    project: str  # the sender's
    thread_id: str
    importance: str
    answers: Message | None  # the message that it answers, where its sender has a copy of that
    now: datetime

    def seen_from(self, project: str) -> str:
        """The sender's address, as it is written in another project."""
        return foreign.address(self.sender, self.project, project)


def admit(letter: Letter, agent: str, mailbox: Mailbox, settings: Settings, *, policy: str = "") -> Fate:
    """The fate of a message at the door of `agent`, who is in the project of `mailbox`. `policy` stands for its own one."""
    if letter.seen_from(mailbox.project) == agent:
        return Deliver(agent, mailbox.project)
    turned_away = _turned_away(letter, agent, mailbox, settings, policy) if settings.contact_enforcement else None
    if turned_away:
        return turned_away
    until = quiet_until(agent, mailbox)
    if until and until > letter.now and letter.importance != "urgent":
        return Hold(agent, mailbox.project, until, QUIET)
    return Deliver(agent, mailbox.project)


def _turned_away(letter: Letter, agent: str, mailbox: Mailbox, settings: Settings, policy: str) -> Hold | Bounce | None:
    """None for who is let in."""
    stranger = letter.project != mailbox.project
    who = letter.seen_from(mailbox.project)
    if letter.sender == OVERSEER:
        return None
    # Most projects never say a word about contacts, and pay for one look-up.
    if not policy and not stranger and settings.contact_policy == OPEN and not _has_said(agent, mailbox):
        return None
    shown = f"{agent}@{mailbox.project}" if stranger else agent
    said = contact(agent, who, mailbox)
    answered = letter.answers is not None and _wrote(letter, agent, mailbox)
    if said and said.state == DENIED:
        because = f": {said.reason}" if said.reason else ""
        return Bounce(shown, "denied", f"{shown} takes no mail from you{because}")
    if answered or (said and said.state == APPROVED):
        return None
    door = policy or policy_of(agent, mailbox, settings)
    door = max(door, settings.cross_project_policy, key=POLICIES.index) if stranger and agent != OVERSEER else door
    if door == OPEN or (door == AUTO and _have_something_in_common(letter, who, agent, mailbox, settings)):
        return None
    if door == BLOCK_ALL:
        return Bounce(shown, "blocked", f"recipient blocks new contacts: {shown}")
    waiting = [one for one in held.waiting(mailbox, recipient=agent) if one.because == POLICY]
    own = sum(one.sender == who for one in waiting)
    if own >= settings.held_per_contact or len(waiting) >= _SENDERS * settings.held_per_contact:
        return Bounce(shown, "too-many-held", f"{own or len(waiting)} messages wait for {shown} to agree already")
    return Hold(agent, mailbox.project, letter.now + timedelta(seconds=settings.held_seconds), POLICY)


def _wrote(letter: Letter, agent: str, mailbox: Mailbox) -> bool:
    return letter.answers is not None and letter.answers.sender == foreign.address(agent, mailbox.project, letter.project)


def _have_something_in_common(letter: Letter, who: str, agent: str, mailbox: Mailbox, settings: Settings) -> bool:
    """A thread, overlapping leases, or mail within the last days."""
    if {who, agent} <= set(participants(letter.thread_id, mailbox)):
        return True
    if have_met(agent, who, days_before(letter.now, settings.contact_days), mailbox):
        return True
    holdings = mailbox.holdings()
    return any(
        lease.holder == other
        for one, other in ((who, agent), (agent, who))
        for thing in [
            *(lease.thing for lease in holdings.of(one)),
            *(thing for request in holdings.waiting if request.agent == one for thing in request.things),
        ]
        for lease in holdings.in_the_way(thing, one, exclusive=True)
    )


def _has_said(agent: str, mailbox: Mailbox) -> bool:
    return bool(mailbox.tree.oid(layout.contacts(mailbox.project, agent)))


def policy_of(agent: str, mailbox: Mailbox, settings: Settings) -> str:
    """The policy that an agent has chosen, else the home's. The Overseer's door is open unless it says otherwise."""
    said = record.read(mailbox.tree.read(layout.contact_policy(mailbox.project, agent)), "policy")
    chosen = said["policy"] if said else ""
    return chosen if chosen in POLICIES else OPEN if agent == OVERSEER else settings.contact_policy


def policy_put(agent: str, policy: str, mailbox: Mailbox) -> Put:
    return Put(layout.contact_policy(mailbox.project, agent), frontmatter.write([("policy", policy)]).encode())


def quiet_until(agent: str, mailbox: Mailbox) -> datetime | None:
    """Until when an agent is not to be disturbed, or was; None where it has not asked for quiet."""
    said = record.read(mailbox.tree.read(layout.quiet(mailbox.project, agent)), "until")
    return record.moment(said["until"]) if said else None


def quiet_put(agent: str, until: datetime, mailbox: Mailbox) -> Put:
    return Put(layout.quiet(mailbox.project, agent), frontmatter.write([("until", until)]).encode())


def contact(agent: str, other: str, mailbox: Mailbox) -> Contact | None:
    """What an agent has said of another, or been asked by it."""
    data = mailbox.tree.read(layout.contact(mailbox.project, agent, other))
    return parse_contact(other, data) if data is not None else None


def contacts(agent: str, mailbox: Mailbox) -> list[Contact]:
    top = f"{layout.contacts(mailbox.project, agent)}/with"
    names = [name.removesuffix(".yaml") for name in mailbox.tree.names(top)]
    return [found for name in names if (found := contact(agent, name, mailbox))]


def contact_put(agent: str, said: Contact, mailbox: Mailbox) -> Put:
    fields: list[tuple[str, frontmatter.Written]] = [("state", said.state), ("at", said.at), ("reason", said.reason)]
    return Put(layout.contact(mailbox.project, agent, said.other), frontmatter.write(fields).encode())


def parse_contact(other: str, data: bytes) -> Contact | None:
    """The inverse of `contact_put`; None for bytes that gitmaild would not write."""
    said = record.read(data, "state", "at", "reason")
    at = record.moment(said["at"]) if said else None
    return Contact(other, said["state"], at, said["reason"]) if said and at and said["state"] in STATES else None
