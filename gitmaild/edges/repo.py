"""The mailbox repository: one bare git repository, one branch, and the truth.

Reading is pygit2. Writing is `edges.pack` and `edges.ref`: a pack is durable before the ref moves, the ref is durable before
anybody is told.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from heapq import heappop, heappush
from pathlib import Path

import pygit2

from gitmaild.edges import disk
from gitmaild.edges.pack import BLOB, COMMIT, Pack
from gitmaild.edges.plumbing import Damaged, git, git_version
from gitmaild.edges.ref import Main
from gitmaild.edges.tree import PASSING, Tree
from gitmaild.model.changeset import IDENTITY, Changeset, Landed, parse_commit_message
from gitmaild.model.ids import parse_stamp, stamp

# libgit2 would keep 256 MiB of objects and map packs without end; what is read twice is kept by `Tree`.
pygit2.settings.cache_max_size(8 << 20)
pygit2.settings.mwindow_size = 1 << 20
pygit2.settings.mwindow_mapped_limit = 16 << 20
# It also keeps up to 16 MiB of bases for every pack, and maps the packs' indexes: after so many reads it begins anew,
# which takes a few milliseconds.
_LET_GO_AFTER = 2_000

_BRANCH = "ref: refs/heads/main\n"
_CONFIG = {
    "gc.auto": "0",
    "maintenance.auto": "false",
    "receive.autogc": "false",
    "receive.denyNonFastForwards": "true",
    "receive.denyDeletes": "true",
    "receive.fsckObjects": "true",
    "pack.threads": "1",
    "pack.windowMemory": "16m",
    "core.logAllRefUpdates": "false",
}


class Batch:
    """Commits being planned, each on its predecessor's tree. Nothing is on the disk until `land`."""

    def __init__(self, repo: "Repo", tip: str, tree: Tree) -> None:
        self._repo, self.tip, self.tree = repo, tip, tree
        self._head = bytes.fromhex(tip) if tip else b""
        self._pack = Pack()
        self.landed: list[Landed] = []

    @property
    def size(self) -> int:
        return self._pack.size

    def add(self, change: Changeset) -> Landed:
        """Add one commit. Its tree is readable through `tree` at once."""
        oids: dict[int, bytes] = {}
        puts: list[tuple[str, str]] = []
        for path in change.drops:
            self.tree.drop(path)
        for put in change.puts:
            oid = bytes.fromhex(put.oid) if put.oid else oids.get(id(put.data))
            if oid is None:
                oid = oids[id(put.data)] = self._pack.add(BLOB, put.data)
            self.tree.put(put.path, oid, None if put.oid else put.data)
            puts.append((put.path, oid.hex()))
        tree = self.tree.write(self._pack)
        self._head = self._pack.add(COMMIT, _commit(tree, self._head, change))
        trailers = dict((*change.trailers, ("Accepted", stamp(change.at))))
        landed = Landed(self._head.hex(), tuple(puts), change.drops, trailers, change.answer.rstrip("\n"), change.messages)
        self.landed.append(landed)
        return landed

    def land(self) -> None:
        """Bring the batch to the disk and move the tip to its last commit.

        Raises `Stale` where somebody else moved the tip, OSError where the disk refuses; nothing is accepted then.
        """
        if self.landed:
            self._repo.land(self._pack, self.tip, self.landed[-1].oid, self.tree)


