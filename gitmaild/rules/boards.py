"""What goes into a queue or onto a board. A board shows its newest; what is older is in the mailbox's history."""

from collections.abc import Iterator

from gitmaild.model import layout
from gitmaild.model.changeset import Put
from gitmaild.model.message import Message
from gitmaild.model.settings import Settings
from gitmaild.rules.copies import posted_put
from gitmaild.rules.fate import Post
from gitmaild.rules.mailbox import Mailbox


def posted(message: Message, fate: Post, mailbox: Mailbox, settings: Settings) -> tuple[Put, list[str]]:
    """(put, drops): where a message is posted, and what makes room for it."""
    put = posted_put(message, fate.where, fate.name, mailbox)
    if fate.where != "boards":
        return put, []
    mailing = mailbox.directory().find(fate.name)
    keep = (mailing.keep if mailing else 0) or settings.board_keep
    before = [path for _, path in files(fate.where, fate.name, mailbox)]
    return put, before[: max(len(before) + 1 - keep, 0)]


def files(where: str, name: str, mailbox: Mailbox) -> Iterator[tuple[str, str]]:
    """(file name, path) of everything in a queue or on a board, the oldest first."""
    for leaf in mailbox.leaves_below(layout.posted(mailbox.project, where, name)):
        for file in mailbox.tree.names(leaf):
            if layout.recognise(f"{leaf}/{file}"):
                yield file, f"{leaf}/{file}"
