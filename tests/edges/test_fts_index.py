"""The search index on FTS5."""

from pathlib import Path

import pytest

from gitmaild.edges import fts_index
from gitmaild.edges.fts_index import FtsIndex
from tests.contracts.search_index import SearchIndexContract


class TestFtsIndex(SearchIndexContract):
    @classmethod
    def make(cls, directory: Path) -> FtsIndex:
        return FtsIndex(directory)

    def other_version(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fts_index, "VERSION", fts_index.VERSION + 1)
