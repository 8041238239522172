"""Rows 11 to 21: the machine has no more of something. Mail waits, a person is told, and afterwards everything goes on."""

import contextlib
import errno
import os
import resource
import subprocess
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from watchdog.observers import inotify_c

from gitmaild.edges.watch import Watcher, _Directory
from gitmaild.model.drop import Hint
from gitmaild.model.settings import Settings
from tests.faults.moments import refusing
from tests.post import Post


@pytest.fixture
def office(post: Post) -> Post:
    """GreenCastle and RedCat are here, and the daemon runs."""
    post.agents("GreenCastle", "RedCat")
    post.start()
    return post


def _drop(post: Post) -> None:
    post.drop("GreenCastle", name="news.md", to="RedCat", subject="news")


def _deliveries(post: Post) -> list[str]:
    return [subject for subject in post.log() if subject.startswith("deliver: ")]


def _claims(post: Post) -> int:
    claimed = post.desk("GreenCastle") / "outbox" / ".claimed"
    return len(os.listdir(claimed)) if claimed.is_dir() else 0


def _check_recovered(post: Post) -> None:
    """With the trouble over, the message goes out once, and nobody is alarmed any more."""
    office = post.office
    post.settle(400)
    post.turn(400)
    assert post.office is office
    assert _deliveries(post) == ["deliver: GreenCastle -> RedCat: news"]
    assert post.inbox("RedCat") == ["GreenCastle: news"]
    assert (sorted(post.sent("GreenCastle")), post.rejected("GreenCastle")) == (["join", "news"], {})
    assert post.alarms() == []
    post.check_nothing_left()
    post.check_exactly_once()
    post.fsck()


@pytest.mark.parametrize("call", ["write", "open", "fsync", "rename"])
def test_f11_a_full_disk_under_the_mailbox_leaves_the_file_claimed_and_no_draft_behind(office: Post, call: str) -> None:
    _drop(office)
    with refusing(errno.ENOSPC, "/mailbox.git/", call) as refused:
        office.turn()
        office.turn(60)
        assert (_claims(office), _deliveries(office), office.alarms()) == (1, [], ["disk-full"])
        assert "no space" in office.alarm_texts()[0]
    assert len(refused) >= 2
    assert list(office.home.mailbox.rglob("tmp_*")) == []
    _check_recovered(office)


def test_f12_a_full_disk_under_the_outbox_leaves_the_file_in_the_outbox(office: Post) -> None:
    _drop(office)
    with refusing(errno.ENOSPC, ".news.md", "rename"):
        office.turn()
        office.turn(60)
        assert (office.waiting("GreenCastle"), _deliveries(office), office.alarms()) == (["news.md"], [], ["root"])
        assert "No space left" in office.alarm_texts()[0]
    _check_recovered(office)


@pytest.mark.parametrize("place", ["/RedCat/inbox", "/GreenCastle/sent"])
def test_f12_a_full_disk_under_a_desk_delays_what_is_shown_and_nothing_is_sent_twice(office: Post, place: str) -> None:
    _drop(office)
    with refusing(errno.ENOSPC, place, "open", "write"):
        office.turn()
        office.turn(60)
        assert (len(_deliveries(office)), _claims(office), office.alarms()) == (1, 1, ["root"])
    _check_recovered(office)


def test_f13_no_inodes_are_named_among_the_reasons(office: Post) -> None:
    _drop(office)
    with refusing(errno.ENOSPC, "/mailbox.git/", "open"):
        office.turn()
        assert (_claims(office), office.alarms()) == (1, ["disk-full"])
        assert "no free inodes" in office.alarm_texts()[0]
    _check_recovered(office)


def test_f14_a_quota_that_is_used_up_is_called_one(office: Post) -> None:
    _drop(office)
    with refusing(errno.EDQUOT, "/mailbox.git/", "write"):
        office.turn()
        assert (_claims(office), office.alarms()) == (1, ["disk-full"])
        assert "the quota is used up" in office.alarm_texts()[0]
    _check_recovered(office)


