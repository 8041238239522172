"""What happens when an acknowledgement is overdue: each recipient who owes one is reminded once, the sender is told once.

One note at a time, each a commit of its own. While reminders go out, the message's file in `acks-due/` says since when, and
with that which notes the mailbox has already: what was sent is read from the tree.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from gitmaild.model.changeset import COMMITTER, Changeset
from gitmaild.model.commands import Envelope
from gitmaild.model.ids import note_id, stamp
from gitmaild.model.message import Message
from gitmaild.model.names import POSTMASTER
from gitmaild.rules.commit import one_line, trailers
from gitmaild.rules.copies import copies
from gitmaild.rules.due import Due, dues, is_active, is_open, owing
from gitmaild.rules.mailbox import Held, Mailbox

# Where reminders began longer ago, a note may lie on a day where it is not looked for: none is sent again.
_LOOKED_FOR = timedelta(days=1)


def remind(envelope: Envelope, mailbox: Mailbox, now: datetime) -> Changeset | None:
    """The next thing to be said about what is overdue at `now`, or None."""
    for due in dues(mailbox):
        if due.at > now:
            return None
        message = mailbox.message(due.message_id)
        late = owing(message, mailbox) if message else []
        if message is None or not late:
            return _closed(envelope, due, mailbox, now)
        begun = replace(due, begun=due.begun or now)
        for held in late if due.begun is None or now - due.begun < _LOOKED_FOR else ():
            if not mailbox.canonical(_note_id(begun, held.agent)):
                return _reminder(envelope, begun, message, mailbox, now, agent=held.agent)
        return _escalation(envelope, begun, message, mailbox, now, late=late)
    return None


def _note_id(due: Due, what: str) -> str:
    """The id of a note; it has the day on which reminders began, where it is looked for."""
    return note_id(f"remind_{due.begun:%Y%m%d}_{due.message_id} {what}")


def _reminder(envelope: Envelope, due: Due, message: Message, mailbox: Mailbox, now: datetime, *, agent: str) -> Changeset:
    # Blind recipients stay out of headers and of the log.
    to = agent if is_open(agent, message, mailbox) else ""
    note = _note(
        _note_id(due, agent),
        message,
        to,
        now,
        subject=f"please acknowledge: {message.subject}",
        text=f"{message.sender} asked you to acknowledge {message.id} by {stamp(due.at)}:\n\n    {message.subject}\n\n"
        f"Move it to acked/, or: gitmaild ack {message.id}\nThis is the one reminder; {message.sender} is told as well.\n",
    )
    return Changeset(
        subject=one_line(f"remind: {to or '(blind)'}: {message.subject}"),
        author=COMMITTER,
        at=now,
        puts=(due.put(mailbox.project), *copies(note, [agent], mailbox)),
        trailers=_trailers(envelope, "remind", message, note, to=to, result="reminded"),
        messages=(note,),
    )


def _escalation(
    envelope: Envelope, due: Due, message: Message, mailbox: Mailbox, now: datetime, *, late: list[Held]
) -> Changeset:
    names = [held.agent for held in late if is_open(held.agent, message, mailbox)]
    blind = len(late) - len(names)
    lines = "".join(f"- {name}\n" for name in names)
    lines += f"- {blind} blind recipient{'' if blind == 1 else 's'}\n" if blind else ""
    note = _note(
        _note_id(due, "-"),
        message,
        message.sender,
        now,
        subject=f"not acknowledged in time: {message.subject}",
        text=f"You asked for acknowledgement of {message.id} by {stamp(due.at)}. It is missing from:\n\n{lines}\n"
        "Each was reminded once. You are not told again: gitmaild acks --sent --overdue\n",
    )
    reads = is_active(message.sender, mailbox)
    return Changeset(
        subject=one_line(f"escalate: {message.sender}: not acknowledged in time: {message.subject}"),
        author=COMMITTER,
        at=now,
        puts=tuple(copies(note, [message.sender], mailbox)) if reads else (),
        drops=(due.path(mailbox.project),),
        trailers=_trailers(envelope, "escalate", message, note if reads else None, to=message.sender, result="escalated"),
        messages=(note,) if reads else (),
    )


def _closed(envelope: Envelope, due: Due, mailbox: Mailbox, now: datetime) -> Changeset:
    """Nobody owes anything any more: who did has retired, or the message is lost."""
    return Changeset(
        subject=one_line(f"settle: nobody owes an acknowledgement of {due.message_id}"),
        author=COMMITTER,
        at=now,
        drops=(due.path(mailbox.project),),
        trailers=trailers(envelope, "settle", ("Message-Id", due.message_id), ("Result", "settled")),
    )


def _trailers(
    envelope: Envelope, kind: str, message: Message, note: Message | None, *, to: str, result: str
) -> tuple[tuple[str, str], ...]:
    about = [("Message-Id", message.id), ("Thread-Id", message.thread_id), ("To", to)]
    about += [("Note-Id", note.id)] if note else []
    return trailers(envelope, kind, *about, ("Result", result))


def _note(an_id: str, message: Message, to: str, now: datetime, *, subject: str, text: str) -> Message:
    return Message(
        id=an_id,
        thread_id=an_id,
        sender=POSTMASTER,
        to=(to,) if to else (),
        created=now,
        importance="urgent" if message.importance == "urgent" else "high",
        subject=subject[:200],
        in_reply_to=message.id,
        body=f"\n{text}",
    )
