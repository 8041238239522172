"""The search index on FTS5."""

import shutil
from pathlib import Path

import pytest

from gitmaild.edges import disk, fts_index
from gitmaild.edges.fts_index import FtsIndex
from gitmaild.model.search import IndexDamaged
from tests.contracts.search_index import NEXT, TIP, SearchIndexContract, a_document


class TestFtsIndex(SearchIndexContract):
    @classmethod
    def make(cls, directory: Path) -> FtsIndex:
        return FtsIndex(directory)

    def other_version(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fts_index, "VERSION", fts_index.VERSION + 1)


def test_a_kill_needs_no_close_look_and_a_changed_file_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    monkeypatch.setattr(FtsIndex, "_look_closely", lambda self: looked.append("closely"))
    index = FtsIndex(tmp_path / "index" / "fts5")
    index.open(writing=True)
    index.add([a_document(n, body=" ".join(f"w{n}x{m}" for m in range(300))) for n in range(200)], TIP)
    shutil.copytree(tmp_path / "index" / "fts5", tmp_path / "killed" / "fts5")  # nothing was closed
    index.close()
    index = FtsIndex(tmp_path / "killed" / "fts5")
    index.open(writing=False)
    index.close()
    index.open(writing=True)
    assert (looked, index.size()) == ([], 200)
    index.close()
    path = tmp_path / "killed" / "fts5" / "fts5.db"
    path.write_bytes(path.read_bytes())
    with pytest.raises(IndexDamaged):
        index.open(writing=True)


def test_after_another_start_of_the_machine_it_is_looked_at_closely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    index = FtsIndex(tmp_path / "index" / "fts5")
    index.open(writing=True)
    index.add([a_document(1, body="token")], TIP)
    index.close()
    monkeypatch.setattr(disk, "boot_id", lambda: "another")
    monkeypatch.setattr(FtsIndex, "_look_closely", lambda self: looked.append("closely"))
    index.open(writing=True)
    assert (looked, index.size()) == (["closely"], 1)
    index.close()


def test_a_log_that_is_lost_only_takes_the_index_back(tmp_path: Path) -> None:
    directory = tmp_path / "index" / "fts5"
    index = FtsIndex(directory)
    index.open(writing=True)
    index.add([a_document(1, body="token")], TIP)
    index.close()
    index.open(writing=True)
    index.add([a_document(2, body="token")], NEXT)
    copy = tmp_path / "copy" / "fts5"
    shutil.copytree(directory, copy)
    index.close()
    copy.chmod(0o700)
    (copy / "fts5.db-wal").unlink()
    index = FtsIndex(copy)
    index.open(writing=True)
    assert (index.size(), index.checkpoint()) == (1, TIP)
    index.close()
