"""Notes from Postmaster about contacts: each says what to drop, for an agent that has nothing but files."""

from datetime import datetime

from gitmaild.model.contact import HeldMail
from gitmaild.model.ids import note_id, stamp
from gitmaild.model.message import Message
from gitmaild.model.names import POSTMASTER


def request_note(held: HeldMail, message: Message, now: datetime) -> Message:
    """Tells an agent that somebody's mail waits at its door. Subject and words of that mail stay outside."""
    return note(
        f"held {message.id} {held.recipient}",
        held.recipient,
        now,
        subject=f"{held.sender} wants to write to you",
        text=f"Mail from {held.sender} waits for you until {stamp(held.until)}. To get it, and what comes after it, "
        f"{_how(held.sender)}",
    )


def asked_note(command_id: str, sender: str, recipient: str, reason: str, now: datetime) -> Message:
    """Tells an agent that somebody asks to write to it."""
    said = f" says:\n\n    {' '.join(reason.split())}\n\nTo agree, " if reason else " asks to write to you. To agree, "
    return note(
        f"request {command_id}",
        recipient,
        now,
        subject=f"{sender} asks to write to you",
        text=f"{sender}{said}{_how(sender)}",
    )


def answered_note(command_id: str, asker: str, agent: str, now: datetime, *, approved: bool, reason: str) -> Message:
    """Tells who asked what was answered."""
    because = f": {' '.join(reason.split())}" if reason else ""
    said = f"{agent} takes your mail now" if approved else f"{agent} does not take your mail{because}"
    return note(f"answer {command_id} {asker}", asker, now, subject=said, text=f"{said}.\n")


def note(about: str, to: str, now: datetime, *, subject: str, text: str) -> Message:
    """A note whose id is told by `about` and the day; the same however often it is planned on it."""
    own = note_id(f"note_{now:%Y%m%d}_{about}")
    return Message(
        id=own,
        thread_id=own,
        sender=POSTMASTER,
        to=(to.partition("@")[0],),
        created=now,
        importance="high",
        subject=subject[:200],
        body=f"\n{text}",
    )


def _how(sender: str) -> str:
    return (
        f"drop a file:\n\n    ---\n    kind: contact-approve\n    agents: {sender}\n    ---\n\n"
        f"`kind: contact-deny` refuses it. Or: gitmaild contact approve {sender}\n"
    )
