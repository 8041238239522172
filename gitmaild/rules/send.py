"""Planning a message: its thread, its recipients, its copies, and the notes where some bounce or do not let it in."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from gitmaild.model import layout
from gitmaild.model.changeset import Changeset, Put
from gitmaild.model.commands import Attachment, Send
from gitmaild.model.contact import POLICY, HeldMail
from gitmaild.model.errors import Refused, refuse
from gitmaild.model.ids import message_id, note_id
from gitmaild.model.message import Message
from gitmaild.model.names import POSTMASTER
from gitmaild.model.settings import Settings
from gitmaild.rules import foreign, held, render
from gitmaild.rules.acquainted import acquaint
from gitmaild.rules.boards import posted
from gitmaild.rules.commit import one_line, trailers
from gitmaild.rules.contact_notes import request_note
from gitmaild.rules.contacts import Letter
from gitmaild.rules.copies import copies
from gitmaild.rules.due import due_of
from gitmaild.rules.fate import Bounce, Deliver, Fate, Hold, Post
from gitmaild.rules.loops import hops
from gitmaild.rules.mailbox import Mailbox
from gitmaild.rules.parse import too_many_recipients
from gitmaild.rules.route import route


def send(command: Send, mailbox: Mailbox, now: datetime, settings: Settings) -> Changeset:
    envelope = command.envelope
    check_attachments(command.files, settings)
    original = _original(command, mailbox)
    message = _message(command, original, mailbox, now, settings)
    letter = _letter(message, original, mailbox)
    openly = route((*message.to, *message.cc), letter, mailbox, settings)
    every = route((*message.to, *message.cc, *command.bcc), letter, mailbox, settings) if command.bcc else openly
    if len(every) > settings.recipient_limit:
        raise too_many_recipients(len(every), settings)
    if all(isinstance(fate, Bounce) for fate in every):
        raise _nobody([fate for fate in every if isinstance(fate, Bounce)], openly)
    message = replace(message, roles=tuple(f"{f.role}={_named(f)}" for f in openly if isinstance(f, Deliver) and f.role))
    parcel = _Parcel(message, every, openly, mailbox, now)
    puts, drops = parcel.puts(command.files, settings)
    notes = parcel.notes()
    puts += [put for box, note, agent in notes for put in copies(note, [agent], box)]
    return Changeset(
        subject=one_line(f"deliver: {envelope.agent} -> {_shown(openly)}: {message.subject}"),
        author=envelope.agent,
        at=now,
        puts=tuple(puts),
        drops=tuple(drops),
        trailers=trailers(
            envelope,
            "message",
            ("Message-Id", message.id),
            ("Thread-Id", message.thread_id),
            ("To", ", ".join(_named(fate) for fate in openly if isinstance(fate, Deliver))),
            *_told(openly),
            ("Result", _result(every)),
        ),
        recipients=tuple(_line(fate) for fate in openly),
        messages=(message, *(note for _, note, _ in notes)),
    )


@dataclass(frozen=True, slots=True)
class _Parcel:
    """A message and the fates of its recipients, on the way to tree paths."""

    message: Message
    every: list[Fate]
    openly: list[Fate]
    mailbox: Mailbox
    now: datetime

    def puts(self, files: Iterable[Attachment], settings: Settings) -> tuple[list[Put], list[str]]:
        """(puts, drops): the copies in each project, what is held, what is posted, and what is remembered of it."""
        message, mailbox = self.message, self.mailbox
        found: list[Put] = []
        for project in dict.fromkeys(["", *(f.project for f in self.every if isinstance(f, Deliver))]):
            there = mailbox.of(project)
            agents = [f.agent for f in self.every if isinstance(f, Deliver) and f.project == project]
            named = [f.agent for f in self.openly if isinstance(f, Deliver) and f.project == project]
            seen = foreign.seen_from(message, mailbox.project, there.project)
            found += copies(seen, agents, there)
            found += acquaint(seen, agents, there, self.now, named=named)
            found += [Put(layout.attachment(there.project, f.sha256, f.name), f.data) for f in files]
        drops: list[str] = []
        for fate in self.every:
            if isinstance(fate, Post):
                put, gone = posted(message, fate, mailbox, settings)
                found.append(put)
                drops += gone
            elif isinstance(fate, Hold):
                found.append(held.put(self._held(fate), mailbox.of(fate.project).project))
        found += [due.put(mailbox.project)] if (due := due_of(message)) else []
        return found, drops

    def notes(self) -> list[tuple[Mailbox, Message, str]]:
        """(whose project, the note, its reader): of what bounced to the sender, of a stranger to who is asked to agree."""
        found: list[tuple[Mailbox, Message, str]] = []
        sender = self.message.sender
        if bounces := [fate for fate in self.every if isinstance(fate, Bounce)]:
            found.append((self.mailbox, _bounce_note(self.message, bounces, self.now), sender))
        for fate in self.every:
            if isinstance(fate, Hold) and fate.because == POLICY:
                there, one = self.mailbox.of(fate.project), self._held(fate)
                known = any(
                    o.sender == one.sender and o.because == POLICY for o in held.waiting(there, recipient=fate.agent)
                )
                if not known:
                    found.append((there, request_note(one, self.message, self.now), fate.agent))
        return found

    def _held(self, fate: Hold) -> HeldMail:
        there = self.mailbox.of(fate.project).project
        sender = foreign.address(self.message.sender, self.mailbox.project, there)
        return HeldMail(self.message.id, fate.agent, sender, fate.until, fate.because)


def _original(command: Send, mailbox: Mailbox) -> Message | None:
    """The message that a send answers. Raises `Refused` where there is none."""
    if not command.in_reply_to:
        return None
    original = mailbox.message(command.in_reply_to)
    if original is None or _is_anothers_note(original, command.envelope.agent, mailbox):
        raise refuse(
            "unknown-message",
            f"in_reply_to: there is no message {command.in_reply_to}",
            "copy the id from the first line of the message that you answer",
            field="in_reply_to",
        )
    return original


def _letter(message: Message, original: Message | None, mailbox: Mailbox) -> Letter:
    has_it = original is not None and mailbox.held(message.sender, layout.file_name(original))
    return Letter(
        message.sender,
        mailbox.project,
        message.thread_id,
        message.importance,
        original if has_it else None,
        message.created,
    )


def _message(command: Send, original: Message | None, mailbox: Mailbox, now: datetime, settings: Settings) -> Message:
    """The message that a send makes: its thread found, a reply's recipients and subject filled in."""
    own = message_id(command.envelope.id)
    to, subject, thread = command.to, command.subject, command.thread_id
    if original:
        if not (to or command.cc or command.bcc):
            to = (original.sender,) if original.sender != command.envelope.agent else original.to or original.cc
        if subject is None:
            subject = original.subject if original.subject.lower().startswith("re:") else f"RE: {original.subject}"
            subject = subject[: settings.subject_limit]
        thread = thread or original.thread_id
    subject = (subject or "").strip()
    return Message(
        id=own,
        thread_id=thread or own,
        sender=command.envelope.agent,
        to=to,
        created=now,
        importance=command.importance,
        ack_required=command.ack_required,
        subject=subject,
        cc=tuple(name for name in command.cc if name not in to),
        in_reply_to=command.in_reply_to,
        ack_within=command.ack_within,
        attachments=tuple(f"{f.sha256}/{f.name}" for f in command.files),
        hops=hops(original, settings) if command.auto_reply else 0,
        extra=tuple((key, kept) for key, kept in command.extra if not render.repeats_tags(key, kept, subject)),
        body=command.body,
    )


