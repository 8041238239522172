"""Questions to a mailbox tree: who is here, where a message lies, which leaf takes the next entry.

A mailbox is read through `Tree`, a few look-ups by path, so the same answers come from a commit, from a batch that is
being planned, and from a test's dictionary.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from gitmaild.model import layout
from gitmaild.model.errors import Refused
from gitmaild.model.ids import MESSAGE_ID, note_id
from gitmaild.model.layout import AttachmentPath
from gitmaild.model.lease import Lease
from gitmaild.model.message import Message, Value
from gitmaild.model.names import OVERSEER, is_slug
from gitmaild.rules import frontmatter, render
from gitmaild.rules.directory import Directory
from gitmaild.rules.holdings import Holdings, parse_lease
from gitmaild.rules.tree import Tree


@dataclass(frozen=True, slots=True)
class Profile:
    """Who an agent is, as it last said itself."""

    name: str
    program: str = ""
    model: str = ""
    task_description: str = ""
    registered: str = ""
    updated: str = ""
    state: str = "active"
    reason: str = ""

    def fields(self) -> list[tuple[str, Value]]:
        always: list[tuple[str, Value]] = [
            ("agent_name", self.name),
            ("program", self.program),
            ("model", self.model),
            ("task_description", self.task_description),
            ("registered", self.registered),
            ("updated", self.updated),
            ("state", self.state),
        ]
        return always + ([("reason", self.reason)] if self.reason else [])


@dataclass(frozen=True, slots=True)
class Held:
    """One recipient's copy: which folder, and its path."""

    agent: str
    folder: str
    path: str


def projects(tree: Tree) -> list[str]:
    """The projects of a mailbox: directories at its top that are called as one may be."""
    return [name[:-1] for name in tree.names("") if name.endswith("/") and is_slug(name[:-1])]


