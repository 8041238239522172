"""Is a mailbox as gitmaild wrote it? Its commits, looked at one after the other, oldest first, each against all before it.

Nothing that was accepted ever changes: message files stay as they were made, copies only move on between the folders of
their agent, leases end once, fences grow; and what trailers say is what the tree got. Whatever else is found was done by
hand, or by a bug. What is found is noted and built on, so that one break is told once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256

from gitmaild.model import layout
from gitmaild.model.changeset import COMMITTER, IDENTITY
from gitmaild.model.errors import Refused
from gitmaild.model.history import Change, Recorded
from gitmaild.model.ids import hex_of, parse_stamp, stamp
from gitmaild.model.layout import AttachmentPath, Canonical, Copy, Posted
from gitmaild.model.names import POSTMASTER
from gitmaild.rules import foreign, render
from gitmaild.rules.due import is_named
from gitmaild.rules.verify_leases import Leases

_MODE = "100644"

# Commits that deliver what was sent before.
_LETTING_IN = ("contact-approve", "contact-policy", "dnd", "let-in")

Read = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is not as gitmaild writes it, and where. `path` is '' where it is the commit itself."""

    commit: str
    path: str
    code: str
    text: str


class Verifier:
    """`read` gives a blob's bytes, or None for one that is lost."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._messages: dict[tuple[str, str], str] = {}  # by (project, id): the blob
        self._homes: dict[str, str] = {}  # by id: the project that a message is from
        self._copies: dict[tuple[str, str, str], tuple[str, str]] = {}  # by (project, agent, file name): (folder, blob)
        self._leases = Leases(read)
        self._accepted = ""
        self.has_format = False

    def commit(self, commit: Recorded) -> Iterator[Finding]:
        """What is wrong with the next commit."""
        for code, path, text in self._problems(commit):
            yield Finding(commit.oid, path, code, text)

    def _problems(self, commit: Recorded) -> Iterator[tuple[str, str, str]]:
        yield from self._frame(commit) if commit.kind else _foreign(commit)
        new: dict[str, Change] = {}
        copies: dict[tuple[str, str, str], list[tuple[Copy, Change]]] = {}
        leases: list[Change] = []
        for change in commit.changes:
            yield from _mode(change)
            place = layout.recognise(change.path)
            if isinstance(place, Copy):
                copies.setdefault((place.project, place.agent, place.name), []).append((place, change))
            elif isinstance(place, Canonical):
                yield from self._message(commit, place, change)
                new[place.message_id] = change
            elif isinstance(place, AttachmentPath):
                yield from self._attachment(place, change)
            elif change.path == "FORMAT":
                yield from self._format(change)
            elif Leases.has(change.path):
                leases.append(change)
            else:
                yield from _kept(change)
        for key, found in copies.items():
            yield from self._copy(commit, key, found)
        yield from self._leases.look(leases, commit)
        if commit.kind == "message":
            yield from self._delivered(commit, new)

    def _frame(self, commit: Recorded) -> Iterator[tuple[str, str, str]]:
        """A commit's own words and times."""
        accepted = commit.trailers.get("Accepted", "")
        try:
            seconds = int(parse_stamp(accepted).timestamp())
        except ValueError:
            yield "no-time", "", f"Accepted: {accepted[:40]!r} is no time"
            return
        if commit.committer != IDENTITY or commit.author not in (commit.trailers.get("From"), COMMITTER):
            who = f"author {commit.author}, committer {commit.committer}"
            yield "rewritten", "", f"{who}: not as gitmaild commits for {commit.trailers.get('From', 'nobody')}"
        if (commit.authored, commit.committed) != (seconds, seconds):
            yield "rewritten", "", f"it was accepted at {accepted}, and committed at another time"
        if accepted <= self._accepted:
            yield "time-not-grown", "", f"accepted at {accepted}, which is not after the commit before it ({self._accepted})"
        self._accepted = max(accepted, self._accepted)

    def _format(self, change: Change) -> Iterator[tuple[str, str, str]]:
        said = (self._read(change.after) or b"").decode(errors="replace").strip() if change.after else ""
        self.has_format = bool(change.after)
        if said != layout.FORMAT:
            yield "unknown-format", change.path, f"format {said[:20]!r} is not known; this gitmaild reads {layout.FORMAT}"

    def _message(self, commit: Recorded, place: Canonical, change: Change) -> Iterator[tuple[str, str, str]]:
        if change.before and change.after:
            yield "message-changed", change.path, "a message file changed after its creation"
        elif not change.after:
            yield "message-removed", change.path, "a message file was removed"
        elif self._is_twice(place, change):
            yield "id-twice", change.path, f"{place.message_id} was there before"
        if not change.after:
            return
        known = self._messages.setdefault((place.project, place.message_id), change.after)
        if known == change.after and not change.before:
            yield from self._header(commit, place, change)

    def _is_twice(self, place: Canonical, change: Change) -> bool:
        """False for a new message, and where one goes from its project to another for the first time."""
        found = _opening(self._read(change.after) or b"")
        home = (foreign.project_of(found[2]) if found else "") or place.project
        first = self._homes.setdefault(place.message_id, home)
        return first != home or (place.project, place.message_id) in self._messages

    def _header(self, commit: Recorded, place: Canonical, change: Change) -> Iterator[tuple[str, str, str]]:
        """A new message says of itself what its path and the trailers say."""
        data = self._read(change.after)
        if data is None:
            yield "lost-object", change.path, f"blob {change.after} is lost or damaged"
            return
        said = commit.trailers
        if commit.kind == "message" and place.message_id == said.get("Message-Id"):
            wanted = [
                place.message_id,
                said.get("Thread-Id", ""),
                foreign.address(said.get("From", ""), commit.project, place.project),
                said.get("Accepted", ""),
            ]
        elif commit.kind in _LETTING_IN and self._is_known_elsewhere(place, data):
            return  # sent before, and let in now
        else:
            # A note: its trailers are those of the command that gave rise to it.
            wanted = [place.message_id, "", POSTMASTER, said.get("Accepted", "")]
        found = _opening(data)
        if not found:
            yield "unreadable", change.path, "it is not a message as gitmaild writes one"
            return
        wanted[1] = wanted[1] or found[1]
        for name, want, have in zip(("id", "thread_id", "from", "created"), wanted, found, strict=True):
            if commit.kind and want != have:
                yield (
                    "trailers-disagree",
                    change.path,
                    f"{name} is {have[:120]}, and the commit says {want[:120] or 'nothing'}",
                )
            elif name == "id" and want != have:
                yield "trailers-disagree", change.path, f"its id is {have[:120]}"

    def _is_known_elsewhere(self, place: Canonical, data: bytes) -> bool:
        found = _opening(data)
        return found is not None and (foreign.project_of(found[2]), found[0]) in self._messages

    def _delivered(self, commit: Recorded, new: dict[str, Change]) -> Iterator[tuple[str, str, str]]:
        """What a message's trailers say came to be in the same commit."""
        an_id, project = commit.trailers.get("Message-Id", ""), commit.project
        if an_id not in new:
            yield "trailers-disagree", "", f"Message-Id says {an_id or 'nothing'}, and the commit has no such file"
            return
        given = {
            foreign.address(place.agent, place.project, project)
            for change in commit.changes
            if change.after and isinstance(place := layout.recognise(change.path), Copy)
            if place.name.endswith(f"_{hex_of(an_id)}.md")
        }
        for name in commit.trailers.get("To", "").split(", "):
            if name and name not in given:
                yield "trailers-disagree", new[an_id].path, f"To says {name}, who got no copy"

    def _copy(
        self, commit: Recorded, key: tuple[str, str, str], found: list[tuple[Copy, Change]]
    ) -> Iterator[tuple[str, str, str]]:
        """What happened to one agent's copy of one message."""
        puts = [(place.folder, change) for place, change in found if change.after]
        drops = [(place.folder, change) for place, change in found if not change.after]
        before = self._copies.get(key)
        if not puts:
            self._copies.pop(key, None)
            if not _is_posted(commit, key):
                yield "copy-removed", drops[0][1].path, "a copy was removed, and is in no other folder"
            return
        folder, change = puts[-1]
        self._copies[key] = (folder, change.after)
        if change.before:
            yield "copy-changed", change.path, "a copy changed after it was delivered"
        elif len(puts) > 1 or (before and not drops):
            yield "copy-twice", change.path, f"{key[1]} has it twice"
        elif before is None and folder != "inbox":
            yield "copy-misplaced", change.path, f"it was delivered to {folder}/, not to inbox/"
        elif before and layout.FOLDERS.index(folder) <= layout.FOLDERS.index(before[0]):
            yield "copy-moved-back", change.path, f"it went from {before[0]}/ to {folder}/"
        elif before and commit.kind and not self._is_told(commit, key, change):
            yield "trailers-disagree", change.path, f"{key[1]}'s copy moved, and the commit does not say so"
        parts = layout.parse_file_name(key[2])
        # A message keeps its day but for midnight, and the digits of its id are in the name of each copy.
        canonical = self._canonical(key[0], parts.at[:8], parts.hex) if parts else None
        if canonical != change.after:
            yield "copy-differs", change.path, "it is not the message that the mailbox has under its id"

    def _canonical(self, project: str, day: str, digits: str) -> str | None:
        found = self._messages.get((project, f"msg_{day}_{digits}"))
        return found or self._messages.get((project, f"msg_{_day_before(day)}_{digits}"))

    def _is_told(self, commit: Recorded, key: tuple[str, str, str], change: Change) -> bool:
        """True where the commit is its reader's, and names the message, or must not, since its reader got a blind copy."""
        project, agent, name = key
        if commit.project != project or commit.trailers.get("From") != agent or commit.kind not in ("read", "ack"):
            return False
        ids = commit.trailers.get("Message-Id", "").split(", ")
        return any(name.endswith(f"_{hex_of(an_id)}.md") for an_id in ids) or _is_blind(agent, self._read(change.after))

    def _attachment(self, place: AttachmentPath, change: Change) -> Iterator[tuple[str, str, str]]:
        yield from _kept(change)
        data = self._read(change.after) if change.after else b""
        if data is None:
            yield "lost-object", change.path, f"blob {change.after} is lost or damaged"
        elif change.after and sha256(data).hexdigest() != place.sha256:
            yield "attachment-changed", change.path, "its bytes are not those that its path names"


