"""What mail does by itself.

What is held goes in when its recipient may be disturbed again, or back when nobody has agreed to it in time; what was taken
out of a queue and is not acknowledged lies there again.
"""

from dataclasses import replace
from datetime import datetime

from gitmaild.model.changeset import Changeset
from gitmaild.model.commands import Envelope
from gitmaild.model.contact import QUIET, HeldMail
from gitmaild.model.directory import Taken
from gitmaild.rules import held
from gitmaild.rules.claims import returned, taken_from
from gitmaild.rules.commit import one_line, trailers
from gitmaild.rules.contact_notes import note
from gitmaild.rules.contact_plan import Moves
from gitmaild.rules.mailbox import Mailbox

COMMITTER = "gitmaild"


def tend_mail(envelope: Envelope, mailbox: Mailbox, now: datetime) -> Changeset | None:
    """The next thing that is due with held and taken mail at `now`, or None."""
    due = [one for one in held.waiting(mailbox) if one.until <= now]
    if due and due[0].because == QUIET:
        agent = due[0].recipient
        return _let_in(envelope, [one for one in due if one.recipient == agent and one.because == QUIET], mailbox, now)
    if due:
        return _sent_back(envelope, due[0], mailbox, now)
    late = next((taken for taken in taken_from(mailbox) if taken.until <= now), None)
    return _returned(envelope, late, mailbox, now) if late else None


def _let_in(envelope: Envelope, due: list[HeldMail], mailbox: Mailbox, now: datetime) -> Changeset:
    agent, moves = due[0].recipient, Moves()
    moves.enter(due, mailbox, now)
    subject = f"dnd: {agent}: over, {len(moves.let_in)} delivered"
    return _changeset(replace(envelope, agent=agent), "let-in", subject, moves, now)


def _sent_back(envelope: Envelope, one: HeldMail, mailbox: Mailbox, now: datetime) -> Changeset:
    moves = Moves()
    moves.back(one, f"{one.recipient} has not agreed to your mail in time", mailbox, now)
    subject = f"send back: {one.recipient} has not agreed in time"
    return _changeset(replace(envelope, agent=one.recipient), "send-back", subject, moves, now)


def _returned(envelope: Envelope, taken: Taken, mailbox: Mailbox, now: datetime) -> Changeset:
    puts, drops = returned(taken, mailbox)
    moves = Moves(puts, drops)
    if puts:
        told = note(
            f"returned {taken.message_id} {taken.until}",
            taken.agent,
            now,
            subject=f"returned to {taken.queue}: {taken.message_id}",
            text=f"You took {taken.message_id} out of the queue {taken.queue} and have not acknowledged it in time. It lies "
            "there again, for whoever claims it.\n",
        )
        moves.told(told, taken.agent, mailbox)
    subject = f"return: {taken.queue}: {taken.message_id} from {taken.agent}"
    moves.named.append(taken.message_id)
    return _changeset(replace(envelope, agent=taken.agent), "return", subject, moves, now)


def _changeset(envelope: Envelope, kind: str, subject: str, moves: Moves, now: datetime) -> Changeset:
    return Changeset(
        subject=one_line(subject),
        author=COMMITTER,
        at=now,
        puts=tuple(moves.puts),
        drops=tuple(moves.drops),
        trailers=trailers(envelope, kind, *moves.trailers(), ("Result", "done")),
        messages=tuple(moves.messages),
    )
