"""Conversations: which messages a thread has, and its page."""

import contextlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator

from gitmaild.app.ports import BatchTree, Repo, ThreadIndex
from gitmaild.model import layout
from gitmaild.model.errors import MailError, Refused
from gitmaild.model.ids import check_thread_id, stamp, thread_file
from gitmaild.model.layout import Canonical
from gitmaild.model.message import Message
from gitmaild.model.names import POSTMASTER
from gitmaild.model.settings import Settings
from gitmaild.rules import pages, render
from gitmaild.rules.mailbox import Mailbox

# Sections of the threads that were written to last are kept, up to about this many characters; others are read back.
_WARM = 12 * 1024 * 1024

# Messages that are read between two writings of the index, when it is made from nothing.
_AT_ONCE = 5_000

Rows = list[tuple[str, str, str]]


class Threads:
    """Keeps the thread index up with the mailbox, and renders pages from it. Notes from Postmaster are in no thread."""

    def __init__(self, repo: Repo, index: ThreadIndex, settings: Settings) -> None:
        self._repo, self._index, self._settings = repo, index, settings
        self._warm: OrderedDict[tuple[str, str], list[tuple[str, str]]] = OrderedDict()
        self._names: dict[tuple[str, str], str] = {}
        self._weights: dict[tuple[str, str], int] = {}
        self._weight = 0
        self._new: dict[tuple[str, str], Rows] = {}
        self.changed: dict[tuple[str, str], None] = {}  # (project, page) whose page is not written yet

    def add(self, project: str, message: Message, oid: str) -> None:
        """Note a message that has landed; `settle` brings it to the index."""
        key = project, thread_file(message.thread_id)
        self._new.setdefault(key, []).append((stamp(message.created), message.id, oid))
        self._warm.setdefault(key, []).append((message.id, pages.section(message)))
        self._names[key] = message.thread_id
        # In the order of the newest message, which decides whose page makes room.
        self.changed.pop(key, None)
        self.changed[key] = None

    def settle(self) -> None:
        """Write what `add` noted, one append a thread."""
        for (project, page), rows in self._new.items():
            self._index.add(project, page, rows)
        self._new.clear()

    def page(self, project: str, page: str) -> tuple[bytes, str] | None:
        """(a thread's page, the time of its newest message), or None where the index has no such thread."""
        rows = self._index.rows(project, page)
        known = dict(self._warm.get((project, page), ()))
        sections: list[tuple[str, str]] = []
        thread_id = self._names.get((project, page), "")
        for _, message_id, oid in rows[-self._settings.thread_messages :]:
            if message_id not in known or not thread_id:
                message = parsed(self._repo.blob(oid))
                if message is None:
                    continue
                thread_id = message.thread_id
                known[message_id] = pages.section(message)
            sections.append((message_id, known[message_id]))
        if not sections:
            return None
        self._warm[project, page], self._names[project, page] = sections, thread_id
        self._warm.move_to_end((project, page))
        self._weigh(project, page)
        return pages.thread(thread_id, [text for _, text in sections], len(rows), self._settings), rows[-1][0]

    def _weigh(self, project: str, page: str) -> None:
        """Forget the sections of the threads that were still longest, once all together weigh too much."""
        weight = sum(len(text) for _, text in self._warm[project, page])
        self._weight += weight - self._weights.get((project, page), 0)
        self._weights[project, page] = weight
        while self._weight > _WARM and len(self._warm) > 1:
            oldest, _ = self._warm.popitem(last=False)
            self._names.pop(oldest, None)
            self._weight -= self._weights.pop(oldest, 0)

    def messages(self, project: str, thread_id: str) -> list[Message]:
        """Every message of a thread, oldest first."""
        rows = self._index.rows(project, thread_file(thread_id))
        found = (parsed(self._repo.blob(oid)) for _, _, oid in rows)
        return [message for message in found if message and message.thread_id == thread_id]

    def newest(self, project: str) -> list[str]:
        return self._index.newest(project, self._settings.mirror_threads)

    def catch_up(self, tip: str) -> None:
        """Bring the index to the tip: from its checkpoint, or from nothing. The roots write their pages as they catch up."""
        old = self._index.checkpoint()
        if old == tip or not tip:
            return
        if leads_to(self._repo, old, tip):
            puts: Iterable[tuple[str, str]] = (put for commit in self._repo.commits(old, tip) for put in commit.puts)
        else:
            self._index.clear()
            puts = _all_messages(self._repo.tree(tip))
        rows: dict[tuple[str, str], Rows] = {}
        for number, (path, oid) in enumerate(puts):
            if number % _AT_ONCE == 0:
                self._add_rows(rows)
            place = layout.recognise(path)
            message = parsed(self._repo.blob(oid)) if isinstance(place, Canonical) else None
            if place and message and message.sender != POSTMASTER:
                key = place.project, thread_file(message.thread_id)
                rows.setdefault(key, []).append((stamp(message.created), message.id, oid))
        self._add_rows(rows)
        self._index.set_checkpoint(tip)

    def _add_rows(self, rows: dict[tuple[str, str], Rows]) -> None:
        for (project, page), found in rows.items():
            self._index.add(project, page, sorted(found))
        rows.clear()

    def checkpoint(self) -> str:
        return self._index.checkpoint()

    def set_checkpoint(self, tip: str) -> None:
        self._index.set_checkpoint(tip)

    def forget(self) -> None:
        """Drop everything derived; the next `catch_up` makes it from nothing."""
        self._index.clear()
        self._warm.clear()
        self._names.clear()
        self._weights.clear()
        self._weight = 0
        self._new.clear()
        self.changed.clear()


def leads_to(repo: Repo, checkpoint: str, tip: str) -> bool:
    """True for a checkpoint to go on from. Some lie where agents can write, and may hold the id of anything."""
    try:
        return bool(checkpoint) and repo.is_ancestor(checkpoint, tip)
    except MailError:
        return False


def parsed(data: bytes | None) -> Message | None:
    """A canonical file's message, or None for bytes that gitmaild did not write, or that are damaged."""
    if data is None:
        return None
    with contextlib.suppress(Refused, KeyError, ValueError):
        message = render.parse_message(data)
        # A foreign commit may hold any bytes, and this one becomes a file name.
        check_thread_id(message.thread_id)
        return message
    return None


def _all_messages(tree: BatchTree) -> Iterator[tuple[str, str]]:
    """(path, blob id) of every canonical message of every project, in order of time within each."""
    for project in tree.names(""):
        if project.endswith("/"):
            for leaf in Mailbox(tree, project[:-1]).leaves_below(layout.messages(project[:-1])):
                for name in tree.names(leaf):
                    if not name.endswith("/"):
                        yield f"{leaf}/{name}", tree.oid(f"{leaf}/{name}")