def _is_anothers_note(message: Message, agent: str, mailbox: Mailbox) -> bool:
    """True for a note from Postmaster to somebody else: its subject may name blind recipients."""
    return message.sender == POSTMASTER and mailbox.held(agent, layout.file_name(message)) is None


def check_attachments(files: Iterable[Attachment], settings: Settings) -> None:
    """Refuse what is too much for one message. Raises `Refused`."""
    size = sum(len(file.data) for file in files)
    if size > settings.attachments_limit:
        raise refuse(
            "too-large",
            f"attachments: {size} bytes; limit {settings.attachments_limit}",
            "attach less, or send several messages",
            field="attachments",
        )


def _nobody(bounces: list[Bounce], openly: list[Fate]) -> Refused:
    if not bounces:
        return refuse("no-recipient", "nobody to deliver to: the group has no other member", "write to somebody by name")
    reasons = "; ".join(bounce.reason for bounce in bounces)
    field = "to" if all(bounce in openly for bounce in bounces) else "bcc"
    return refuse(bounces[0].code, reasons, f"correct the name in {field}: and drop the file again", field=field)


def _named(fate: Deliver | Hold) -> str:
    return f"{fate.agent}@{fate.project}" if fate.project else fate.agent


def _shown(openly: list[Fate]) -> str:
    """Recipients as a commit's subject has them."""
    names = [_named(f) if isinstance(f, Deliver) else f.name for f in openly if isinstance(f, Deliver | Post)]
    names = names if len(names) <= 8 else [*names[:8], f"{len(names) - 8} more"]
    return ", ".join(names) or ("(held)" if any(isinstance(fate, Hold) for fate in openly) else "(blind)")


def _told(openly: list[Fate]) -> list[tuple[str, str]]:
    """Trailers of what did not go into an inbox."""
    waits = [_named(fate) for fate in openly if isinstance(fate, Hold)]
    posts = [f"{fate.where}/{fate.name}" for fate in openly if isinstance(fate, Post)]
    return [(key, ", ".join(names)) for key, names in (("Held", waits), ("Posted", posts)) if names]


def _result(every: list[Fate]) -> str:
    if all(isinstance(fate, Hold) for fate in every):
        return "held"
    return "partly" if any(isinstance(fate, Bounce | Hold) for fate in every) else "delivered"


def _line(fate: Fate) -> str:
    """What became of a recipient, as the answer says it."""
    match fate:
        case Deliver():
            return f"{_named(fate)} inbox"
        case Hold():
            return f"{_named(fate)} held"
        case Post():
            return f"{fate.name} posted"
        case Bounce():
            return f"{fate.address} bounced: {fate.reason}"


def _bounce_note(message: Message, bounces: list[Bounce], now: datetime) -> Message:
    """The note that tells a sender who did not get the mail. It is from nobody who reads, so it never bounces itself."""
    names = ", ".join(bounce.address for bounce in bounces)
    lines = "".join(f"- {bounce.text()}\n" for bounce in bounces)
    return Message(
        id=note_id(message.id),
        thread_id=note_id(message.id),
        sender=POSTMASTER,
        to=(message.sender,),
        created=now,
        importance="high",
        subject=f"not delivered to {names}: {message.subject}"[:200],
        in_reply_to=message.id,
        extra=(("bounced", tuple(bounce.text() for bounce in bounces)),),
        body=f"\nYour message {message.id} was not delivered to everybody:\n\n{lines}\n"
        "Everybody else has it. Send it again to the right name alone.\n",
    )
