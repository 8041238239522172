"""Repacking beside the mail."""

import os
import subprocess
from pathlib import Path

import pytest

from gitmaild.edges import maintenance
from gitmaild.edges.maintenance import Maintenance
from gitmaild.edges.repo import Repo
from tests.edges.mailboxes import change, commit, files, fsck
from tests.fakes import FakeClock


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo.create(tmp_path / "mailbox.git")
    for number in range(12):
        commit(made, change(number, {f"shop/{number}.md": b"%d" % number}))
    return made


def upkeep(repo: Repo, clock: FakeClock, packs: int = 10) -> Maintenance:
    return Maintenance(repo.path, repo.pack_count, packs=packs, seconds=30, monotonic=clock.monotonic)


def test_many_packs_become_few_and_nothing_is_lost(repo: Repo) -> None:
    work = upkeep(repo, FakeClock())
    work.poll()
    work.finish()
    assert (repo.pack_count() < 10, work.failure, work.runs) == (True, "", 2)
    assert len(files(repo.path)) == 12
    assert (repo.path / "objects" / "info" / "commit-graphs").is_dir()
    fsck(repo.path)


def test_a_pack_that_is_full_stays_as_it_is_and_the_others_are_merged(repo: Repo) -> None:
    commit(repo, change(12, {f"shop/large/{number}.md": b"large %d" % number for number in range(50)}))
    full = max((repo.path / "objects" / "pack").glob("*.idx"), key=maintenance.object_count)
    assert maintenance.object_count(full) == 54
    work = Maintenance(repo.path, repo.pack_count, packs=10, seconds=30, full=54)
    work.poll()
    work.finish()
    assert full.exists()
    assert (repo.pack_count(), work.failure) == (2, "")
    assert len(files(repo.path)) == 62
    fsck(repo.path)


def test_few_packs_are_left_alone(repo: Repo) -> None:
    work = upkeep(repo, FakeClock(), packs=13)
    work.poll()
    work.finish()
    assert (repo.pack_count(), work.runs) == (12, 0)


def test_it_is_not_asked_again_before_it_is_time(repo: Repo) -> None:
    clock, asked = FakeClock(), []
    work = Maintenance(repo.path, lambda: asked.append(1) or 0, packs=10, seconds=30, monotonic=clock.monotonic)
    for seconds in (0, 1, 28, 2, 1):
        clock.advance(seconds)
        work.poll()
    assert len(asked) == 2


def test_a_poll_does_not_wait_for_the_child(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_git(repo.path.parent, monkeypatch)
    work = upkeep(repo, FakeClock())
    for _ in range(3):
        work.poll()
    assert (work.runs, work.failure) == (0, "")
    work.stop()
    assert work._child is None
    work.finish()
    assert work.runs == 0


def slow_git(place: Path, monkeypatch: pytest.MonkeyPatch, script: str = "exec sleep 60") -> None:
    """A program called git that takes its time."""
    (place / "bin").mkdir()
    (place / "bin" / "git").write_text(f"#!/bin/sh\n{script}\n")
    (place / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{place / 'bin'}:{os.environ['PATH']}")


def test_stopping_ends_the_child(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_git(repo.path.parent, monkeypatch)
    work = upkeep(repo, FakeClock())
    work.poll()
    child = work._child
    assert child is not None
    assert child.poll() is None
    work.stop()
    assert child.poll() is not None
    work.stop()


def test_stopping_ends_a_child_that_does_not_want_to(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    ready = repo.path.parent / "ready"
    slow_git(repo.path.parent, monkeypatch, f"trap '' TERM; : > {ready}; while :; do sleep 0.05; done")
    monkeypatch.setattr(maintenance, "_PATIENCE", 0.1)
    work = upkeep(repo, FakeClock())
    work.poll()
    child = work._child
    assert child is not None
    while not ready.exists():
        pass
    work.stop()
    assert child.returncode == -9


def test_a_child_that_fails_is_reported_and_the_next_one_that_does_not_clears_it(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    work = upkeep(repo, clock)
    with monkeypatch.context() as patch:
        slow_git(repo.path.parent, patch, "echo 'fatal: no way' >&2; exit 128")
        work.poll()
        work.finish()
    assert (work.failure, work.runs) == ("git repack: fatal: no way", 1)
    work.poll()
    assert work.failure == "git repack: fatal: no way"
    clock.advance(31)
    work.poll()
    work.finish()
    assert (work.failure, repo.pack_count() < 10) == ("", True)


def test_a_child_that_fails_without_a_word_is_reported_by_its_status(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_git(repo.path.parent, monkeypatch, "exit 3")
    work = upkeep(repo, FakeClock())
    work.poll()
    work.finish()
    assert work.failure == "git repack: exit 3"


def test_a_child_that_talks_without_end_is_not_stuck_and_its_last_words_are_kept(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_git(repo.path.parent, monkeypatch, "yes 'error: bad object' | head -n 20000 >&2; echo 'fatal: last' >&2; exit 1")
    work = upkeep(repo, FakeClock())
    work.poll()
    work.finish()
    assert work.failure.endswith("error: bad object\nfatal: last")
    assert len(work.failure) < 5000


def test_where_no_child_can_be_started_that_is_reported(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repo.path))
    work = upkeep(repo, FakeClock())
    work.poll()
    work.finish()
    assert work.failure.startswith("git repack: ")
    assert work._child is None

    def refuse(*arguments: object, **named: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    clock = FakeClock()
    work = upkeep(repo, clock)
    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", refuse)
        work.poll()
    assert "Resource temporarily unavailable" in work.failure


def test_a_damaged_mailbox_is_reported_and_not_made_worse(repo: Repo) -> None:
    victim = max((repo.path / "objects" / "pack").glob("*.pack"), key=lambda path: path.stat().st_size)
    victim.chmod(0o644)
    data = bytearray(victim.read_bytes())
    data[40:60] = b"\xff" * 20
    victim.write_bytes(data)
    before = sorted(path.name for path in (repo.path / "objects" / "pack").iterdir())
    work = upkeep(repo, FakeClock())
    work.poll()
    work.finish()
    assert work.failure.startswith("git repack: ")
    assert set(before) <= {path.name for path in (repo.path / "objects" / "pack").iterdir()}


def test_the_users_git_configuration_and_a_hooks_environment_do_not_reach_the_child(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gitconfig").write_text("[pack]\n\tthreads = nonsense\n[repack]\n\twriteBitmaps = true\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path))
    work = upkeep(repo, FakeClock())
    work.poll()
    work.finish()
    monkeypatch.undo()
    assert (work.failure, repo.pack_count() < 10) == ("", True)