def is_small(path: str) -> bool:
    """True for what is read whole of every commit, and is best read ahead."""
    return "/messages/" in path or "/lease" in path or path.endswith("/fence.yaml")


def _foreign(commit: Recorded) -> Iterator[tuple[str, str, str]]:
    first = commit.changes[0].path if commit.changes else ""
    more = f" and {len(commit.changes) - 1} more" if len(commit.changes) > 1 else ""
    yield "foreign", first, f"{commit.author} committed this, not gitmaild: {first or 'nothing changed'}{more}"


def _is_posted(commit: Recorded, key: tuple[str, str, str]) -> bool:
    """True where a message goes back into its queue."""
    posted = (layout.recognise(change.path) for change in commit.changes if change.after)
    back = commit.kind in ("give-back", "return")
    return back and any(isinstance(p, Posted) and (p.project, p.file) == (key[0], key[2]) for p in posted)


def _mode(change: Change) -> Iterator[tuple[str, str, str]]:
    if change.after and change.mode != _MODE:
        yield "odd-mode", change.path, f"its mode is {change.mode}, as no file of gitmaild's has"


def _kept(change: Change) -> Iterator[tuple[str, str, str]]:
    """Files that are made once: attachments, remembered answers, `project.yaml`; and profiles, which may change."""
    once = "/attachments/" in change.path or "/requests/" in change.path or change.path.endswith("/project.yaml")
    if once and change.before and change.after:
        yield "file-changed", change.path, "a file that is made once was changed"
    elif (once or change.path.endswith("/profile.yaml")) and not change.after:
        yield "file-removed", change.path, "a file that stays was removed"


