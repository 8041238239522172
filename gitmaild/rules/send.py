"""Planning a message: its thread, its recipients, its copies, and the note where some of them bounce."""

from collections.abc import Iterable
from datetime import datetime

from gitmaild.model import layout
from gitmaild.model.changeset import Changeset, Put
from gitmaild.model.commands import Attachment, Send
from gitmaild.model.errors import Refused, refuse
from gitmaild.model.ids import message_id, note_id
from gitmaild.model.message import Message
from gitmaild.model.names import POSTMASTER
from gitmaild.model.settings import Settings
from gitmaild.rules import render
from gitmaild.rules.commit import one_line, trailers
from gitmaild.rules.due import due_of
from gitmaild.rules.mailbox import Mailbox
from gitmaild.rules.parse import too_many_recipients
from gitmaild.rules.route import Bounce, Deliver, Fate, route


def send(command: Send, mailbox: Mailbox, now: datetime, settings: Settings) -> Changeset:
    envelope = command.envelope
    check_attachments(command.files, settings)
    message = _message(command, mailbox, now, settings)
    openly = route((*message.to, *message.cc), envelope.agent, mailbox)
    fates = route((*message.to, *message.cc, *command.bcc), envelope.agent, mailbox) if command.bcc else openly
    if len(fates) > settings.recipient_limit:
        raise too_many_recipients(len(fates), settings)
    agents = [fate.agent for fate in fates if isinstance(fate, Deliver)]
    bounces = [fate for fate in fates if isinstance(fate, Bounce)]
    if not agents:
        raise _nobody(bounces, openly)
    puts = copies(message, agents, mailbox)
    puts += [Put(layout.attachment(envelope.project, f.sha256, f.name), f.data) for f in command.files]
    puts += [due.put(envelope.project)] if (due := due_of(message)) else []
    notes = [_bounce_note(message, bounces, now)] if bounces else []
    for note in notes:
        puts += copies(note, [envelope.agent], mailbox)
    named = [fate.agent for fate in openly if isinstance(fate, Deliver)]
    result = "partly" if bounces else "delivered"
    shown = ", ".join(named if len(named) <= 8 else [*named[:8], f"{len(named) - 8} more"])
    return Changeset(
        subject=one_line(f"deliver: {envelope.agent} -> {shown or '(blind)'}: {message.subject}"),
        author=envelope.agent,
        at=now,
        puts=tuple(puts),
        trailers=trailers(
            envelope,
            "message",
            ("Message-Id", message.id),
            ("Thread-Id", message.thread_id),
            ("To", ", ".join(named)),
            ("Result", result),
        ),
        recipients=tuple(
            f"{f.agent} inbox" if isinstance(f, Deliver) else f"{f.address} bounced: {f.reason}" for f in openly
        ),
        messages=(message, *notes),
    )


def _message(command: Send, mailbox: Mailbox, now: datetime, settings: Settings) -> Message:
    """The message that a send makes: its thread found, a reply's recipients and subject filled in."""
    own = message_id(command.envelope.id)
    to, subject, thread = command.to, command.subject, command.thread_id
    if command.in_reply_to:
        original = mailbox.message(command.in_reply_to)
        if original is None:
            raise refuse(
                "unknown-message",
                f"in_reply_to: there is no message {command.in_reply_to}",
                "copy the id from the first line of the message that you answer",
                field="in_reply_to",
            )
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
        extra=tuple((key, kept) for key, kept in command.extra if not render.repeats_tags(key, kept, subject)),
        body=command.body,
    )


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


def copies(message: Message, agents: list[str], mailbox: Mailbox) -> list[Put]:
    """The canonical copy and one for each recipient: the same bytes."""
    data = render.message(message)
    shard, name = layout.shard(message.created), layout.file_name(message)
    canonical = mailbox.leaf(f"{layout.messages(mailbox.project)}/{shard}")
    puts = [Put(f"{canonical}/{message.id}.md", data)]
    for agent in agents:
        leaf = mailbox.leaf(f"{layout.folder(mailbox.project, agent, 'inbox')}/{shard}")
        puts.append(Put(f"{leaf}/{name}", data))
    return puts


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
