"""The search index on Whoosh."""

from pathlib import Path

import pytest

from gitmaild.edges import whoosh_index
from gitmaild.edges.whoosh_index import WhooshIndex
from tests.contracts.search_index import SearchIndexContract


class TestWhooshIndex(SearchIndexContract):
    @classmethod
    def make(cls, directory: Path) -> WhooshIndex:
        return WhooshIndex(directory, segments=3, apart=False)

    def other_version(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(whoosh_index, "VERSION", "2 whoosh")
