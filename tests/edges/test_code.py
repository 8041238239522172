"""The user's repository, read only: whatever lies there."""

import json
import os
from pathlib import Path

import pytest

from gitmaild.edges.code import Code
from tests.adapters.runner import git, repository


def beads(place: Path, *lines: object) -> Code:
    (place / ".beads").mkdir(exist_ok=True)
    text = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    (place / ".beads/issues.jsonl").write_bytes(b"\n".join(text))
    return Code([place])


def test_an_issue_is_found_by_its_id_and_its_last_line_counts(tmp_path: Path) -> None:
    code = beads(
        tmp_path, {"id": "br-1", "title": "old", "status": "open"}, {"id": "br-1", "title": "new", "status": "closed"}
    )
    assert code.issue("br-1") == {"id": "br-1", "title": "new", "status": "closed"}
    assert code.issue("br-2") == {}


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"\xff\xfe br-1", b'"br-1"', b'["br-1"]', b"[" * 100_000 + b"br-1", b'{"id": ["br-1"]}', b'{"id": "br-11"}'],
)
def test_garbage_is_passed_over(tmp_path: Path, line: bytes) -> None:
    code = beads(tmp_path, line, {"id": "br-1", "title": "x", "status": "open"}, line)
    assert code.issue("br-1")["title"] == "x"


def test_what_is_no_text_is_no_title(tmp_path: Path) -> None:
    assert beads(tmp_path, {"id": "br-1", "title": {"a": 1}}).issue("br-1") == {"id": "br-1", "title": "", "status": ""}


def test_a_symlink_a_pipe_and_a_giant_are_not_read(tmp_path: Path) -> None:
    code = beads(tmp_path, {"id": "br-1", "title": "x"})
    file = tmp_path / ".beads/issues.jsonl"
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert code.issue("br-1") == {}
    file.unlink()
    os.mkfifo(file)
    assert code.issue("br-1") == {}
    file.unlink()
    file.write_bytes(b'{"id": "br-1"}\n')
    os.truncate(file, 33 << 20)
    assert code.issue("br-1") == {}
    (tmp_path / ".beads").rename(tmp_path / "real")
    (tmp_path / ".beads").symlink_to(tmp_path / "real")
    assert code.issue("br-1") == {}


def test_commits_that_mention_an_id_come_newest_first_from_every_branch(tmp_path: Path) -> None:
    here = repository(tmp_path / "shop")
    git(here, "commit", "-q", "--allow-empty", "-m", "Add routes (br-1)")
    git(here, "switch", "-q", "-c", "side")
    git(here, "commit", "-q", "--allow-empty", "-m", "Mend them\n\nFor br-1, in full.")
    git(here, "switch", "-q", "main")
    found = Code([tmp_path / "gone", here]).mentions("br-1")
    assert sorted(commit.subject for commit in found) == ["Add routes (br-1)", "Mend them"]
    assert Code([here]).mentions("br-2") == []
    assert Code([here]).mentions("--all") == []


def test_a_directory_that_is_no_repository_has_no_commits(tmp_path: Path) -> None:
    assert Code([tmp_path]).mentions("br-1") == []
