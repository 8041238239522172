"""Mail that waits at its recipient's door: held until they agree to it, or until they may be disturbed again.

A held message is in the mailbox, under its id; a file in `held/` says for whom it waits, named so that what waits no longer
than others comes first. Letting it in puts its copy into the inbox; sending it back leaves a file in `returned/` that says
why, for the sender's answer, and a note.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from gitmaild.model import layout
from gitmaild.model.changeset import Put
from gitmaild.model.contact import BECAUSE, HeldMail
from gitmaild.model.ids import MESSAGE_ID, hex_of, note_id
from gitmaild.model.message import Message
from gitmaild.model.names import POSTMASTER, is_desk_name
from gitmaild.rules import foreign, frontmatter, record
from gitmaild.rules.acquainted import acquaint
from gitmaild.rules.copies import copies, inbox_put
from gitmaild.rules.due import is_open
from gitmaild.rules.mailbox import Mailbox


def put(held: HeldMail, project: str) -> Put:
    fields: list[tuple[str, frontmatter.Written]] = [
        ("message", held.message_id),
        ("recipient", held.recipient),
        ("sender", held.sender),
        ("until", held.until),
        ("because", held.because),
    ]
    return Put(path(held, project), frontmatter.write(fields).encode())


def path(held: HeldMail, project: str) -> str:
    return f"{layout.held(project)}/{layout.moment(held.until)}_{held.recipient}_{hex_of(held.message_id)}.yaml"


def waiting(mailbox: Mailbox, *, recipient: str = "", message: Message | None = None) -> Iterator[HeldMail]:
    """What waits, the first to be sent back first; `recipient`: of that agent alone, `message`: of that message alone.

    A file that cannot be read as what it should be is none.
    """
    top = layout.held(mailbox.project)
    for name in tuple(mailbox.tree.names(top)):
        whose = name.removesuffix(".yaml").split("_")
        if len(whose) != 3 or (recipient and whose[1] != recipient) or (message and whose[2] != hex_of(message.id)):
            continue
        held = _parsed(mailbox.tree.read(f"{top}/{name}") or b"")
        if held and path(held, mailbox.project) == f"{top}/{name}" and (message is None or held.message_id == message.id):
            yield held


def next_held(mailbox: Mailbox) -> datetime | None:
    """When the next of it is let in, or sent back."""
    return next((held.until for held in waiting(mailbox)), None)


def let_in(held: Iterable[HeldMail], mailbox: Mailbox, now: datetime) -> tuple[list[Put], list[str], list[Message]]:
    """(puts, drops, messages that went in) of letting held mail in. What the mailbox has lost is dropped."""
    puts: list[Put] = []
    drops: list[str] = []
    messages: list[Message] = []
    for one in held:
        drops.append(path(one, mailbox.project))
        message = original(one, mailbox)
        if message is None or mailbox.held(one.recipient, layout.file_name(message)):
            continue
        seen = foreign.seen_from(message, foreign.project_of(one.sender) or mailbox.project, mailbox.project)
        if seen is not message and not mailbox.canonical(message.id) and all(seen.id != m.id for m in messages):
            puts += [*copies(seen, [one.recipient], mailbox), *_attachments(message, one, mailbox)]
        else:
            puts.append(inbox_put(seen, one.recipient, mailbox))
        named = [one.recipient] if is_open(one.recipient, seen, mailbox) else []
        puts += acquaint(seen, [one.recipient], mailbox, now, named=named)
        messages.append(seen)
    return puts, drops, messages


def send_back(one: HeldMail, why: str, mailbox: Mailbox, now: datetime) -> tuple[list[Put], list[Message]]:
    """(puts, notes) of a held message that goes back to its sender: why, and a note that tells of it."""
    home = mailbox.of(foreign.project_of(one.sender))
    message = home.message(one.message_id)
    if message is None:
        return [], []
    shown = one.recipient if home.project == mailbox.project else f"{one.recipient}@{mailbox.project}"
    reason = f"{shown}: {why}"
    puts = [Put(f"{layout.returned(home.project, message.id)}/{shown}", f"{reason}\n".encode())]
    sender = one.sender.partition("@")[0]
    if home.profile(sender) is None:
        return puts, []
    own = note_id(f"note_{now:%Y%m%d}_returned {message.id} {shown}")
    note = Message(
        id=own,
        thread_id=own,
        sender=POSTMASTER,
        to=(sender,),
        created=now,
        importance="high",
        subject=f"not delivered to {shown}: {message.subject}"[:200],
        in_reply_to=message.id,
        extra=(("bounced", (reason,)),),
        body=f"\nYour message {message.id} was held for {shown}, and is not delivered:\n\n- {reason}\n",
    )
    return [*puts, *copies(note, [sender], home)], [note]


def sent_back(message: Message, mailbox: Mailbox) -> list[str]:
    """Why copies of a message went back after they were held: a line for each recipient."""
    top = layout.returned(mailbox.project, message.id)
    return [(mailbox.tree.read(f"{top}/{name}") or b"").decode(errors="replace").strip() for name in mailbox.tree.names(top)]


def original(held: HeldMail, mailbox: Mailbox) -> Message | None:
    """A held message as its sender's project has it."""
    return mailbox.of(foreign.project_of(held.sender)).message(held.message_id)


def _attachments(message: Message, held: HeldMail, mailbox: Mailbox) -> list[Put]:
    """The files of a message from another project, which that project has."""
    home = foreign.project_of(held.sender)
    pairs = [name.partition("/") for name in message.attachments]
    paths = [(layout.attachment(home, sha, name), layout.attachment(mailbox.project, sha, name)) for sha, _, name in pairs]
    return [Put(there, oid=oid) for here, there in paths if (oid := mailbox.tree.oid(here))]


def _parsed(data: bytes) -> HeldMail | None:
    said = record.read(data, "message", "recipient", "sender", "until", "because")
    until = record.moment(said["until"]) if said else None
    if said is None or until is None:
        return None
    held = HeldMail(said["message"], said["recipient"], said["sender"], until, said["because"])
    usable = MESSAGE_ID.fullmatch(held.message_id) and is_desk_name(held.recipient) and held.because in BECAUSE
    return held if usable else None