class Repo:
    """The mailbox of one home. One process writes: who holds the home's lock."""

    def __init__(self, path: Path) -> None:
        try:
            # Without NO_SEARCH, a mailbox that lost its objects would be looked for in the directories above it.
            self._git = pygit2.Repository(str(path), pygit2.enums.RepositoryOpenFlag.NO_SEARCH)
        except pygit2.GitError as error:
            raise Damaged(f"{path} cannot be opened: {error}") from error
        self.path = path
        self.damaged: dict[str, str] = {}  # blobs that could not be read, and why
        self._packs = path / "objects" / "pack"
        self._tree: tuple[str, Tree] | None = None
        self._main = Main(path)
        self._reads = 0  # since libgit2 last let go of its caches

    @classmethod
    def create(cls, path: Path) -> "Repo":
        """Make an empty mailbox, or open the one that is there."""
        if not (path / "HEAD").exists():
            draft = path.with_name(f".{path.name}.draft")
            shutil.rmtree(draft, ignore_errors=True)  # what a killed `create` left
            formats = ["--object-format=sha1"] + (["--ref-format=files"] if git_version() >= (2, 45) else [])
            git(draft, "init", "--quiet", "--bare", "--template=", *formats, str(draft), bare=False)
            (draft / "HEAD").write_text(_BRANCH)
            for key, value in _CONFIG.items():
                git(draft, "config", key, value)
            (draft / "objects" / "pack").mkdir(exist_ok=True)
            (draft / "refs" / "heads").mkdir(exist_ok=True)
            (draft / "description").write_text("gitmaild mailbox: git log is the audit trail\n")
            for where, _, files in os.walk(draft):
                for name in files:
                    with open(os.path.join(where, name), "rb") as file:
                        disk.sync(file.fileno())
                disk.sync_directory(where)
            draft.rename(path)
            disk.sync_directory(path.parent)
        return cls(path)

    # --- reading

    def tip(self) -> str:
        """The commit that main leads to; '' for an empty mailbox. Raises `Damaged` for a ref that is not one."""
        return self._main.tip()

    def has(self, oid: str) -> bool:
        return bool(oid) and oid in self._git

    def tree(self, commit: str) -> Tree:
        """The tree of a commit, from memory where it is the one that was used last."""
        if self._tree is None or self._tree[0] != commit or self._tree[1].is_large:
            self._tree = (commit, Tree(self._root(commit), self._load, self._load_blob))
        return self._tree[1]

    def walk(self, commit: str) -> Tree:
        """The tree of a commit, for who goes through all of it: it keeps little of what it has read."""
        return Tree(self._root(commit), self._load, self._load_blob, most=PASSING)

    def is_ancestor(self, old: str, new: str) -> bool:
        if not old or old == new:
            return True
        with _reading(f"the history from {new} back to {old}"):
            return self.has(new) and self.has(old) and self._git.descendant_of(new, old)

    def commits(self, old: str, new: str) -> Iterator[Landed]:
        """Every commit after `old` up to `new`, oldest first, read back from the repository.

        Done one after the other to the tree of `old`, they give the tree of `new`. So a merge that somebody pushed is one
        change to its first parent; and where `old` is not on the line of first parents, everything is one change.
        """
        if not new:
            return
        with _reading(f"the commits from {old} to {new}"):
            walker = self._git.walk(new, pygit2.enums.SortMode.TOPOLOGICAL | pygit2.enums.SortMode.REVERSE)
            walker.simplify_first_parent()
            if old:
                walker.hide(old)
            before = old
            for commit in walker:
                if [str(oid) for oid in commit.parent_ids[:1]] != ([before] if before else []):
                    yield self._landed(self._commit(new), self._commit(old))
                    return
                before = str(commit.id)
                yield self._landed(commit)

    def newest_first(self, tip: str) -> Iterator[tuple[str, str, int]]:
        """(id, message, commit time) from `tip` back to the beginning.

        Not with libgit2's walk, which holds on to every pack and every commit that it has seen: 70 MB after 100,000.
        """
        waiting = [(0, tip)] if tip else []
        seen: set[str] = set()
        while waiting:
            _, oid = heappop(waiting)
            self._count_read()
            commit = self._commit(oid)
            yield oid, _message(commit), commit.commit_time
            parents = [self._commit(str(parent)) for parent in commit.parent_ids]
            if seen or len(parents) > 1:  # on a single line, nothing is come to twice
                parents = [parent for parent in parents if str(parent.id) not in seen]
                seen.update(str(parent.id) for parent in parents)
            for parent in parents:
                heappush(waiting, (-parent.commit_time, str(parent.id)))

    def landed(self, oid: str) -> Landed:
        with _reading(f"what commit {oid} changed"):
            return self._landed(self._commit(oid))

    def accepted_at(self, oid: str) -> datetime:
        """When a commit's command was accepted; for a foreign commit, the end of its second."""
        commit = self._commit(oid)
        trailers, _ = parse_commit_message(_message(commit))
        try:
            return parse_stamp(trailers["Accepted"])
        except (KeyError, ValueError):
            # A commit may claim any time at all; what no calendar has counts as none.
            with contextlib.suppress(ValueError, OverflowError, OSError):
                return datetime.fromtimestamp(commit.commit_time + 1, UTC)
            return datetime.fromtimestamp(0, UTC)

    def blob(self, oid: str) -> bytes | None:
        """A blob's bytes, or None where it is damaged."""
        return self._load_blob(bytes.fromhex(oid))

    def _root(self, commit: str) -> bytes:
        return bytes.fromhex(str(self._commit(commit).tree_id)) if commit else b""

    def _commit(self, oid: str) -> pygit2.Commit:
        try:
            found = self._git[oid]
        except (KeyError, ValueError, pygit2.GitError) as error:
            raise Damaged(f"commit {oid} cannot be read: {error}") from error
        if not isinstance(found, pygit2.Commit):
            raise Damaged(f"{oid} is not a commit")
        return found

    def _landed(self, commit: pygit2.Commit, since: pygit2.Commit | None = None) -> Landed:
        """What a commit changed since `since`, its first parent unless another is given."""
        self._count_read()
        since = since or next(iter(commit.parents), None)
        diff = self._git.diff(since.tree, commit.tree) if since else commit.tree.diff_to_tree(swap=True)
        puts, drops = [], []
        for delta in diff.deltas:
            if delta.status == pygit2.enums.DeltaStatus.DELETED:
                drops.append(delta.old_file.path)
            else:
                puts.append((delta.new_file.path, str(delta.new_file.id)))
        trailers, answer = parse_commit_message(_message(commit))
        return Landed(str(commit.id), tuple(puts), tuple(drops), trailers, answer)

    def _load_blob(self, oid: bytes) -> bytes | None:
        """A blob, or None where it is damaged: one message that is lost must not stop the others. Noted in `damaged`."""
        try:
            return self._load(oid)
        except Damaged as error:
            self.damaged[oid.hex()] = str(error)
            return None

    def _load(self, oid: bytes) -> bytes:
        self._count_read()
        try:
            return bytes(self._git.read(pygit2.Oid(raw=oid))[1])
        except (KeyError, pygit2.GitError) as error:
            raise Damaged(f"object {oid.hex()} cannot be read: {error}") from error

    # --- writing

    def batch(self, tip: str) -> Batch:
        tree = self.tree(tip)
        # The last batch's blobs stayed at hand until now, for the mirrors that show them.
        tree.forget_blobs()
        return Batch(self, tip, tree)

    def discard(self) -> None:
        """Forget planned changes, after a batch that did not land."""
        self._tree = None

    def let_go(self) -> None:
        """Forget what reading has left in memory."""
        self._tree = None
        self._free()

    def _count_read(self) -> None:
        self._reads += 1
        if self._reads > _LET_GO_AFTER:
            self._free()

    def _free(self) -> None:
        self._git.free()
        self._reads = 0

    def land(self, pack: Pack, old: str, new: str, tree: Tree) -> None:
        """Pack to disk, then main from `old` to `new`, whose tree is `tree`, each durable.

        Raises `Stale` or OSError. Nothing has changed then, but for one case: where the disk refuses to sync the directory
        after the ref was renamed, `tip` already says `new`, and whether that outlives a power cut is open.
        """
        try:
            keep = self._main.move(old, new, first=lambda: pack.land(self._packs))
            self.secure()
        except BaseException:
            self.discard()
            raise
        with contextlib.suppress(OSError):  # one that stays is removed at the next start; the batch has landed
            keep.unlink()
        tree.landed()
        self._tree = (new, tree)

    def secure(self) -> None:
        """Bring main, as it stands, to the disk: for a tip whose writer died, or whose disk refused, before its own sync."""
        self._main.secure()

    def set_tip(self, oid: str) -> None:
        """Write main anew, for a ref that was found broken."""
        self._main.set(oid)
        self.discard()

    def count(self, tip: str) -> int:
        """How many commits lead to `tip`; git counts them from its commit graph."""
        return int(git(self.path, "rev-list", "--count", tip)) if tip else 0

    def pack_count(self) -> int:
        return sum(name.endswith(".pack") for name in os.listdir(self._packs))

    def clear_leftovers(self, *, before: float) -> list[str]:
        """Remove what a killed writer left: ref locks, keeps, drafts older than `before`. Only under the home's lock."""
        removed = []
        for path in (self.path / "refs" / "heads").rglob("*.lock"):
            removed.append(path.name)
            path.unlink(missing_ok=True)
        drafts = (*self._packs.glob("tmp_*"), *self._packs.glob(".tmp-*"), *self.path.glob("objects/??/tmp_obj_*"))
        for path in (*self.path.glob("*.lock"), *drafts):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    path.unlink()
                    removed.append(path.name)
        for path in self._packs.glob("*.keep"):
            with contextlib.suppress(OSError):
                # An empty one is ours as well: killed before its words were written, or the disk lost them.
                if path.read_bytes()[:8] in (b"gitmaild", b""):
                    path.unlink()
        for path in self._packs.glob("*.idx"):
            if not path.with_suffix(".pack").exists():
                path.unlink(missing_ok=True)
                removed.append(path.name)
        removed += [str(path.relative_to(self.path)) for path in self._empty_objects()]
        return removed

    def _empty_objects(self) -> Iterator[Path]:
        """Loose objects of no bytes, which a power cut leaves and which git never replaces by itself."""
        for path in self.path.glob("objects/??/*"):
            with contextlib.suppress(FileNotFoundError):  # another program's gc was first
                if path.stat().st_size == 0:
                    path.unlink()
                    yield path


@contextlib.contextmanager
def _reading(what: str) -> Iterator[None]:
    """Turn the ways in which pygit2 says that an object is missing or broken into `Damaged`."""
    try:
        yield
    except (KeyError, ValueError, pygit2.GitError) as error:
        raise Damaged(f"{what} cannot be read: {error}") from error


def _message(commit: pygit2.Commit) -> str:
    """A commit's message. Whatever encoding a foreign commit declares, its bytes are read as the UTF-8 that ours are."""
    return bytes(commit.raw_message).decode("utf-8", "replace")


def _commit(tree: bytes, parent: bytes, change: Changeset) -> bytes:
    seconds = int(change.at.timestamp())
    above = f"parent {parent.hex()}\n" if parent else ""
    return (
        f"tree {tree.hex()}\n{above}author {change.author} <{change.author}@gitmaild> {seconds} +0000\n"
        f"committer {IDENTITY} {seconds} +0000\n\n{change.message()}"
    ).encode()
