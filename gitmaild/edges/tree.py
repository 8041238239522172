"""The tree being planned: git's tree objects, kept in memory where commands touch them.

Nodes are loaded from the object store when first walked to. A change marks the nodes above it; `write` hashes just those,
leaf to root, and says where each one's last version stands, so that the next version can be a delta of it.
"""

from bisect import bisect_left
from collections.abc import Callable

from gitmaild.edges.pack import Pack, Place

_BLOB, _TREE = b"100644 ", b"40000 "

# Kept in memory between batches; some 20 KiB a node. Beyond, the cache is dropped and read again as needed.
MAX_NODES = 1_000
# Kept by who goes through all of a mailbox and comes to each directory once.
PASSING = 128


class Node:
    """One directory. `names` are in git's order (a directory's name sorts as if it ended in a slash), `raw` beside them."""

    __slots__ = ("after", "before", "changed", "dirty", "kids", "names", "oid", "place", "raw")

    def __init__(self, names: list[str], raw: list[bytes], oid: bytes = b"") -> None:
        self.names, self.raw, self.oid = names, raw, oid
        self.kids: dict[str, Node] = {}
        self.changed: dict[str, None] = {}  # the kids below which something changed, in order
        self.place: Place | None = None
        self.dirty = False
        self.before = self.after = 0

    @classmethod
    def parse(cls, content: bytes, oid: bytes) -> "Node":
        names, raw, at = [], [], 0
        while at < len(content):
            end = content.index(b"\0", at) + 21
            mode, _, name = content[at : end - 21].partition(b" ")
            names.append(name.decode("latin-1") + ("/" if mode == b"40000" else ""))
            raw.append(content[at:end])
            at = end
        return cls(names, raw, oid)

    def find(self, name: str) -> int:
        """The index of an entry, or -1."""
        index = bisect_left(self.names, name)
        return index if index < len(self.names) and self.names[index] == name else -1

    def touch(self, before: int, after: int) -> None:
        if self.dirty:
            self.before, self.after = min(self.before, before), min(self.after, after)
        else:
            self.dirty, self.before, self.after = True, before, after

    def put(self, name: str, raw: bytes) -> None:
        index = bisect_left(self.names, name)
        if index < len(self.names) and self.names[index] == name:
            if self.raw[index] == raw:
                return
            self.raw[index] = raw
        else:
            self.names.insert(index, name)
            self.raw.insert(index, raw)
        self.touch(index, len(self.names) - 1 - index)

    def drop(self, name: str) -> None:
        index = self.find(name)
        if index >= 0:
            del self.names[index], self.raw[index]
            self.touch(index, len(self.names) - index)

    def link(self, name: str, oid: bytes) -> None:
        """Make the directory `name` lead to `oid`; a file of that name makes room."""
        names, key = self.names, f"{name}/"
        index = bisect_left(names, key)
        if index < len(names) and names[index] == key:
            self.raw[index] = self.raw[index][:-20] + oid
            self.touch(index, len(names) - 1 - index)
        else:
            self.drop(name)
            self.put(key, _TREE + name.encode("latin-1") + b"\0" + oid)

    def mark(self, name: str) -> None:
        """Note that something changed below the directory `name`; what it leads to is known once that is hashed."""
        self.changed[name] = None
        self.touch(len(self.names), len(self.names))


