"""Where the files of a message go: its canonical copy, a copy for each recipient, all of the same bytes."""

from collections.abc import Iterable

from gitmaild.model import layout
from gitmaild.model.changeset import Put
from gitmaild.model.message import Message
from gitmaild.rules import render
from gitmaild.rules.mailbox import Mailbox


def copies(message: Message, agents: Iterable[str], mailbox: Mailbox) -> list[Put]:
    """The canonical copy and one for each recipient."""
    data = render.message(message)
    canonical = mailbox.leaf(f"{layout.messages(mailbox.project)}/{layout.shard(message.created)}")
    return [
        Put(f"{canonical}/{message.id}.md", data),
        *(Put(_path(message, layout.folder(mailbox.project, agent, "inbox"), mailbox), data) for agent in agents),
    ]


def inbox_put(message: Message, agent: str, mailbox: Mailbox) -> Put:
    """One recipient's copy of a message that the mailbox has."""
    place = _path(message, layout.folder(mailbox.project, agent, "inbox"), mailbox)
    return Put(place, oid=mailbox.tree.oid(mailbox.canonical(message.id)))


def posted_put(message: Message, where: str, name: str, mailbox: Mailbox) -> Put:
    """A message's copy in a queue or on a board."""
    return Put(_path(message, layout.posted(mailbox.project, where, name), mailbox), render.message(message))


def _path(message: Message, top: str, mailbox: Mailbox) -> str:
    return f"{mailbox.leaf(f'{top}/{layout.shard(message.created)}')}/{layout.file_name(message)}"
