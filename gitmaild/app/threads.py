"""Conversations: which messages a thread has, and its page."""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256

from gitmaild.app.ports import BatchTree, Repo, ThreadIndex
from gitmaild.model import layout
from gitmaild.model.errors import MailError, Refused
from gitmaild.model.ids import check_thread_id, is_thread_id, stamp, thread_file
from gitmaild.model.layout import Canonical
from gitmaild.model.message import Message
from gitmaild.model.names import POSTMASTER
from gitmaild.model.settings import Settings
from gitmaild.rules import pages, render
from gitmaild.rules.mailbox import Mailbox

# Messages that are read between two writings of the index, when it is made from nothing.
_AT_ONCE = 5_000

Rows = list[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Page:
    """A thread's page as it should be, the time of its newest message, and how many messages the thread has."""

    data: bytes
    newest: str
    total: int


class Threads:
    """Keeps the thread index up with the mailbox, and renders pages from it. Notes from Postmaster are in no thread."""

    def __init__(self, repo: Repo, index: ThreadIndex, settings: Settings) -> None:
        self._repo, self._index, self._settings = repo, index, settings
        self._new: dict[tuple[str, str], Rows] = {}
        self._sections: dict[tuple[str, str], dict[str, str]] = {}  # of messages that no page shows yet, by id
        self.changed: dict[tuple[str, str], None] = {}  # (project, page) whose page is not written yet

    def add(self, project: str, message: Message, oid: str) -> None:
        """Note a message that has landed; `settle` brings it to the index."""
        key = project, thread_file(message.thread_id)
        self._new.setdefault(key, []).append((stamp(message.created), message.id, oid))
        self._sections.setdefault(key, {})[message.id] = pages.section(message)
        # In the order of the newest message, which decides whose page makes room.
        self.changed.pop(key, None)
        self.changed[key] = None

    def settle(self) -> None:
        """Write what `add` noted, one append a thread."""
        for (project, page), rows in self._new.items():
            self._index.add(project, page, rows)
        self._new.clear()

    def page(self, project: str, page: str, shown: Iterable[bytes | None] = ()) -> Page | None:
        """A thread's page, or None where the index has no such thread.

        `shown` are the bytes of that page as roots show it now. What was written there lies where agents can write, so it
        is built on only where its digest is the one that `note_shown` kept; else all is read back from git.
        """
        rows = self._index.rows(project, page)
        total, thread_id, sections = self._kept(project, page, rows, shown)
        fresh = self._sections.get((project, page), {})
        for _, message_id, oid in rows[max(total, len(rows) - self._settings.thread_messages) :]:
            if thread_id and message_id in fresh:
                sections.append(fresh[message_id])
            elif message := parsed(self._repo.blob(oid)):
                thread_id = message.thread_id
                sections.append(pages.section(message))
        if not sections:
            return None
        return Page(pages.thread(thread_id, sections, len(rows), self._settings), rows[-1][0], len(rows))

    def _kept(self, project: str, page: str, rows: Rows, shown: Iterable[bytes | None]) -> tuple[int, str, list[str]]:
        """(messages, thread id, sections) of the page as it was last written, where some root still shows just that."""
        digest, total = self._index.shown(project, page)
        whole = (data for data in shown if data is not None and self._digest(data) == digest)
        if not 0 < total <= len(rows) or (data := next(whole, None)) is None:
            return 0, "", []
        thread_id, sections = pages.parse_thread(data)
        # A message that somebody pushed may be older than the newest one shown.
        in_order = pages.id_of(sections[-1]) == rows[total - 1][1]
        return (total, thread_id, sections) if in_order else (0, "", [])

    def note_shown(self, project: str, page: str, written: Page) -> None:
        """Remember a page that has been written to some root, for the next one to build on."""
        self._index.set_shown(project, page, self._digest(written.data), written.total)

    def settled(self, project: str, page: str) -> None:
        """Every root that is here shows the page."""
        self._sections.pop((project, page), None)
        self.changed.pop((project, page), None)

    def _digest(self, data: bytes) -> str:
        """Of a page and of the limits it was made within, so that a change of settings makes it anew."""
        limits = f"{self._settings.thread_messages} {self._settings.thread_bytes}\n".encode()
        return sha256(limits + data).hexdigest()[:32]

    def messages(self, project: str, thread_id: str) -> list[Message]:
        """Every message of a thread, oldest first; none of what cannot name a thread, and must not name a file."""
        rows = self._index.rows(project, thread_file(thread_id)) if is_thread_id(thread_id) else []
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
            puts = _all_messages(self._repo.walk(tip))
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
        self._sections.clear()
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
