"""The search index on Whoosh."""

import os
import time
from mmap import mmap
from pathlib import Path

import pytest

from gitmaild.edges import disk, whoosh_index
from gitmaild.edges.whoosh_index import WhooshIndex
from gitmaild.edges.whoosh_index.codec import Storage
from gitmaild.model.search import ANYWHERE, IndexDamaged, IndexUnavailable, Term
from tests.contracts.search_index import NEXT, TIP, SearchIndexContract, a_document


class TestWhooshIndex(SearchIndexContract):
    @classmethod
    def make(cls, directory: Path) -> WhooshIndex:
        return WhooshIndex(directory, segments=3, apart=False)

    def other_version(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(whoosh_index, "VERSION", "2 whoosh")


@pytest.mark.slow
def test_segments_are_merged_beside_the_daemon(tmp_path: Path) -> None:
    index = WhooshIndex(tmp_path / "index" / "whoosh", segments=4)
    index.open(writing=True)
    for number in range(6):
        index.add([a_document(number, body="token")], TIP)
    assert not index.tend()  # begun, not waited for
    index.add([a_document(6, body="token")], NEXT)
    before = len(index._segments)
    deadline = time.monotonic() + 30
    while len(index._segments) == before and time.monotonic() < deadline:
        index.tend()
        time.sleep(0.02)
    assert len(index._segments) < before
    assert [hit.key for hit in index.newest(Term(ANYWHERE, "token"))] == [f"shop/m{n:04d}" for n in range(6, -1, -1)]
    assert index.checkpoint() == NEXT
    index.close()
    index.open(writing=True)
    assert index.size() == 7
    index.close()


def test_a_merge_of_what_has_changed_meanwhile_is_dropped(tmp_path: Path) -> None:
    index = WhooshIndex(tmp_path / "index" / "whoosh", segments=4, apart=False)
    index.open(writing=True)
    for number in range(6):
        index.add([a_document(number, body="token")], TIP)
    index._begin_merge(index._to_merge())
    index.add([], NEXT, gone=["shop/m0003"])
    index._end_merge()
    assert [hit.key for hit in index.newest(Term(ANYWHERE, "token"))] == [f"shop/m{n:04d}" for n in (5, 4, 2, 1, 0)]
    while index.tend():
        pass
    assert [hit.key for hit in index.newest(Term(ANYWHERE, "token"))] == [f"shop/m{n:04d}" for n in (5, 4, 2, 1, 0)]
    index.close()


def test_a_commit_that_nobody_lived_to_describe_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "index" / "whoosh"
    index = WhooshIndex(directory)
    index.open(writing=True)
    index.add([a_document(1, body="token")], TIP)
    manifest = (directory / "MANIFEST").read_bytes()
    index.add([a_document(2, body="token")], NEXT)
    index.close()
    (directory / "MANIFEST").write_bytes(manifest)
    for writing in (False, True):
        index.open(writing=writing)
        assert (index.size(), index.checkpoint()) == (2, NEXT)
        index.close()


def test_files_of_another_boot_are_read_before_they_are_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "index" / "whoosh"
    index = WhooshIndex(directory)
    index.open(writing=True)
    index.add([a_document(1, body="token")], TIP)
    index.close()
    (segment,) = directory.glob("MAIN_*.seg")
    about = segment.stat()
    data = segment.read_bytes()
    segment.write_bytes(bytes(len(data)))  # as after a power cut: the length is there, the data is not
    os.utime(segment, ns=(about.st_atime_ns, about.st_mtime_ns))
    monkeypatch.setattr(disk, "boot_id", lambda: "another")
    with pytest.raises(IndexDamaged):
        index.open(writing=True)


def test_two_writers_are_one_too_many(tmp_path: Path) -> None:
    first, second = (WhooshIndex(tmp_path / "index" / "whoosh") for _ in range(2))
    first.open(writing=True)
    second.open(writing=True)
    with first._writer(compound=True) as writer:
        with pytest.raises(IndexUnavailable):
            second.add([a_document(1, body="token")], TIP)
        writer.cancel()
    first.close()
    second.close()


def test_a_part_of_a_file_shares_its_memory_and_ends_where_the_part_ends(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    part = Storage(str(tmp_path)).open_file("file").subset(2, 6).subset(1, 3)
    assert isinstance(part._data, mmap)
    assert (part.get(0, 2), part.get(1, 99), part.get(5, 1)) == (b"34", b"45", b"")
    part.seek(1)
    assert (part.read(1), part.tell(), part.read(99)) == (b"4", 2, b"5")
