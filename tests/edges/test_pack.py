"""Packs written by hand, held against git and against a dictionary."""

import gc
import itertools
import os
import random
import shutil
import weakref
from collections.abc import Callable
from hashlib import sha1
from pathlib import Path

import pygit2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitmaild.edges import pack as pack_module
from gitmaild.edges.pack import BLOB, COMMIT, Pack
from gitmaild.edges.repo import Repo
from gitmaild.edges.tree import Tree
from tests.edges.mailboxes import contents, files, fsck, git

WHO = "GreenCastle <GreenCastle@gitmaild> 1767225600 +0000"


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("empty")
    Repo.create(home / "mailbox.git")
    return home / "mailbox.git"


@pytest.fixture
def repository(empty: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(empty, tmp_path / "mailbox.git"))


def land(repository: Path, pack: Pack) -> Path:
    """Land a pack, let go of its keep, and let git index a copy of it: the index must be ours, byte for byte."""
    keep = pack.land(repository / "objects" / "pack")
    assert keep.read_bytes().startswith(b"gitmaild")
    keep.unlink()
    ours = keep.with_suffix(".idx").read_bytes()
    alone = repository.parent / "alone.pack"
    shutil.copy(keep.with_suffix(".pack"), alone)
    git(repository, "index-pack", "--strict", "-o", str(alone.with_suffix(".idx")), str(alone))
    assert alone.with_suffix(".idx").read_bytes() == ours
    for suffix in (".pack", ".idx"):
        alone.with_suffix(suffix).unlink()
    return keep.with_suffix(".pack")


def depths(repository: Path, pack: Path) -> list[int]:
    """The length of every delta's chain in a pack, 0 for an object that is whole."""
    lines = git(repository, "verify-pack", "-v", str(pack.with_suffix(".idx"))).splitlines()
    rows = [line.split() for line in lines if line[:40].strip("0123456789abcdef") == "" and len(line) > 40]
    return [int(row[5]) if len(row) > 5 else 0 for row in rows]


class Story:
    """Commits written through `edges.tree` and `edges.pack`, and the same history as dictionaries."""

    def __init__(self, repository: Path) -> None:
        self.repository = repository
        self.oracle = pygit2.init_repository(str(repository.parent / "oracle.git"), bare=True)
        self.head, self.root = b"", b""
        self.tree = self.reload()
        self.now: dict[str, bytes] = {}
        self.states: list[tuple[str, dict[str, bytes]]] = []

    def reload(self) -> Tree:
        """A tree that remembers nothing."""
        store = pygit2.Repository(str(self.repository))
        self.tree = Tree(self.root, lambda oid: bytes(store.read(pygit2.Oid(raw=oid))[1]))
        return self.tree

    def edit(self, pack: Pack, path: str, data: bytes | None) -> None:
        if data is None:
            self.tree.drop(path)
            self.now.pop(path, None)
        else:
            self.tree.put(path, pack.add(BLOB, data), data)
            self.now[path] = data

    def commit(self, pack: Pack) -> None:
        self.root = self.tree.write(pack)
        parent = f"parent {self.head.hex()}\n" if self.head else ""
        text = f"tree {self.root.hex()}\n{parent}author {WHO}\ncommitter {WHO}\n\nchange {len(self.states)}\n"
        self.head = pack.add(COMMIT, text.encode())
        self.states.append((self.head.hex(), dict(self.now)))

    def land(self, pack: Pack) -> Path:
        path = land(self.repository, pack)
        git(self.repository, "update-ref", "refs/heads/main", self.head.hex())
        return path

    def check(self) -> None:
        """git finds nothing amiss; the commits hold what the dictionary held, under the ids that git would give."""
        fsck(self.repository)
        for commit, expected in self.states[-12:]:
            index = pygit2.Index()
            for path, data in expected.items():
                index.add(pygit2.IndexEntry(path, self.oracle.create_blob(data), pygit2.enums.FileMode.BLOB))
            assert git(self.repository, "rev-parse", f"{commit}^{{tree}}").strip() == str(index.write_tree(self.oracle))
        assert files(self.repository) == self.now

    def check_reading(self) -> None:
        """The tree in memory answers as the dictionary does."""
        for path, data in self.now.items():
            assert self.tree.read(path) == data
        top = {path.partition("/")[0] + ("/" if "/" in path else "") for path in self.now}
        assert self.tree.names("") == sorted(top)


# Names whose order differs from that of plain strings: `a/` sorts behind `a-b` and before `a0`.
DIRECTORIES = ["", "a/", "a/b/", "a/b/c/", "a-b/", "a.b/", "a0/", "z/inbox/", "z/read/"]
NAMES = [f"{n:03}.md" for n in range(6)] + ["a.md", "a-b.md", "inbox.md", "zz.md"]
DATA = st.one_of(st.binary(max_size=40), st.sampled_from([b"the same", b"x" * 600, b"", bytes(range(256)) * 5]))
EDIT = st.tuples(st.sampled_from([d + n for d in DIRECTORIES for n in NAMES]), st.one_of(st.none(), DATA, DATA))
CROWD = st.tuples(st.sampled_from(["z/inbox/", "a/b/"]), st.integers(0, 400), st.integers(1, 120), st.booleans())
COMMITS = st.lists(st.tuples(st.lists(EDIT, max_size=8), st.one_of(st.none(), CROWD)), min_size=1, max_size=8)


