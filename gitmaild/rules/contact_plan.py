"""Planning what an agent says of its door: a policy, a request, an answer, and that it is not to be disturbed."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from gitmaild.model.changeset import Changeset, Put
from gitmaild.model.commands import ContactAnswer, ContactPolicy, ContactRequest, Envelope, Quiet
from gitmaild.model.contact import APPROVED, DENIED, POLICY, QUIET, REQUESTED, Contact, HeldMail
from gitmaild.model.errors import refuse
from gitmaild.model.ids import stamp
from gitmaild.model.message import Message, Value
from gitmaild.model.names import OVERSEER, parse_address
from gitmaild.model.settings import Settings
from gitmaild.rules import foreign, held
from gitmaild.rules.commit import answer, one_line, trailers
from gitmaild.rules.contact_notes import answered_note, asked_note
from gitmaild.rules.contacts import Letter, admit, contact, contact_put, policy_put, quiet_put
from gitmaild.rules.copies import copies
from gitmaild.rules.due import BLIND, is_open
from gitmaild.rules.fate import Bounce, Deliver, Hold
from gitmaild.rules.fields import did_you_mean
from gitmaild.rules.mailbox import Mailbox


@dataclass(slots=True)
class Moves:
    """What becomes of held mail, and the notes that tell of it."""

    puts: list[Put] = field(default_factory=list)
    drops: list[str] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    let_in: list[Message] = field(default_factory=list)
    sent_back: int = 0
    named: list[str] = field(default_factory=list)  # ids of what moved; a blind copy's is told nowhere

    def enter(self, waiting: list[HeldMail], mailbox: Mailbox, now: datetime) -> None:
        puts, drops, messages = held.let_in(waiting, mailbox, now)
        self.puts += puts
        self.drops += drops
        self.let_in += messages
        self.messages += messages
        # All of it waits for one agent.
        agents = {one.recipient for one in waiting}
        self.named += [m.id if all(is_open(agent, m, mailbox) for agent in agents) else BLIND for m in messages]

    def back(self, one: HeldMail, why: str, mailbox: Mailbox, now: datetime) -> None:
        puts, notes = held.send_back(one, why, mailbox, now)
        self.puts += puts
        self.drops.append(held.path(one, mailbox.project))
        self.messages += notes
        self.sent_back += 1

    def told(self, note: Message, agent: str, mailbox: Mailbox) -> None:
        if mailbox.profile(agent):
            self.puts += copies(note, [agent], mailbox)
            self.messages.append(note)

    def trailers(self) -> list[tuple[str, str]]:
        ids = ", ".join(an_id for an_id in self.named if an_id != BLIND)
        return [("Message-Id", ids)] if ids else []


def set_policy(command: ContactPolicy, mailbox: Mailbox, now: datetime, settings: Settings) -> Changeset:
    """Mail that the new policy lets in goes in; what it does not stays held, or goes back where all are blocked."""
    agent = command.envelope.agent
    moves = Moves([policy_put(agent, command.policy, mailbox)])
    letting: list[HeldMail] = []
    for one in held.waiting(mailbox, recipient=agent):
        message = held.original(one, mailbox) if one.because == POLICY else None
        if message is None:
            continue
        sender, home = one.sender.partition("@")[0], foreign.project_of(one.sender) or mailbox.project
        letter = Letter(sender, home, message.thread_id, message.importance, None, now)
        fate = admit(letter, agent, mailbox, settings, policy=command.policy)
        if isinstance(fate, Deliver):
            letting.append(one)
        elif isinstance(fate, Hold) and fate.because == QUIET:
            moves.drops.append(held.path(one, mailbox.project))
            moves.puts.append(held.put(replace(one, until=fate.until, because=QUIET), mailbox.project))
        elif isinstance(fate, Bounce) and fate.code != "too-many-held":
            moves.back(one, fate.reason, mailbox, now)
    moves.enter(letting, mailbox, now)
    return _changeset(
        command.envelope, "contact-policy", f"policy: {agent}: {command.policy}", moves, now,
        status="done", extra=command.extra, said=[("policy", command.policy)],
    )  # fmt: skip


def ask(command: ContactRequest, mailbox: Mailbox, now: datetime) -> Changeset:
    """Asking again, or somebody who has agreed, changes nothing."""
    envelope = command.envelope
    there, name = _somebody(command.agent, mailbox)
    who = foreign.address(envelope.agent, mailbox.project, there.project)
    before = contact(name, who, there)
    moves = Moves()
    if before is None:
        moves.puts.append(contact_put(name, Contact(who, REQUESTED, now, command.reason), there))
        moves.told(asked_note(envelope.id, who, name, command.reason, now), name, there)
    status = before.state if before else REQUESTED
    return _changeset(
        envelope, "contact-request", f"request: {envelope.agent} asks to write to {command.agent}", moves, now,
        status=status, extra=command.extra, said=[("agent", command.agent)],
    )  # fmt: skip


def answer_contact(command: ContactAnswer, mailbox: Mailbox, now: datetime) -> Changeset:
    """Agree, and what was held goes in; refuse, and it goes back. Either may be said before anybody asks."""
    envelope, agent = command.envelope, command.envelope.agent
    moves = Moves()
    for text in command.agents:
        there, name = _somebody(text, mailbox)
        who = foreign.address(name, there.project, mailbox.project)
        asked = contact(agent, who, mailbox)
        state = APPROVED if command.approve else DENIED
        moves.puts.append(contact_put(agent, Contact(who, state, now, command.reason), mailbox))
        waiting = [o for o in held.waiting(mailbox, recipient=agent) if o.sender == who and o.because == POLICY]
        if command.approve:
            moves.enter(waiting, mailbox, now)
        else:
            because = f": {command.reason}" if command.reason else ""
            for one in waiting:
                moves.back(one, f"{agent} takes no mail from you{because}", mailbox, now)
        own = foreign.address(agent, mailbox.project, there.project)
        if command.approve and (waiting or asked):
            # Who has asked takes the answer.
            moves.puts.append(contact_put(name, Contact(own, APPROVED, now), there))
        if asked and asked.state == REQUESTED:
            note = answered_note(envelope.id, name, own, now, approved=command.approve, reason=command.reason)
            moves.told(note, name, there)
    verb = "approve" if command.approve else "deny"
    kind = f"contact-{verb}"
    said: list[tuple[str, Value]] = [("agents", command.agents)]
    said += [("delivered", tuple(moves.named))] if moves.named else []
    said += [("sent_back", str(moves.sent_back))] if moves.sent_back else []
    state = APPROVED if command.approve else DENIED
    return _changeset(
        envelope, kind, f"{verb}: {agent}: {', '.join(command.agents)}", moves, now,
        status=state, extra=command.extra, said=said,
    )  # fmt: skip


def set_quiet(command: Quiet, mailbox: Mailbox, now: datetime) -> Changeset:
    """Begin to be undisturbed, or end it: then what has waited goes in."""
    agent, until = command.envelope.agent, now + timedelta(seconds=command.seconds)
    moves = Moves([quiet_put(agent, until, mailbox)])
    if not command.seconds:
        moves.enter([o for o in held.waiting(mailbox, recipient=agent) if o.because == QUIET], mailbox, now)
    told = f"until {stamp(until)}" if command.seconds else f"over, {len(moves.let_in)} delivered"
    return _changeset(
        command.envelope, "dnd", f"dnd: {agent}: {told}", moves, now,
        status="on" if command.seconds else "off", extra=command.extra, said=[("until", stamp(until))],
    )  # fmt: skip


def _somebody(text: str, mailbox: Mailbox) -> tuple[Mailbox, str]:
    """The project and name of an agent that is written as an address. Raises `Refused` where there is none."""
    address = parse_address(text, field="agent")
    there = mailbox.of(address.project)
    if there.profile(address.name) is None:
        names = [name for name in there.agents() if name != OVERSEER]
        raise refuse(
            "unknown-agent",
            f"no agent {text!r}{did_you_mean(address.name, names)}",
            f"agents of {there.project}: {', '.join(names[:8]) or 'nobody yet'}",
            field="agent",
        )
    return there, address.name


def _changeset(
    envelope: Envelope,
    kind: str,
    subject: str,
    moves: Moves,
    now: datetime,
    *,
    status: str,
    extra: tuple[tuple[str, Value], ...],
    said: list[tuple[str, Value]],
) -> Changeset:
    return Changeset(
        subject=one_line(subject),
        author=envelope.agent,
        at=now,
        puts=tuple({put.path: put for put in moves.puts}.values()),
        drops=tuple(moves.drops),
        trailers=trailers(envelope, kind, *moves.trailers(), ("Result", status)),
        answer=answer(kind, status, extra, said),
        messages=tuple(moves.messages),
    )