class Tree:
    """One state of the mailbox, and the changes to it that are not written yet. Satisfies `rules.mailbox.Tree`."""

    def __init__(
        self,
        root: bytes,
        load: Callable[[bytes], bytes],
        load_blob: Callable[[bytes], bytes | None] | None = None,
        *,
        most: int = 0,
    ) -> None:
        """`load(oid)` gives an object's content; `root` is the id of the top tree, or b"" for an empty mailbox.

        Of what only was read, no more than `most` directories are kept, as many as a batch may need where it says 0.
        """
        self._load, self._load_blob, self._most = load, load_blob or load, most or MAX_NODES
        self._blobs: dict[bytes, bytes] = {}
        self._count = 0
        self._unlanded = False  # changes, written to a pack or not, that only this process knows
        self._root = self._node(root) if root else Node([], [])
        # Directories that were walked to, each with those above it, from the top: a path is asked for many times a command.
        self._walked: dict[str, tuple[Node, ...]] = {"": (self._root,)}

    @property
    def is_large(self) -> bool:
        return self._count > self._most

    # --- reading

    def names(self, path: str) -> list[str]:
        node = self._walk(path)
        return node.names if node else []

    def entries(self, path: str) -> list[tuple[str, str]]:
        node = self._walk(path)
        return [(name, raw[-20:].hex()) for name, raw in zip(node.names, node.raw, strict=True)] if node else []

    def size(self, path: str) -> int:
        node = self._walk(path)
        return len(node.names) if node else 0

    def oid(self, path: str) -> str:
        parent, _, name = path.rpartition("/")
        node = self._walk(parent)
        if node is None:
            return ""
        index = node.find(name)
        if index < 0:
            index = node.find(name + "/")
        return node.raw[index][-20:].hex() if index >= 0 else ""

    def read(self, path: str) -> bytes | None:
        parent, _, name = path.rpartition("/")
        node = self._walk(parent)
        index = node.find(name) if node else -1
        if node is None or index < 0:
            return None
        oid = node.raw[index][-20:]
        return self._blobs[oid] if oid in self._blobs else self._load_blob(oid)

    def blob(self, oid: str) -> bytes | None:
        """The bytes of a blob that was put since the last `forget_blobs`, or that the store has."""
        raw = bytes.fromhex(oid)
        return self._blobs[raw] if raw in self._blobs else self._load_blob(raw)

    def landed(self) -> None:
        """What was written is in the store now: nodes may be forgotten, and read again."""
        self._unlanded = False

    def forget_blobs(self) -> None:
        self._blobs.clear()

    # --- changing

    def put(self, path: str, oid: bytes, data: bytes | None = None) -> None:
        """Make a path hold a blob. As with `git add`, what was a file becomes a directory where the path needs one."""
        self._unlanded = True
        parent, _, name = path.rpartition("/")
        chain = self._chain(parent) or self._make(parent)
        node = chain[-1]
        node.drop(f"{name}/")
        if name in node.kids:
            del node.kids[name]
            self._forget_walks()
        node.changed.pop(name, None)
        node.put(name, _BLOB + name.encode("latin-1") + b"\0" + oid)
        _mark(chain, parent)
        if data is not None:
            self._blobs[oid] = data

    def drop(self, path: str) -> None:
        self._unlanded = True
        parent, _, name = path.rpartition("/")
        if chain := self._chain(parent):
            chain[-1].drop(name)
            _mark(chain, parent)

    def write(self, pack: Pack) -> bytes:
        """Add every changed tree to `pack`; the id of the top tree."""
        self._write(self._root, pack)
        return self._root.oid

    def _write(self, node: Node, pack: Pack) -> None:
        kids = node.kids
        for name in node.changed:
            kid = kids[name]
            self._write(kid, pack)
            if kid.names:
                node.link(name, kid.oid)
            else:
                node.drop(f"{name}/")
                del kids[name]
                self._count -= 1
                self._forget_walks()
        node.changed.clear()
        node.oid, node.place = pack.add_tree(node.raw, node.place, node.before, node.after)
        node.dirty = False

    def _walk(self, path: str) -> Node | None:
        if self._count > self._most and not self._unlanded:
            # Whoever reads the whole history must not keep it.
            self._root.kids.clear()
            self._count = 1
            self._forget_walks()
        chain = self._chain(path)
        return chain[-1] if chain else None

    def _chain(self, path: str) -> tuple[Node, ...] | None:
        """The directory at `path` and those above it, from the top; None where there is none."""
        chain = self._walked.get(path)
        if chain is None:
            above, _, name = path.rpartition("/")
            parents = self._chain(above)
            below = self._child(parents[-1], name) if parents else None
            if parents is None or below is None:
                return None
            chain = self._walked[path] = (*parents, below)
        return chain

    def _make(self, path: str) -> tuple[Node, ...]:
        """`_chain`, with what is missing made."""
        above, _, name = path.rpartition("/")
        parents = self._chain(above) or self._make(above)
        below = self._child(parents[-1], name)
        if below is None:
            below = parents[-1].kids[name] = Node([], [])
            self._count += 1
        chain = self._walked[path] = (*parents, below)
        return chain

    def _forget_walks(self) -> None:
        self._walked = {"": (self._root,)}

    def _child(self, node: Node, name: str) -> Node | None:
        kid = node.kids.get(name)
        if kid is None:
            index = node.find(f"{name}/")
            if index >= 0:
                kid = node.kids[name] = self._node(node.raw[index][-20:])
        return kid

    def _node(self, oid: bytes) -> Node:
        self._count += 1
        return Node.parse(self._load(oid), oid)


def _mark(chain: tuple[Node, ...], path: str) -> None:
    """Note in every directory of a chain, from below, that something changed; what is marked has its own chain marked."""
    names = path.split("/")
    for node, name in zip(reversed(chain[:-1]), reversed(names), strict=False):
        if name in node.changed:
            break
        node.mark(name)
