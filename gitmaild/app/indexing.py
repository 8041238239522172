"""From commits and trees to documents: what an index is told, and how it is made from nothing."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from gitmaild.app.ports import BatchTree, Repo, SearchIndex
from gitmaild.app.threads import parsed
from gitmaild.model import layout
from gitmaild.model.changeset import Landed
from gitmaild.model.layout import Canonical
from gitmaild.model.names import POSTMASTER
from gitmaild.model.search import Document
from gitmaild.rules.document import document
from gitmaild.rules.mailbox import Mailbox

# The documents that an index lacks, by key; None for one that it has and must not.
Tail = dict[str, Document | None]
Blobs = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the making of an index is; `total` is 0 where only the newest commits are missing."""

    done: int
    total: int

    def __str__(self) -> str:
        if not self.total:
            return "the search index is catching up with the newest messages"
        return f"the search index is being made: {self.done:,} of {self.total:,} messages"


def changes(commit: Landed, blob: Blobs) -> Tail:
    """What a commit means to an index."""
    found: Tail = {}
    for path in commit.drops:
        if isinstance(place := layout.recognise(path), Canonical):
            found[f"{place.project}/{place.message_id}"] = None
    for path, oid in commit.puts:
        if isinstance(place := layout.recognise(path), Canonical) and (made := indexed(place.project, oid, blob)):
            found[made.key] = made
    return found


def indexed(project: str, oid: str, blob: Blobs) -> Document | None:
    """The document of a canonical file. Notes from Postmaster have none: they name blind recipients."""
    message = parsed(blob(oid))
    return document(project, message, oid) if message and message.sender != POSTMASTER else None


def leaves(tree: BatchTree) -> Iterator[tuple[str, str]]:
    """(project, leaf) for every directory that holds messages, in order of time within each project."""
    for project in tree.names(""):
        if project.endswith("/"):
            for leaf in Mailbox(tree, project[:-1]).leaves_below(layout.messages(project[:-1])):
                yield project[:-1], leaf


def canonical(tree: BatchTree, leaf: str) -> Iterator[str]:
    """The blob ids of the messages in a leaf."""
    for name in tree.names(leaf):
        if isinstance(layout.recognise(f"{leaf}/{name}"), Canonical):
            yield tree.oid(f"{leaf}/{name}")


class Build:
    """What an index lacks: the messages of a tree from some leaf on, and those of the commits after that tree.

    What was done before a kill is not done again: until all leaves of the tree are there, the checkpoint is
    `<commit>:<leaf>`. Only new leaves grow, so the ones before it stay what they were.
    """

    def __init__(self, repo: Repo, base: str, tip: str, leaf: str | None = None) -> None:
        """The leaves before `leaf` in the tree of `base` are in the index; None: all are, '': none is."""
        self._repo, self._base, self._tip, self._leaf = repo, base, tip, leaf
        self._done = self._total = 0
        self._ended = False
        self._read: Tail = {}
        self._source = self._from_commits() if leaf is None else self._from_tree(leaf)

    @property
    def is_done(self) -> bool:
        return self._ended and not self._read

    def checkpoint(self) -> str:
        return self._base if self._leaf is None else f"{self._base}:{self._leaf}"

    def progress(self) -> Progress:
        return Progress(self._done, max(self._total, self._done))

    def read(self, batch: int) -> bool:
        """Read one message or commit more; True where there is enough to be written, or no more to be read."""
        self._ended = next(self._source, None) is None
        return self._ended or len(self._read) >= batch

    def write(self, index: SearchIndex, known: Collection[str]) -> None:
        """Write what was read, but for the documents of which the index has a later version."""
        rows = [(key, found) for key, found in self._read.items() if key not in known]
        gone = [key for key, found in rows if found is None]
        index.add([found for _, found in rows if found], self.checkpoint(), gone=gone)
        self._read = {}

    def _from_tree(self, first: str) -> Iterator[bool]:
        tree = self._repo.walk(self._base)
        places = list(leaves(tree))
        sizes = [tree.size(leaf) for _, leaf in places]
        start = next((at for at, (_, leaf) in enumerate(places) if leaf == first), 0)
        self._done, self._total = sum(sizes[:start]), sum(sizes)
        for project, leaf in places[start:]:
            self._leaf = leaf
            for oid in list(canonical(tree, leaf)):
                if found := indexed(project, oid, self._repo.blob):
                    self._read[found.key] = found
                self._done += 1
                yield True
        self._leaf = None
        yield from self._from_commits()

    def _from_commits(self) -> Iterator[bool]:
        for commit in self._repo.commits(self._base, self._tip) if self._base != self._tip else ():
            self._read |= changes(commit, self._repo.blob)
            self._base = commit.oid
            yield True


def split_checkpoint(checkpoint: str) -> tuple[str, str | None]:
    """(commit, the first leaf of its tree that may be missing, None where none is)."""
    base, colon, leaf = checkpoint.partition(":")
    return base, leaf if colon else None