@settings(max_examples=settings.default.max_examples // 2)
@given(batches=st.lists(st.tuples(COMMITS, st.booleans()), min_size=1, max_size=4))
def test_whatever_is_edited_in_whatever_batches_git_reads_what_was_meant(
    empty: Path, tmp_path_factory: pytest.TempPathFactory, batches: list
) -> None:
    place = tmp_path_factory.mktemp("story")
    try:
        story = Story(Path(shutil.copytree(empty, place / "mailbox.git")))
        for commits, forgetful in batches:
            if forgetful:
                story.reload()
            pack = Pack()
            for edits, crowd in commits:
                for path, data in edits:
                    story.edit(pack, path, data)
                if crowd:
                    directory, start, count, present = crowd
                    for number in range(start, start + count):
                        story.edit(pack, f"{directory}n{number:04}.md", b"in a crowd" if present else None)
                story.commit(pack)
            story.land(pack)
            story.check_reading()
        story.check()
    finally:
        shutil.rmtree(place)


def test_chains_of_deltas_end_at_thirty_two(repository: Path) -> None:
    story, pack = Story(repository), Pack()
    for number in range(120):
        story.edit(pack, f"shop/inbox/{number * 7 % 120:04}.md", b"%d" % number)
        story.commit(pack)
    found = depths(repository, story.land(pack))
    assert max(found) == 32
    assert found.count(32) >= 2
    story.check()


def test_a_version_that_comes_back_is_not_written_twice_and_is_leaned_on_again(repository: Path) -> None:
    story, pack = Story(repository), Pack()
    for number in range(40):
        story.edit(pack, f"shop/{number:04}.md", b"there from the start")
    story.commit(pack)
    before = len(pack)
    for _ in range(5):
        story.edit(pack, "shop/0020.md", None)
        story.commit(pack)
        story.edit(pack, "shop/0020.md", b"there from the start")
        story.commit(pack)
    assert len(pack) == before + 10 + 2  # ten commits; the tree without, and the top above it
    story.land(pack)
    story.check()


def test_an_emptied_mailbox_is_an_empty_tree(repository: Path) -> None:
    story, pack = Story(repository), Pack()
    story.edit(pack, "shop/agents/RedCat/inbox/a.md", b"hello")
    story.commit(pack)
    story.edit(pack, "shop/agents/RedCat/inbox/a.md", None)
    story.commit(pack)
    story.land(pack)
    assert story.root.hex() == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    story.check()


def test_a_large_tree_is_changed_at_places_whose_lengths_have_bytes_of_zero(repository: Path) -> None:
    # An entry of a name of 36 letters is 64 bytes: the n-th begins at 64 n, so that copies begin and end at 0x100 and 0x10000.
    story, pack = Story(repository), Pack()
    names = [f"{2 * number:033}.md" for number in range(1100)]
    for name in names:
        story.edit(pack, f"shop/{name}", b"")
    story.commit(pack)
    for place in (4, 1024, 1023, 1025, 0, 1096, 76):
        story.edit(pack, f"shop/{2 * place - 1:033}.md" if place else f"shop/{'-' * 36}", b"put in between")
        story.commit(pack)
        story.edit(pack, f"shop/{names[place]}", b"replaced")
        story.commit(pack)
        story.edit(pack, f"shop/{names[place]}", None)
        story.commit(pack)
    path = story.land(pack)
    assert max(depths(repository, path)) == 21
    assert path.stat().st_size < 100_000
    story.check()


def _entries(oids: list[bytes]) -> list[bytes]:
    return [b"100644 %036d\0" % number + oid for number, oid in enumerate(oids)]


@pytest.mark.parametrize("place", [0, 262_144])
def test_a_copy_longer_than_an_instruction_can_say_takes_two(repository: Path, place: int) -> None:
    pack = Pack()
    plain, other = pack.add(BLOB, b"plain"), pack.add(BLOB, b"other")
    oids = [plain] * 262_200  # of 64 bytes each: more than 0xffffff
    _, first = pack.add_tree(_entries(oids), None, 0, 0)
    oids[place] = other
    entries = _entries(oids)
    after = b"".join(entries)
    oid, second = pack.add_tree(entries, first, place, len(entries) - place - 1)
    assert second and (second.chain, second.size) == (1, len(after))
    keep = pack.land(repository / "objects" / "pack")
    assert contents(repository, [oid.hex()]) == {oid.hex(): after}
    git(repository, "verify-pack", str(keep.with_suffix(".idx")))


@pytest.mark.parametrize("between", [0, 60, 1 << 14, (1 << 14) + 127, 1 << 21, (1 << 21) + (1 << 14), 3 << 20])
def test_a_delta_reaches_back_over_any_distance(repository: Path, between: int) -> None:
    story, pack = Story(repository), Pack()
    for number in range(30):
        story.edit(pack, f"shop/{number:04}.md", b"same")
    story.commit(pack)
    story.edit(pack, "attachment", random.Random(1).randbytes(between))
    story.edit(pack, "shop/0015.md", b"changed")
    story.commit(pack)
    assert max(depths(repository, story.land(pack))) == 1
    story.check()


SIZES = [0, 1, 15, 16, 127, 511, 512, 513, 2047, 2048, 65534, 65535, 65536, 300_000]


@pytest.mark.parametrize(
    "make", [random.Random(7).randbytes, lambda n: b"the same words again\n" * (n // 21) + b"x" * (n % 21)]
)
def test_blobs_of_every_size_are_read_back_by_git(repository: Path, make: Callable[[int], bytes]) -> None:
    pack = Pack()
    blobs = {size: make(size) for size in SIZES}
    oids = {pack.add(BLOB, data).hex(): data for data in blobs.values()}
    land(repository, pack)
    assert contents(repository, oids) == oids


def test_what_is_long_is_deflated_and_what_is_short_is_stored(repository: Path) -> None:
    short, long = Pack(), Pack()
    short.add(BLOB, b"a" * 2048)
    long.add(BLOB, b"a" * 2049)
    assert short.size > 2048 > 100 > long.size


def test_an_object_that_is_added_again_is_in_the_pack_once(repository: Path) -> None:
    pack = Pack()
    assert pack.add(BLOB, b"twice") == pack.add(BLOB, b"twice")
    assert pack.add(BLOB, b"") == pack.add(BLOB, b"")
    assert len(pack) == 2
    land(repository, pack)


def test_an_object_that_the_mailbox_has_may_come_again_in_another_pack(repository: Path) -> None:
    for extra in (b"one", b"two"):
        pack = Pack()
        pack.add(BLOB, b"in both")
        pack.add(BLOB, extra)
        land(repository, pack)
    fsck(repository)


def test_an_empty_pack_is_a_pack(repository: Path) -> None:
    land(repository, Pack())


def test_a_pack_with_every_first_byte_of_an_id_has_a_whole_fan_out(repository: Path) -> None:
    pack, seen = Pack(), set()
    for number in itertools.count():
        data = b"%d" % number
        seen.add(sha1(b"blob %d\0" % len(data) + data).digest()[0])
        pack.add(BLOB, data)
        if len(seen) == 256:
            break
    land(repository, pack)


def test_what_has_landed_does_not_stay_in_memory_with_the_tree(repository: Path) -> None:
    # A day's leaves stay in the tree's cache; each may have been written in another batch.
    story = Story(repository)
    packs = []
    for number in range(3):
        pack = Pack()
        story.edit(pack, f"shop/{number}/a.md", b"words")
        story.commit(pack)
        story.land(pack)
        packs.append(weakref.ref(pack))
    del pack
    gc.collect()
    assert [ref() for ref in packs] == [None, None, None]
    assert story.tree.names("shop") == ["0/", "1/", "2/"]


@pytest.mark.parametrize("call", ["write", "fsync", "rename", "open"])
def test_a_disk_that_refuses_leaves_nothing_of_a_pack_behind(
    repository: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    directory = repository / "objects" / "pack"
    real = getattr(os, call)
    for failing in range(20):
        pack = Pack()
        pack.add(BLOB, b"words")
        calls = itertools.count()

        def refuse(*arguments: object, **named: object) -> object:
            if next(calls) == failing:  # noqa: B023 - called within this round
                raise OSError(28, "No space left on device")
            return real(*arguments, **named)

        with monkeypatch.context() as patch:
            patch.setattr(os, call, refuse)
            try:
                pack.land(directory)
            except OSError:
                assert os.listdir(directory) == []
                continue
        assert len(os.listdir(directory)) == 3
        assert failing >= 2
        return
    raise AssertionError("it never succeeded")


def test_a_pack_appears_with_its_keep_first_and_its_index_last(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = repository / "objects" / "pack"
    seen: list[list[str]] = []
    real = os.rename

    def rename(source: str, target: str) -> None:
        real(source, target)
        seen.append(sorted(p.suffix for p in directory.iterdir() if p.name.startswith("pack-")))

    monkeypatch.setattr(os, "rename", rename)
    pack = Pack()
    pack.add(BLOB, b"words")
    pack.land(directory)
    assert seen == [[".keep", ".pack"], [".idx", ".keep", ".pack"]]


def test_both_files_and_their_directory_are_synced_before_it_returns(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{fd}") if Path("/proc/self/fd").exists() else "")
        real(fd)

    monkeypatch.setattr(pack_module.os, "fsync", fsync)
    pack = Pack()
    pack.add(BLOB, b"words")
    pack.land(repository / "objects" / "pack")
    assert len(synced) == 3
    assert synced[2].endswith("/objects/pack") or not synced[2]
