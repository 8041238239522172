"""Where the copies of a message are now: what its sender's answer says of each recipient."""

from gitmaild.model import layout
from gitmaild.model.directory import BOARD, QUEUE
from gitmaild.model.message import Message
from gitmaild.model.names import parse_address
from gitmaild.rules import held
from gitmaild.rules.boards import files
from gitmaild.rules.mailbox import Mailbox


def states(message: Message, mailbox: Mailbox) -> list[tuple[str, str]]:
    """(recipient, state) of every copy of a message that its sender's project, `mailbox`, has sent.

    States are the folders, `held` at a door, `posted` in a queue or on a board. What was taken out of a queue shows as its
    taker's copy. What was posted on a board was posted, also where the board shows it no longer.
    """
    found = [(copy.agent, copy.folder) for copy in mailbox.holders(message)]
    found += [(one.recipient, "held") for one in held.waiting(mailbox, message=message)]
    name = layout.file_name(message)
    for text in dict.fromkeys((*message.to, *message.cc)):
        if "@" not in text:
            found += _posted(text, name, mailbox)
    # A role of another project says in `roles` who holds it.
    held_by = dict(pair.split("=", 1) for pair in message.roles if "=" in pair)
    for text in dict.fromkeys(held_by.get(text, text) for text in (*message.to, *message.cc)):
        found += _elsewhere(text, message, mailbox) if "@" in text else []
    return found


def _posted(text: str, name: str, mailbox: Mailbox) -> list[tuple[str, str]]:
    mailing = mailbox.directory().find(text)
    if mailing is None or mailbox.profile(text) is not None:
        return []
    if mailing.kind == QUEUE:
        return [(text, "posted") for file, _ in files("queues", text, mailbox) if file == name]
    return [(text, "posted")] if mailing.kind == BOARD else []


def _elsewhere(text: str, message: Message, mailbox: Mailbox) -> list[tuple[str, str]]:
    address = parse_address(text)
    there = mailbox.of(address.project)
    if there is mailbox:
        return []
    if copy := there.held(address.name, layout.file_name(message)):
        return [(text, copy.folder)]
    return [(text, "held") for one in held.waiting(there, recipient=address.name, message=message)]