def test_f15_what_a_failed_fsync_left_is_written_anew_and_never_synced_again(
    office: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    _drop(office)
    said: list[str] = []
    broken = True
    really_open, really_fsync = os.open, os.fsync

    def opening(path: str, flags: int, *rest: int, **more: int) -> int:
        if "tmp_pack_" in str(path):
            said.append("new file")
        return really_open(path, flags, *rest, **more)

    def syncing(fd: int) -> None:
        if "tmp_pack_" in os.readlink(f"/proc/self/fd/{fd}"):
            said.append("sync")
            if broken:
                raise OSError(errno.EIO, "Input/output error")
        really_fsync(fd)

    monkeypatch.setattr(os, "open", opening)
    monkeypatch.setattr(os, "fsync", syncing)
    for seconds in (1, 60, 120):
        office.turn(seconds)
    assert (_claims(office), _deliveries(office), office.alarms()) == (1, [], ["disk-error"])
    assert list(office.home.mailbox.rglob("tmp_*")) == []
    broken = False
    _check_recovered(office)
    assert len(said) >= 8
    assert said == ["new file", "sync"] * (len(said) // 2)


@contextlib.contextmanager
def _descriptors(left: int) -> Iterator[None]:
    """This process may open so many files more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = max(int(name) for name in os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (held + 1 + left, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("left", [0, 1, 2, 3, 4, 5, 6, 7, 8])
def test_f16_too_many_open_files_delay_mail_and_nothing_else(office: Post, left: int) -> None:
    _drop(office)
    office.stop()
    office.start()
    with _descriptors(left):
        office.turn(5)
        office.turn(60)
        if not office.names("RedCat"):
            assert office.alarms() != []
    _check_recovered(office)


def _refuse_inotify(patch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, "inotify watch limit reached")

    patch.setattr(inotify_c.InotifyFD, "__init__" if number == errno.EMFILE else "add_callback", refuse)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE])
def test_f17_without_inotify_it_polls_and_says_so_and_the_scan_delivers(office: Post, number: int) -> None:
    daemon = office.start().daemon
    daemon._watcher = Watcher()
    with pytest.MonkeyPatch.context() as patch:
        _refuse_inotify(patch, number)
        office.turn(4)
        assert office.alarms() == ["polling"]
        assert office.alarm_texts()[0].startswith("watching by polling: ")
        _drop(office)
        for _ in range(3):
            office.clock.advance(4)
            daemon.turn([])
        assert office.inbox("RedCat") == ["GreenCastle: news"]
    office.turn(4)
    assert office.alarms() == []


def test_f18_an_overflow_of_the_watch_leads_to_a_scan_that_finds_everything(office: Post) -> None:
    for number in range(300):
        office.drop("GreenCastle", to="RedCat", subject=f"n{number}")
    watcher = Watcher()
    _Directory(str(office.desk("GreenCastle") / "outbox"), watcher).on_queue_overflow()
    hints = watcher.wait(0)
    assert hints == [Hint("")]
    daemon = office.start().daemon
    daemon.turn(hints)
    office.clock.advance(1)
    while daemon.turn([]):
        pass
    assert len(office.names("RedCat")) == len(_deliveries(office)) == 300
    office.check_exactly_once()


def test_f19_without_another_process_upkeep_waits_and_mail_does_not(tmp_path: Path) -> None:
    post = Post(tmp_path, Settings(repack_packs=2, repack_seconds=1))
    post.start()
    with pytest.MonkeyPatch.context() as patch:

        def refuse(*_: object, **__: object) -> None:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

        patch.setattr(subprocess, "Popen", refuse)
        post.agents("GreenCastle", "RedCat")
        _drop(post)
        post.turn(10)
        post.turn(10)
        assert post.inbox("RedCat") == ["GreenCastle: news"]
        assert post.alarms() == ["upkeep"]
        assert "Resource temporarily unavailable" in post.alarm_texts()[0]
    post.stop()
    post.start()
    post.turn(10)
    assert post.alarms() == []
    post.stop()


def test_f19_without_another_thread_mail_is_written_by_the_one_there_is(
    office: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    _drop(office)
    office.turn()
    assert office.inbox("RedCat") == ["GreenCastle: news"]
    assert office.alarms() == []
    office.fsck()


def test_f20_a_mailbox_that_is_read_only_takes_nothing_and_says_so(office: Post) -> None:
    _drop(office)
    with refusing(errno.EROFS, "/home/"):
        office.turn()
        office.turn(60)
        assert _deliveries(office) == []
        assert "read-only" in office.alarms()
        assert any("the file system is read-only" in text for text in office.alarm_texts())
        assert _claims(office) + len(office.waiting("GreenCastle")) == 1
    _check_recovered(office)


def test_f21_what_waits_is_not_all_in_memory_at_once(tmp_path: Path) -> None:
    post = Post(tmp_path, Settings(batch_bytes=256 * 1024))
    post.agents("GreenCastle", "RedCat")
    files = post.desk("GreenCastle") / "outbox" / "files"
    files.mkdir()
    for number in range(30):
        (files / f"f{number}.bin").write_bytes(os.urandom(16) * 65536)
        post.drop("GreenCastle", to="RedCat", subject=f"n{number}", attachments=f"f{number}.bin")
    post.start()
    tracemalloc.start()
    try:
        post.settle()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(post.names("RedCat")) == 30
    assert peak < 15 * 1024 * 1024
    post.check_exactly_once()
    post.stop()


def test_f21_a_drop_that_names_more_than_it_may_is_refused_before_all_of_it_is_read(tmp_path: Path) -> None:
    post = Post(tmp_path, Settings(attachment_limit=1 << 20, attachments_limit=2 << 20))
    post.agents("GreenCastle", "RedCat")
    files = post.desk("GreenCastle") / "outbox" / "files"
    files.mkdir()
    for number in range(40):
        with (files / f"f{number}").open("wb") as file:
            file.truncate(1 << 20)
    post.drop("GreenCastle", name="x.md", to="RedCat", attachments=", ".join(f"f{n}" for n in range(40)))
    post.start()
    tracemalloc.start()
    try:
        post.settle()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert post.rejected("GreenCastle") == {"x.md": "too-large"}
    assert peak < 12 * 1024 * 1024
    post.stop()
