"""The tree being planned: what it answers while nothing of it is on the disk."""

from hashlib import sha1

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmaild.edges.pack import BLOB, Pack
from gitmaild.edges.tree import MAX_NODES, Node, Tree


class Store:
    """Objects in a dictionary, and how often each was asked for."""

    def __init__(self) -> None:
        self.objects: dict[bytes, bytes] = {}
        self.loads: list[bytes] = []

    def load(self, oid: bytes) -> bytes:
        self.loads.append(oid)
        return self.objects[oid]

    def blob(self, data: bytes) -> bytes:
        oid = sha1(b"blob %d\0" % len(data) + data).digest()
        self.objects[oid] = data
        return oid

    def tree(self, *entries: tuple[bytes, bytes, bytes]) -> bytes:
        content = b"".join(mode + b" " + name + b"\0" + oid for mode, name, oid in entries)
        oid = sha1(b"tree %d\0" % len(content) + content).digest()
        self.objects[oid] = content
        return oid


class Keeping(Pack):
    """A pack that tells a store what was added to it."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store

    def add(self, kind: int, content: bytes) -> bytes:
        oid = super().add(kind, content)
        self.store.objects[oid] = content
        return oid

    def add_tree(self, raw, before, head, tail):  # type: ignore[no-untyped-def]
        oid, place = super().add_tree(raw, before, head, tail)
        self.store.objects[oid] = b"".join(raw)
        return oid, place


def a_tree(**files: bytes) -> Tree:
    tree = Tree(b"", Store().load)
    for path, data in files.items():
        tree.put(path.replace("__", "/"), sha1(b"blob %d\0" % len(data) + data).digest(), data)
    return tree


def test_what_was_put_is_read_before_anything_is_written() -> None:
    tree = a_tree(shop__agents__RedCat=b"red")
    assert tree.read("shop/agents/RedCat") == b"red"
    assert tree.oid("shop/agents/RedCat") == sha1(b"blob 3\0red").hexdigest()
    assert tree.blob(tree.oid("shop/agents/RedCat")) == b"red"


def test_what_is_not_there_is_nothing_and_no_error() -> None:
    tree = a_tree(shop__a=b"a")
    assert tree.read("shop/b") is tree.read("nowhere/at/all") is tree.read("shop/a/below") is None
    assert tree.read("shop") is None
    assert (tree.oid("shop/b"), tree.oid("nowhere/at/all")) == ("", "")
    assert (tree.names("nowhere"), tree.size("nowhere")) == ([], 0)


def test_dropping_what_is_not_there_changes_nothing() -> None:
    tree = a_tree(shop__a=b"a")
    before = tree.write(Pack())
    for path in ("shop/b", "nowhere/at/all", "x"):
        tree.drop(path)
    assert tree.write(Pack()) == before


def test_a_directory_that_is_emptied_is_gone_with_those_above_it() -> None:
    tree = a_tree(shop__a__b__c=b"c", shop__d=b"d")
    tree.write(Pack())
    tree.drop("shop/a/b/c")
    tree.write(Pack())
    assert tree.names("shop") == ["d"]
    assert (tree.oid("shop/a"), tree.names("shop/a/b")) == ("", [])


def test_a_directory_that_was_emptied_can_be_filled_again_in_the_next_commit_of_the_same_batch() -> None:
    store = Store()
    tree, pack = Tree(b"", store.load), Keeping(store)
    tree.put("shop/a", store.blob(b"a"))
    first = tree.write(pack)
    tree.drop("shop/a")
    tree.write(pack)
    tree.put("shop/a", store.blob(b"a"))
    assert tree.write(pack) == first
    assert Tree(first, store.load).read("shop/a") == b"a"


def test_a_directory_sorts_as_if_its_name_ended_in_a_slash() -> None:
    tree = a_tree(**{"a__x": b"", "a-b": b"", "a.md": b"", "a0": b"", "A": b""})
    tree.write(Pack())
    assert tree.names("") == ["A", "a-b", "a.md", "a/", "a0"]


def test_only_what_is_walked_to_is_loaded_and_only_once() -> None:
    store = Store()
    below = store.tree((b"100644", b"m", store.blob(b"m")))
    root = store.tree((b"40000", b"one", below), (b"40000", b"two", store.tree((b"100644", b"n", b"n" * 20))))
    tree = Tree(root, store.load)
    assert tree.names("one") == tree.names("one") == ["m"]
    assert store.loads == [root, below]


def test_entries_that_somebody_else_made_keep_their_modes() -> None:
    store = Store()
    blob = store.blob(b"x")
    entries = [(b"100755", b"run", blob), (b"120000", b"symlink", blob), (b"160000", b"module", b"c" * 20)]
    root = store.tree(entries[2], *entries[:2])
    tree = Tree(root, store.load)
    tree.put("zz", blob)
    content = store.objects[tree.write(Keeping(store))]
    assert content == store.objects[root] + b"100644 zz\0" + blob


def test_names_that_are_not_utf_8_are_kept_as_they_are() -> None:
    store = Store()
    root = store.tree((b"100644", b"caf\xe9", store.blob(b"1")), (b"100644", b"caf\xc3\xa9", store.blob(b"2")))
    store.objects[root] = b"".join(
        sorted([b"100644 caf\xe9\0" + store.blob(b"1"), b"100644 caf\xc3\xa9\0" + store.blob(b"2")])
    )
    tree = Tree(root, store.load)
    tree.put("a", store.blob(b"3"))
    tree.drop("a")
    assert tree.write(Keeping(store)) == sha1(b"tree %d\0" % len(store.objects[root]) + store.objects[root]).digest()


@pytest.mark.parametrize("between", [True, False], ids=["in the next commit", "in the same commit"])
def test_a_file_that_stands_where_a_directory_is_needed_gives_way(between: bool) -> None:
    # Only a commit that somebody else pushed can bring this about; two entries of one name would be a broken tree.
    store = Store()
    tree, pack = Tree(b"", store.load), Keeping(store)
    tree.put("shop/agents", store.blob(b"a file"))
    if between:
        tree.write(pack)
    tree.put("shop/agents/RedCat/profile.yaml", store.blob(b"red"))
    again = Tree(tree.write(pack), store.load)
    assert again.names("shop") == tree.names("shop") == ["agents/"]
    assert again.read("shop/agents/RedCat/profile.yaml") == b"red"


@pytest.mark.parametrize("between", [True, False], ids=["in the next commit", "in the same commit"])
def test_a_directory_that_stands_where_a_file_is_needed_gives_way(between: bool) -> None:
    store = Store()
    tree, pack = Tree(b"", store.load), Keeping(store)
    tree.put("shop/project.yaml/odd", store.blob(b"odd"))
    if between:
        tree.write(pack)
    tree.put("shop/project.yaml", store.blob(b"a file"))
    again = Tree(tree.write(pack), store.load)
    assert again.names("shop") == tree.names("shop") == ["project.yaml"]
    assert again.read("shop/project.yaml") == tree.read("shop/project.yaml") == b"a file"


def test_blobs_are_forgotten_and_then_asked_of_the_store() -> None:
    store = Store()
    tree = Tree(b"", store.load)
    tree.put("a", store.blob(b"a"), b"a")
    assert (tree.read("a"), store.loads) == (b"a", [])
    tree.forget_blobs()
    assert (tree.read("a"), len(store.loads)) == (b"a", 1)


def test_a_tree_that_has_grown_in_memory_says_so() -> None:
    tree = Tree(b"", Store().load)
    for number in range(MAX_NODES):
        tree.put(f"{number}/a", b"a" * 20)
    assert not tree.is_large
    tree.put("more/a", b"a" * 20)
    assert tree.is_large


NAMES = st.text(st.sampled_from("ab-.0~"), min_size=1, max_size=4).filter(lambda name: name not in (".", ".."))


@given(edits=st.lists(st.tuples(NAMES, st.booleans(), st.booleans()), max_size=40))
def test_what_changed_lies_between_what_a_node_says_is_the_same(edits: list[tuple[str, bool, bool]]) -> None:
    node, written = Node([], []), []
    for name, present, write in edits:
        if present:
            node.put(name, name.encode() + bytes([len(edits)]))
        else:
            node.drop(name)
        assert node.names == sorted(set(node.names))
        if node.dirty:
            assert node.raw[: node.before] == written[: node.before]
            assert node.after == 0 or node.raw[-node.after :] == written[-node.after :]
        else:
            assert node.raw == written
        if write:
            node.dirty, written = False, list(node.raw)


def test_a_blob_may_be_named_by_an_id_that_the_store_has(tmp_path) -> None:  # type: ignore[no-untyped-def]
    store = Store()
    pack = Pack()
    tree = Tree(b"", store.load)
    tree.put("a", pack.add(BLOB, b"once"), b"once")
    tree.put("b", bytes.fromhex(tree.oid("a")))
    assert tree.read("b") == b"once"


def test_what_is_not_landed_is_never_forgotten_however_much_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gitmaild.edges.tree.MAX_NODES", 4)

    def nothing(oid: bytes) -> bytes:
        raise AssertionError("asked the store for what only the batch has")

    planned, pack = Tree(b"", nothing), Pack()
    for number in range(20):
        planned.put(f"{number:02d}/a", pack.add(BLOB, b"%d" % number))
        planned.write(pack)
    assert [planned.names(f"{number:02d}") for number in range(20)] == [["a"]] * 20
