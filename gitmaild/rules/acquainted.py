"""Who knows whom by mail: on which day an agent last had mail from another, and who took part in a thread.

Both are files of a line or a few, written where they change: the first mail of a day between two, the first mail of somebody
in a thread. So looking them up costs the same however large the mailbox is.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from hashlib import sha1, sha256

from gitmaild.model import layout
from gitmaild.model.changeset import Put
from gitmaild.model.ids import thread_file
from gitmaild.model.message import Message
from gitmaild.rules.mailbox import Mailbox


def acquaint(message: Message, agents: Iterable[str], mailbox: Mailbox, now: datetime, *, named: Iterable[str]) -> list[Put]:
    """What delivering a message to `agents` says of who knows whom. `named` are those of them who are not blind."""
    today = f"{now:%Y-%m-%d}\n".encode()
    same = _blob_id(today)
    met = [layout.met(mailbox.project, agent, message.sender) for agent in agents if agent != message.sender]
    puts = [Put(path, today) for path in met if mailbox.tree.oid(path) != same]
    named = list(named)
    # Who only asks to be let in has no part in a thread yet.
    if named and message.thread_id != message.id:
        before = participants(message.thread_id, mailbox)
        after = list(dict.fromkeys((*before, message.sender, *named)))
        if len(after) > len(before):
            puts.append(Put(_path(message.thread_id, mailbox), "".join(f"{name}\n" for name in after).encode()))
    return puts


def participants(thread_id: str, mailbox: Mailbox) -> list[str]:
    """Who has written or been written to in a thread, as addresses of this project, in the order of coming."""
    data = mailbox.tree.read(_path(thread_id, mailbox))
    if data is not None:
        return data.decode(errors="replace").split()
    first = mailbox.message(thread_id)
    return [first.sender, *first.to, *first.cc] if first else []


def have_met(one: str, other: str, since: date, mailbox: Mailbox) -> bool:
    """True where either of two had mail from the other on `since` or later."""
    for agent, sender in ((one, other), (other, one)):
        data = mailbox.tree.read(layout.met(mailbox.project, agent, sender)) or b""
        try:
            if date.fromisoformat(data.decode(errors="replace").strip()) >= since:
                return True
        except ValueError:
            continue
    return False


def days_before(now: datetime, days: int) -> date:
    return (now - timedelta(days=days)).date()


def _path(thread_id: str, mailbox: Mailbox) -> str:
    return layout.participants(mailbox.project, thread_file(thread_id), sha256(thread_id.encode()).hexdigest())


def _blob_id(data: bytes) -> str:
    """The id that git gives to a blob of these bytes."""
    return sha1(b"blob %d\0%s" % (len(data), data), usedforsecurity=False).hexdigest()
