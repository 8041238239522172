"""Rows 1 to 10: the daemon dies at one chosen moment, and the next one finds everything."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitmaild.model.drop import Hint
from gitmaild.model.settings import Settings
from tests.fakes import StillWatcher
from tests.faults.moments import killed
from tests.post import Post


@pytest.fixture
def dropped(post: Post) -> Post:
    """GreenCastle has dropped one message to RedCat."""
    post.agents("GreenCastle", "RedCat")
    post.drop("GreenCastle", name="news.md", to="RedCat", subject="news")
    return post


def _claims(post: Post) -> list[str]:
    claimed = post.desk("GreenCastle") / "outbox" / ".claimed"
    return sorted(os.listdir(claimed)) if claimed.is_dir() else []


def _deliveries(post: Post) -> list[str]:
    return [subject for subject in post.log() if subject.startswith("deliver: ")]


def _check_done(post: Post) -> None:
    assert _deliveries(post) == ["deliver: GreenCastle -> RedCat: news"]
    assert post.inbox("RedCat") == ["GreenCastle: news"]
    assert sorted(post.sent("GreenCastle")) == ["join", "news"]
    assert (post.waiting("GreenCastle"), post.rejected("GreenCastle")) == ([], {})
    post.check_nothing_left()
    post.check_exactly_once()
    post.fsck()


def test_f01_killed_before_the_claim_the_file_is_still_in_the_outbox_and_goes_out_after_a_restart(dropped: Post) -> None:
    killed(dropped, "rename", ".news.md")
    assert (dropped.waiting("GreenCastle"), _claims(dropped), _deliveries(dropped)) == (["news.md"], [], [])
    dropped.settle()
    _check_done(dropped)


def test_f02_killed_after_the_claim_the_file_is_claimed_and_a_restart_commits_it_once(dropped: Post) -> None:
    killed(dropped, "rename", ".news.md", afterwards=True)
    assert (dropped.waiting("GreenCastle"), len(_claims(dropped)), _deliveries(dropped)) == ([], 1, [])
    claim = _claims(dropped)[0].partition(".")[0]
    dropped.settle()
    _check_done(dropped)
    assert dropped.commits()[-1][1]["Command"] == f"message {claim}"


def test_f03_killed_while_objects_are_written_the_draft_is_removed_once_it_is_an_hour_old(dropped: Post) -> None:
    killed(dropped, "fsync", "tmp_pack_", afterwards=True)
    drafts = list(dropped.home.mailbox.glob("objects/pack/tmp_*"))
    assert drafts != [] and len(_claims(dropped)) == 1
    loose = dropped.home.mailbox / "objects" / "ab" / "tmp_obj_Xy12"
    loose.parent.mkdir(exist_ok=True)
    loose.write_bytes(b"half")
    for path in (*drafts, loose):
        os.utime(path, (0, dropped.clock.now.timestamp() - 7200))
    dropped.settle()
    _check_done(dropped)
    assert list(dropped.home.mailbox.rglob("tmp_*")) == []


def test_f04_killed_over_the_ref_its_lock_is_removed_by_the_next_start_and_by_nobody_else(
    dropped: Post, caplog: pytest.LogCaptureFixture
) -> None:
    killed(dropped, "rename", "main.lock")
    lock = dropped.home.mailbox / "refs" / "heads" / "main.lock"
    assert lock.exists() and _deliveries(dropped) == []
    with caplog.at_level(logging.INFO, "gitmaild"):
        dropped.settle()
    assert "removed-leftover name=main.lock (a previous daemon died)" in caplog.text
    _check_done(dropped)


def test_f04_a_lock_that_another_program_left_is_named_and_the_mail_waits_for_its_end(dropped: Post) -> None:
    dropped.start()
    lock = dropped.home.mailbox / "refs" / "heads" / "main.lock"
    lock.touch()
    dropped.turn()
    assert lock.exists() and len(_claims(dropped)) == 1
    assert any("main.lock" in text for text in dropped.alarm_texts())
    lock.unlink()
    dropped.settle(400)
    _check_done(dropped)
    assert dropped.alarms() == []


def test_f05_killed_before_the_inbox_shows_it_a_restart_shows_it_without_a_second_commit(dropped: Post) -> None:
    killed(dropped, "write", "/RedCat/inbox/")
    assert (len(_deliveries(dropped)), dropped.names("RedCat")) == (1, [])
    tip = dropped.git("rev-parse", "main")
    dropped.settle()
    _check_done(dropped)
    assert dropped.git("rev-parse", "main") == tip


def test_f06_killed_before_the_answer_is_in_sent_there_is_one_commit_and_one_copy(dropped: Post) -> None:
    killed(dropped, "write", "/GreenCastle/sent/")
    assert (len(_deliveries(dropped)), len(dropped.names("RedCat")), len(_claims(dropped))) == (1, 1, 1)
    dropped.settle()
    _check_done(dropped)


class _Burst(StillWatcher):
    """Every look between two passes finds that more has come; after a few, the daemon is asked to end."""

    def __init__(self, post: Post) -> None:
        super().__init__()
        self.post, self.looks = post, 0

    def wait(self, timeout: float) -> list[Hint]:
        self.looks += 1
        if self.looks == 4:
            self.post.start().daemon.stop()
        assert self.looks < 100, "the daemon does not end while mail keeps coming"
        for _ in range(8):
            self.post.drop("GreenCastle", to="RedCat", subject="burst")
        return self.post.hints()


def test_f09_asked_to_end_in_a_burst_it_ends_after_the_pass_and_loses_nothing(tmp_path: Path) -> None:
    post = Post(tmp_path, Settings(batch_files=8))
    post.agents("GreenCastle", "RedCat")
    post.start().daemon._watcher = watcher = _Burst(post)
    for _ in range(100):
        post.drop("GreenCastle", to="RedCat", subject="burst")
    post.start().daemon.run()
    assert watcher.looks <= 5
    assert len(post.waiting("GreenCastle")) > 50
    post.stop()
    while post.turn():
        pass
    assert len(post.names("RedCat")) == len(_deliveries(post)) == 100 + 8 * watcher.looks
    post.check_exactly_once()
    post.check_nothing_left()
    post.stop()


@pytest.fixture
def serving(post: Post, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[str]]:
    """A daemon in a process of its own, with sixty messages before it."""
    post.clock.now = datetime.now(UTC)
    post.agents("GreenCastle", "RedCat")
    for number in range(60):
        post.drop("GreenCastle", name=f"m{number}.md", to="RedCat", subject=f"n{number}")
    post.crash()
    command = [sys.executable, "-m", "gitmaild", "--home", str(post.home.path), "serve", "--no-http"]
    monkeypatch.setenv("GITMAILD_BATCH_FILES", "4")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        yield process
        process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT])
def test_f10_what_the_machine_kills_is_taken_up_again_exactly_once(
    post: Post, serving: subprocess.Popen[str], number: int
) -> None:
    assert serving.stdout is not None
    assert "is serving" in serving.stdout.readline()
    serving.send_signal(number)
    assert serving.wait(10) == -number
    post.clock.now = datetime.now(UTC)
    post.settle()
    assert sorted(_deliveries(post)) == sorted(f"deliver: GreenCastle -> RedCat: n{n}" for n in range(60))
    assert len(post.names("RedCat")) == 60
    post.check_exactly_once()
    post.check_nothing_left()
    post.fsck()


def test_f10_the_service_manager_hears_from_the_loop_itself_and_restarts_what_fails(post: Post, tmp_path: Path) -> None:
    from gitmaild.edges.supervisor import Systemd

    said: list[tuple[str, ...]] = []
    daemon = post.start().daemon
    daemon._notify, daemon._watchdog_seconds = lambda *lines: said.append(lines), 30.0
    for _ in range(4):
        post.turn(16)
    assert [lines[0] for lines in said] == ["WATCHDOG=1"] * 4
    unit = Systemd(post.home.path, {"HOME": str(tmp_path), "PATH": ""}).text()
    assert "Restart=on-failure" in unit and "WatchdogSec=" in unit
