"""One mirror: what one desk root shows of the mailbox, and how it is made to show it."""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest

from gitmaild.app.ports import DeskRoot
from gitmaild.model import layout
from gitmaild.model.ids import hex_of, parse_stamp
from gitmaild.model.layout import FOLDERS, AttachmentPath, Copy
from gitmaild.model.message import Message
from gitmaild.model.settings import Settings
from gitmaild.rules.boards import files
from gitmaild.rules.mailbox import Mailbox

# The guard's copy of who holds what, in each root (`model.leaseview`).
VIEW = "leases/.view"


@dataclass(frozen=True, slots=True)
class Answer:
    """A file for somebody's `sent/`."""

    agent: str
    drop: str
    digits: str  # the first eight of its command id
    data: bytes
    at: datetime


class Mirror:
    """Writes desks. What it wrote it remembers, so that no directory is listed for every message."""

    def __init__(self, root: DeskRoot, settings: Settings) -> None:
        self.root, self._settings = root, settings
        self.project = root.project
        self.desks = set(root.desks())
        self.forget_empty()
        self._sent: dict[str, OrderedDict[str, str]] = {}
        self._filed: dict[tuple[str, str], set[str]] = {}
        self._pages: OrderedDict[str, None] = OrderedDict()

    def forget_empty(self) -> None:
        """Leave out desks that nobody has filled: made, or removed and made again, since the root was last looked at."""
        self.desks -= {agent for agent in self.desks if not self.root.exists(f"agents/{agent}/sent")}

    def sweep(self) -> None:
        """Remove the drafts that a killed daemon left where it writes; an agent's own drafts lie in its outbox."""
        desks = [f"agents/{agent}/{folder}" for agent in self.desks for folder in (*FOLDERS, "sent", "rejected")]
        for directory in ("", "threads", "leases", *desks):
            for name in self.root.names(directory):
                if name[0] == "." and name.endswith(".tmp"):
                    self.root.remove(f"{directory}/{name}".lstrip("/"))

    # --- one thing shown

    def copy(self, place: Copy, came_from: str, data: bytes | None) -> None:
        """Show a recipient's copy, which was in the folder `came_from` until now ('' for none)."""
        desk = f"agents/{place.agent}"
        target = f"{desk}/{place.folder}/{place.name}"
        moved = came_from and self.root.move(f"{desk}/{came_from}/{place.name}", target)
        if not moved and data is not None:
            self.root.put(target, data, mtime_ns=created(place.name))
        if place.folder != "inbox":
            self._note_filed(place.agent, place.folder, place.name)

    def attachment(self, place: AttachmentPath, data: bytes | None) -> None:
        """Show an attachment, once for all messages that carry it."""
        path = f"files/{place.sha256}/{place.name}"
        if data is not None and self.root.read(path) != data:
            self.root.put(path, data)

    def posted(self, path: str, data: bytes | None) -> None:
        """Show a message of a queue or a board, or show it no longer. `path` is in the root."""
        if data is None:
            self.root.remove(path)
        else:
            self.root.put(path, data, mtime_ns=created(path.rpartition("/")[2]))

    def show_posted(self, mailbox: Mailbox) -> None:
        """Show what lies in queues and on boards, and nothing else there."""
        for where in ("queues", "boards"):
            lists = [name[:-1] for name in mailbox.tree.names(f"{mailbox.project}/{where}")]
            wanted = {f"{where}/{name}/{file}": at for name in lists for file, at in files(where, name, mailbox)}
            here = [f"{where}/{name}" for name in self.root.names(where) if name[0] != "."]
            for path in [f"{box}/{file}" for box in here for file in self.root.names(box)]:
                if path not in wanted:
                    self.root.remove(path)
            for path, at in wanted.items():
                data = mailbox.tree.read(at)
                if data is not None and self.root.read(path, limit=1 << 26) != data:
                    self.posted(path, data)

    def lease(self, lease_id: str, data: bytes | None) -> None:
        """Show a lease that is held, or show it no longer."""
        path = f"leases/{lease_id}.yaml"
        if data is None:
            self.root.remove(path)
        else:
            self.root.put(path, data)

    def view(self, data: bytes) -> None:
        self.root.put(VIEW, data)

    def leases(self, held: Mapping[str, bytes], view: bytes) -> None:
        """Show these leases, by id, and no others."""
        names = {f"{lease_id}.yaml" for lease_id in held}
        for name in self.root.names("leases"):
            if name not in names and name[0] != ".":
                self.root.remove(f"leases/{name}")
        for lease_id, data in held.items():
            if self.root.read(f"leases/{lease_id}.yaml") != data:
                self.lease(lease_id, data)
        self.view(view)

    def vouch(self, mtime_ns: int) -> None:
        """Say that the lease view is true now."""
        self.root.touch(VIEW, mtime_ns)

    def agent(self, name: str) -> None:
        """Complete the desk of an agent that has registered, where it is known to have one here."""
        if name in self.desks:
            self.root.make_desk(name)

    def answer(self, answer: Answer) -> None:
        if answer.agent not in self.desks:
            return
        sent = self._answers(answer.agent)
        name = f"{answer.drop}.{answer.digits}.md"
        self.root.put(f"agents/{answer.agent}/sent/{name}", answer.data, mtime_ns=_nanoseconds(answer.at))
        sent[answer.digits] = name
        while len(sent) > self._settings.mirror_newest:
            _, oldest = sent.popitem(last=False)
            self.root.remove(f"agents/{answer.agent}/sent/{oldest}")

    def keep_answers(self, agent: str, digits: Collection[str]) -> None:
        """Remove the answers of commands that the mailbox does not have, or no longer shows."""
        for known in [known for known in self._answers(agent) if known not in digits]:
            self.root.remove(f"agents/{agent}/sent/{self._answers(agent).pop(known)}")

    def refresh(self, message: Message, data: bytes) -> None:
        """Bring the sender's answer to the state that the copies have now, where it is still shown."""
        if message.sender in self.desks and (name := self._answers(message.sender).get(hex_of(message.id)[:8])):
            self.root.put(f"agents/{message.sender}/sent/{name}", data, mtime_ns=_nanoseconds(message.created))

    def shown_page(self, page: str) -> bytes | None:
        """A thread's page as it lies here, whoever wrote it last."""
        return self.root.read(f"threads/{page}.md")

    def page(self, page: str, data: bytes, newest: str) -> None:
        """Show a thread whose newest message is of `newest`; the threads that were still longest make room."""
        if not self._pages:
            found = sorted((mtime, name[:-3]) for name, _, mtime in self.root.entries("threads") if name[0] != ".")
            self._pages = OrderedDict((name, None) for _, name in found)
        self.root.put(f"threads/{page}.md", data, mtime_ns=_nanoseconds(parse_stamp(newest)))
        self._pages[page] = None
        self._pages.move_to_end(page)
        while len(self._pages) > self._settings.mirror_threads:
            oldest, _ = self._pages.popitem(last=False)
            self.root.remove(f"threads/{oldest}.md")

    def keep_pages(self, pages: Collection[str]) -> None:
        """Remove every other thread's page."""
        for name, _, _ in list(self.root.entries("threads")):
            if name.removesuffix(".md") not in pages:
                self.root.remove(f"threads/{name}")
        self._pages.clear()

    def filed(self, agent: str, folder: str) -> set[str]:
        """The messages that lie in `read/` or `acked/` and that the tree has there too."""
        return self._filed.setdefault((agent, folder), set())

    # --- compared with the mailbox

    def missing(self, agent: str, mailbox: Mailbox) -> set[str]:
        """Messages of the tree that lie in none of a desk's folders, and should."""
        present = {name for folder in FOLDERS for name in self.root.names(f"agents/{agent}/{folder}")}
        return {name for folder in FOLDERS for name, _ in self._expected(agent, folder, mailbox) if name not in present}

    def reconcile(self, agent: str, mailbox: Mailbox, *, spare: Collection[str] = (), thorough: bool = False) -> list[str]:
        """Compare a desk's three folders with the tree and mend them; what had to be mended. `spare` is left missing.

        An edit shows by its mtime. `thorough` compares lengths as well: a power cut leaves files that are cut short.
        """
        mended: list[str] = []
        for folder in FOLDERS:
            desk = f"agents/{agent}/{folder}"
            present = {name: (mtime, size) for name, size, mtime in self.root.entries(desk)}
            filed: set[str] = set()
            # One name after the other: an inbox may hold a hundred thousand.
            for name, path in self._expected(agent, folder, mailbox):
                mtime, size = present.pop(name, (0, -1))
                if folder != "inbox":
                    filed.add(name)
                if mtime == created(name) and not thorough:
                    continue
                if not mtime and (name in spare or self._lies_higher(agent, folder, name)):
                    continue
                data = mailbox.tree.read(path)
                if data is None:
                    continue  # damaged, and said so by an alarm; what is shown may be the last copy there is
                if (mtime, size) != (created(name), len(data)) and self.mend(f"{desk}/{name}", data):
                    mended.append(f"{desk}/{name}")
            self._filed[agent, folder] = filed
            mended += [f"{desk}/{name}" for name in present if self._unwanted(agent, folder, name, mailbox)]
        return mended

    def ensure(self, agent: str, name: str, mailbox: Mailbox) -> None:
        """Make one message lie where the tree has it, unless its agent has just filed it further."""
        held = mailbox.held(agent, name)
        for folder in FOLDERS:
            if held is None or FOLDERS.index(folder) < FOLDERS.index(held.folder):
                self.root.remove(f"agents/{agent}/{folder}/{name}")
        if held is None or self._lies_higher(agent, held.folder, name):
            return
        if held.folder != "inbox":
            self._note_filed(agent, held.folder, name)
            if name not in self.filed(agent, held.folder):
                return
        if (data := mailbox.tree.read(held.path)) is not None:
            self.mend(f"agents/{agent}/{held.folder}/{name}", data)

    def put_back(self, agent: str, folder: str, name: str, mailbox: Mailbox) -> None:
        """Take a message out of a folder that it was moved to in vain, and show it where the tree has it."""
        self.root.remove(f"agents/{agent}/{folder}/{name}")
        self.ensure(agent, name, mailbox)

    def mend(self, path: str, data: bytes) -> bool:
        """Make a message's file hold `data`; False: it did.

        Bytes that somebody else wrote there are kept as `.orig`; a file that was only cut short holds nothing to keep.
        """
        at = created(path.rpartition("/")[2])
        found = self.root.read(path, limit=1 << 26)
        if found == data:
            self.root.touch(path, at)
            return False
        if found is not None and not data.startswith(found):
            self.root.move(path, f"{path}.orig")
        self.root.put(path, data, mtime_ns=at)
        return True

    def _unwanted(self, agent: str, folder: str, name: str, mailbox: Mailbox) -> bool:
        """Remove a message that should not lie in this folder; True where it was removed.

        Lower than the tree has it, or older than what is shown. Higher is a wish that filing has not seen yet.
        """
        path = f"agents/{agent}/{folder}/{name}"
        if layout.parse_file_name(name) is None:
            return False
        held = mailbox.held(agent, name)
        if held is None:
            # Named like a message, and the mailbox has none: not ours to show, not ours to destroy.
            return self.root.move(path, f"{path}.orig")
        if FOLDERS.index(held.folder) < FOLDERS.index(folder):
            return False
        self.root.remove(path)
        return True

    def _expected(self, agent: str, folder: str, mailbox: Mailbox) -> Iterable[tuple[str, str]]:
        """What a desk's folder should show: file names and their tree paths."""
        files = ((name, path) for name, path in mailbox.files(agent, folder) if layout.recognise(path))
        return files if folder == "inbox" else nlargest(self._settings.mirror_newest, files)

    def _note_filed(self, agent: str, folder: str, name: str) -> None:
        for other in FOLDERS[1:]:
            self.filed(agent, other).discard(name)
        filed = self.filed(agent, folder)
        filed.add(name)
        while len(filed) > self._settings.mirror_newest:
            oldest = min(filed)
            filed.discard(oldest)
            self.root.remove(f"agents/{agent}/{folder}/{oldest}")

    def _lies_higher(self, agent: str, folder: str, name: str) -> bool:
        higher = FOLDERS[FOLDERS.index(folder) + 1 :]
        return any(self.root.exists(f"agents/{agent}/{f}/{name}") for f in higher)

    def _answers(self, agent: str) -> OrderedDict[str, str]:
        """The answers in `sent/`, oldest first: eight hex digits of the command id to the file's name."""
        if agent not in self._sent:
            found = sorted((mtime, name) for name, _, mtime in self.root.entries(f"agents/{agent}/sent"))
            named = [(name.rsplit(".", 2)[-2], name) for _, name in found if name.count(".") >= 2 and name[0] != "."]
            self._sent[agent] = OrderedDict(named)
        return self._sent[agent]


def created(name: str) -> int:
    """The time in a message's file name, in nanoseconds: the mtime of its mirrored copies, so that stat tells an edit."""
    return _nanoseconds(datetime.fromisoformat(name[:23]))


def _nanoseconds(moment: datetime) -> int:
    return (int(moment.timestamp()) * 1_000_000 + moment.microsecond) * 1_000