class Mailbox:
    """One project's part of a tree."""

    def __init__(self, tree: Tree, project: str, holdings: Holdings | None = None) -> None:
        """`holdings` is what was read of the project's leases before, to be brought in line with this tree."""
        self.tree = tree
        self.project = project
        self._holdings = holdings
        self._profiles: dict[tuple[str, str], Profile] = {}
        self._last_leaf: dict[str, int] = {}
        self._directory: tuple[tuple[str, str], Directory] | None = None

    def of(self, project: str) -> "Mailbox":
        """Another project's part of the same tree; this one for its own name, or none."""
        return self if project in ("", self.project) else Mailbox(self.tree, project)

    def directory(self) -> Directory:
        """Roles, groups, queues and boards."""
        state = self.tree.oid(layout.roles(self.project)), self.tree.oid(layout.lists(self.project))
        if self._directory is None or self._directory[0] != state:
            self._directory = state, Directory(self.tree, self.project)
        return self._directory[1]

    def holdings(self) -> Holdings:
        """Who holds what, and who waits for it."""
        self._holdings = self._holdings or Holdings(self.project)
        return self._holdings.look(self.tree)

    def ended_leases(self) -> Iterator[Lease]:
        """Leases that were released or have expired, the newest end first."""
        top = layout.ended_leases(self.project)
        for year in reversed(self.tree.names(top)):
            for month in reversed(self.tree.names(f"{top}/{year[:-1]}")):
                for day in reversed(self.tree.names(f"{top}/{year}{month[:-1]}")):
                    yield from self._ended_on(f"{top}/{year}{month}{day[:-1]}")

    def _ended_on(self, day: str) -> list[Lease]:
        files = [(leaf, name) for leaf in self.leaves_of(day) for name in self.tree.names(leaf) if name.endswith(".yaml")]
        read = (parse_lease(name.removesuffix(".yaml"), self.tree.read(f"{leaf}/{name}") or b"") for leaf, name in files)
        found = [lease for lease in read if lease and lease.ended]
        return sorted(found, key=lambda lease: (lease.ended or lease.expires, lease.fence), reverse=True)

    def fence(self) -> int:
        """The last fencing number that was given, 0 before the first."""
        data = self.tree.read(layout.fence(self.project)) or b""
        digits = data.partition(b": ")[2].strip()
        return int(digits) if digits.isdigit() and len(digits) < 19 else 0

    def exists(self) -> bool:
        return bool(self.tree.oid(layout.project_file(self.project)))

    def agents(self) -> list[str]:
        """The names of all registered agents, the Overseer and the retired included."""
        names = self.tree.names(layout.agents(self.project))
        return [n[:-1] for n in names if n.endswith("/") and self.tree.oid(layout.profile(self.project, n[:-1]))]

    def profile(self, name: str) -> Profile | None:
        oid = self.tree.oid(layout.profile(self.project, name))
        if not oid:
            return None
        if (name, oid) not in self._profiles:
            if len(self._profiles) > 1000:
                self._profiles.clear()
            self._profiles[name, oid] = parse_profile(name, self.tree.read(layout.profile(self.project, name)) or b"")
        return self._profiles[name, oid]

    def taken(self) -> frozenset[str]:
        return frozenset(name.lower() for name in self.agents())

    def everyone(self) -> list[str]:
        """The group `everyone`: all active agents but the Overseer, who reads what is written to people by name."""
        return [n for n in self.agents() if n != OVERSEER and (p := self.profile(n)) and p.state == "active"]

    def canonical(self, message_id: str) -> str:
        """The path of a message's canonical copy, or ''. Ids carry the day of the claim; midnight may fall between."""
        if not MESSAGE_ID.fullmatch(message_id):
            return ""
        day = layout.day_of(message_id)
        for at in (day, *_next_day(day)):
            for leaf in self.leaves(f"{layout.messages(self.project)}/{at}"):
                path = f"{leaf}/{message_id}.md"
                if self.tree.oid(path):
                    return path
        return ""

    def message(self, message_id: str) -> Message | None:
        path = self.canonical(message_id)
        data = self.tree.read(path) if path else None
        if data is None:
            return None
        try:
            return render.parse_message(data)
        except (Refused, KeyError, ValueError):
            return None

    def message_in(self, name: str) -> Message | None:
        """The message whose copies are called `name`. An id has the day of the claim, a name that of the acceptance."""
        parts = layout.parse_file_name(name)
        if parts is None:
            return None
        day = date.fromisoformat(parts.at[:8])
        ids = [f"msg_{at:%Y%m%d}_{parts.hex}" for at in (day, day - timedelta(days=1))]
        return next((found for an_id in ids if (found := self.message(an_id))), None)

    def leaves(self, day: str) -> Iterator[str]:
        """Every leaf below a day's directory."""
        for hour in self.tree.names(day):
            if hour.endswith("/"):
                yield from self.leaves_of(f"{day}/{hour[:-1]}")

    def leaves_of(self, hour: str) -> Iterator[str]:
        """The hour's directory and the numbered ones below it."""
        yield hour
        for name in self.tree.names(hour):
            if name.endswith("/"):
                yield f"{hour}/{name[:-1]}"

    def leaf(self, hour: str) -> str:
        """The leaf below `hour` that takes the next entry (see `layout.LEAF`)."""
        if self.tree.size(hour) < layout.LEAF:
            return hour
        last = self._last_leaf.get(hour, 0)
        if not last:
            last = max((int(leaf.rpartition("/")[2]) for leaf in self.leaves_of(hour) if leaf != hour), default=1)
        if self.tree.size(f"{hour}/{last:03d}") >= layout.LEAF:
            last += 1
        self._last_leaf[hour] = last
        return f"{hour}/{last:03d}"

    def held(self, agent: str, name: str) -> Held | None:
        """Where `agent` has the message file `name`, or None."""
        parts = layout.parse_file_name(name)
        if parts is None:
            return None
        for folder in layout.FOLDERS:
            hour = f"{layout.folder(self.project, agent, folder)}/{parts.shard}"
            for leaf in self.leaves_of(hour):
                if self.tree.oid(f"{leaf}/{name}"):
                    return Held(agent, folder, f"{leaf}/{name}")
        return None

    def holders(self, message: Message) -> list[Held]:
        """Every copy of a message that was delivered: to, cc, then the blind ones."""
        name = layout.file_name(message)
        first = [n for n in dict.fromkeys((*message.to, *message.cc)) if "@" not in n]
        order = dict.fromkeys((*first, *self.agents()))
        return [held for agent in order if (held := self.held(agent, name))]

    def note(self, message: Message) -> Message | None:
        """The note from Postmaster that a partly delivered message gave rise to."""
        return self.message(note_id(message.id))

    def files(self, agent: str, folder: str) -> Iterator[tuple[str, str]]:
        """(name, path) of every copy in a folder of `agent`, oldest first."""
        for leaf in self.leaves_below(layout.folder(self.project, agent, folder)):
            for name in self.tree.names(leaf):
                if not name.endswith("/"):
                    yield name, f"{leaf}/{name}"

    def attachments(self) -> Iterator[tuple[AttachmentPath, str]]:
        """Every attachment of the project, and its path."""
        top = f"{self.project}/attachments"
        for above in self.tree.names(top):
            for sha256 in self.tree.names(f"{top}/{above[:-1]}"):
                for name in self.tree.names(f"{top}/{above}{sha256[:-1]}"):
                    path = f"{top}/{above}{sha256}{name}"
                    if isinstance(place := layout.recognise(path), AttachmentPath):
                        yield place, path

    def leaves_below(self, top: str) -> Iterator[str]:
        """Every leaf below a directory that is sharded by the hour, in order of time."""
        for year in self.tree.names(top):
            for month in self.tree.names(f"{top}/{year[:-1]}"):
                for day in self.tree.names(f"{top}/{year}{month[:-1]}"):
                    yield from self.leaves(f"{top}/{year}{month}{day[:-1]}")


@lru_cache(maxsize=1024)
def parse_profile(name: str, data: bytes) -> Profile:
    """Read a profile; a damaged one still says that the agent exists.

    Remembered: mail to a group of a hundred reads a hundred profiles, and they hardly ever change.
    """
    try:
        fields, _ = frontmatter.read(data, limit=1 << 20, fenced=False)
    except Refused:
        return Profile(name)
    known = {key: fields[key].value for key in Profile.__dataclass_fields__ if key in fields and key != "name"}
    return Profile(name, **known)


def _next_day(day: str) -> tuple[str, ...]:
    """The day after, none for what is no day of the calendar: an id is any eight digits that a sender writes."""
    try:
        after = date(*map(int, day.split("/"))) + timedelta(days=1)
    except (ValueError, OverflowError):
        return ()
    return (f"{after:%Y/%m/%d}",)