def _is_blind(agent: str, data: bytes | None) -> bool:
    try:
        return data is not None and not is_named(agent, render.parse_message(data))
    except (Refused, KeyError, ValueError):
        return False


def _opening(data: bytes) -> tuple[str, str, str, str] | None:
    """(id, thread id, sender, time) of a message file. Most are told by their first lines alone: ten times as fast."""
    lines = data[:2000].decode("utf-8", "replace").split("\n", 6)
    heads = ("---", "id: ", "thread_id: ", "from: ", "to: ", "created: ")
    if len(lines) == 7 and all(line.startswith(head) for line, head in zip(lines, heads, strict=False)):
        found = tuple(lines[at][len(heads[at]) :] for at in (1, 2, 3, 5))
        if not any(text.startswith(('"', "'", "|", ">")) for text in found):
            return found[0], found[1], found[2], found[3]
    try:
        message = render.parse_message(data)
    except (Refused, KeyError, ValueError):
        return None
    return message.id, message.thread_id, message.sender, stamp(message.created)


def _day_before(day: str) -> str:
    from datetime import date, timedelta  # noqa: PLC0415

    try:
        return f"{date(int(day[:4]), int(day[4:6]), int(day[6:])) - timedelta(days=1):%Y%m%d}"
    except (ValueError, OverflowError):
        return day
