"""Hints from the kernel. Nothing here waits for time to pass: a marker file is dropped, and its hint says that all is in."""

import errno
import itertools
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitmaild.edges.watch import Watcher, _Directory
from gitmaild.model.drop import Hint, How

linux = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's own")
LONG = 20.0
_cookies = itertools.count()


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    made = Watcher()
    yield made
    made.close()


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    path = tmp_path / "agents" / "GreenCastle" / "outbox"
    path.mkdir(parents=True)
    return path


def seen(watcher: Watcher, directory: Path) -> list[Hint]:
    """Every hint up to now: a cookie is renamed into a watched directory, and what comes before its hint is all there is."""
    cookie = f"cookie{next(_cookies)}"
    (directory.parent / f".{cookie}").touch()
    (directory.parent / f".{cookie}").rename(directory / cookie)
    found = until(watcher, lambda hints: any(hint.name == cookie for hint in hints))
    return [hint for hint in found if hint.name != cookie and ".cookie" not in hint.name]


def until(watcher: Watcher, enough: Callable[[list[Hint]], bool]) -> list[Hint]:
    found: list[Hint] = []
    while not enough(found):
        hints = watcher.wait(LONG)
        assert hints, f"no hint came; until then {found}"
        found += hints
    return found


# --- with a real watcher


@linux
@pytest.mark.slow
def test_a_rename_is_told_as_whole(watcher: Watcher, outbox: Path) -> None:
    watcher.watch([outbox])
    (outbox.parent / "draft").write_text("x")
    (outbox.parent / "draft").rename(outbox / "x.md")
    assert seen(watcher, outbox) == [Hint(str(outbox), "x.md", How.RENAMED)]
    assert watcher.polling == ""


@linux
@pytest.mark.slow
def test_a_file_that_is_written_in_place_is_told_when_it_is_closed(watcher: Watcher, outbox: Path) -> None:
    watcher.watch([outbox])
    with (outbox / "x.md").open("w") as file:
        file.write("half")
        file.flush()
        assert seen(watcher, outbox) == []
        file.write(" and half")
    assert seen(watcher, outbox) == [Hint(str(outbox), "x.md", How.CLOSED)]


@linux
@pytest.mark.slow
def test_reading_and_removing_are_not_told(watcher: Watcher, outbox: Path) -> None:
    (outbox / "x.md").write_text("x")
    watcher.watch([outbox])
    (outbox / "x.md").read_text()
    os.utime(outbox / "x.md")
    (outbox / "x.md").rename(outbox.parent / "x.md")
    assert seen(watcher, outbox) == []


@linux
@pytest.mark.slow
def test_a_new_desk_is_told_as_a_change_of_its_parent(watcher: Watcher, outbox: Path) -> None:
    agents = outbox.parents[1]
    watcher.watch([agents, outbox])
    (agents / "RedCat").mkdir()
    assert seen(watcher, outbox) == [Hint(str(agents))]


@linux
@pytest.mark.slow
def test_names_of_any_bytes_are_told(watcher: Watcher, outbox: Path) -> None:
    watcher.watch([outbox])
    names = ["caf\udce9.md", "new\nline.md", "größe 日本.md", "n" * 255]
    for name in names:
        (outbox / name).touch()
    assert [hint.name for hint in seen(watcher, outbox)] == names


@linux
@pytest.mark.slow
def test_a_watched_directory_that_is_deleted_is_told_and_is_watched_again_when_it_is_back(
    watcher: Watcher, outbox: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    watcher.watch([outbox, other])
    shutil.rmtree(outbox)
    # Its end, and then the kernel's word that the watch is gone: everything is to be looked at.
    until(watcher, lambda hints: Hint("") in hints)
    outbox.mkdir()
    watcher.watch([outbox, other])
    (other / "x.md").touch()
    (other / "x.md").rename(outbox / "x.md")
    assert Hint(str(outbox), "x.md", How.RENAMED) in seen(watcher, outbox)


@linux
@pytest.mark.slow
def test_what_is_not_wanted_any_more_is_not_told(watcher: Watcher, outbox: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    watcher.watch([outbox, other])
    watcher.watch([other])
    (outbox / "x.md").touch()
    assert [hint for hint in seen(watcher, other) if hint.directory == str(outbox)] == []
    watcher.watch([outbox, other])
    (outbox / "y.md").touch()
    assert seen(watcher, other) == [Hint(str(outbox), "y.md", How.CLOSED)]


@linux
@pytest.mark.slow
def test_watching_the_same_again_tells_nothing_twice(watcher: Watcher, outbox: Path) -> None:
    for _ in range(5):
        watcher.watch([outbox])
    (outbox / "x.md").touch()
    assert seen(watcher, outbox) == [Hint(str(outbox), "x.md", How.CLOSED)]


@linux
@pytest.mark.slow
def test_a_symlink_is_not_watched_and_a_missing_directory_is_left_out(
    watcher: Watcher, outbox: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (tmp_path / "link").symlink_to(secret)
    (tmp_path / "file").touch()
    watcher.watch([outbox, tmp_path / "link", tmp_path / "missing", tmp_path / "file", tmp_path / ("n" * 300)])
    (secret / "x.md").touch()
    assert (seen(watcher, outbox), watcher.polling) == ([], "")


@linux
@pytest.mark.slow
def test_directories_that_come_and_go_while_we_watch_break_nothing(watcher: Watcher, tmp_path: Path) -> None:
    steady = tmp_path / "steady"
    steady.mkdir()
    done = threading.Event()

    def churn() -> None:
        while not done.is_set():
            for number in range(20):
                (tmp_path / f"d{number}").mkdir(exist_ok=True)
            for number in range(20):
                (tmp_path / f"d{number}").rmdir()

    churning = threading.Thread(target=churn)
    churning.start()
    try:
        everything = [steady, *(tmp_path / f"d{number}" for number in range(20))]
        for round in range(400):
            watcher.watch(everything[: 1 + round % 21])
    finally:
        done.set()
        churning.join()
    for path in everything:
        path.mkdir(exist_ok=True)
    until_quiet = seen(watcher, steady)
    watcher.watch(everything)
    for path in everything[1:]:
        (path / "x.md").touch()
    found = seen(watcher, steady)
    assert {hint.directory for hint in found if hint.name == "x.md"} == {str(path) for path in everything[1:]}, until_quiet


@linux
@pytest.mark.slow
def test_more_events_than_the_kernel_keeps_are_a_hint_for_everywhere(
    watcher: Watcher, outbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = Path("/proc/sys/fs/inotify/max_queued_events")
    most = int(limit.read_text()) if limit.exists() else 16384
    if most > 70_000:
        pytest.skip(f"the kernel keeps {most} events")
    watcher.watch([outbox])
    held, going = threading.Event(), threading.Event()
    real = _Directory.on_event

    def hold(self: _Directory, event: object) -> None:
        held.set()
        going.wait(LONG)
        real(self, event)  # type: ignore[arg-type]

    monkeypatch.setattr(_Directory, "on_event", hold)
    (outbox / "first").touch()
    assert held.wait(LONG)
    a, b = outbox / "a", outbox / "b"
    a.touch()
    for _ in range(most // 2 + 3000):
        a.rename(b)
        b.rename(a)
    going.set()
    until(watcher, lambda hints: Hint("") in hints)


@linux
@pytest.mark.slow
def test_closing_ends_the_thread_and_may_be_repeated(watcher: Watcher, outbox: Path) -> None:
    before = threading.active_count()
    another = Watcher()
    another.close()
    another.watch([outbox])
    assert threading.active_count() == before + 1
    another.close()
    another.close()
    assert threading.active_count() == before


# --- without one


def test_waiting_for_nothing_gives_nothing(watcher: Watcher) -> None:
    assert watcher.wait(0) == watcher.wait(-1) == []


def test_a_wake_ends_a_wait(watcher: Watcher) -> None:
    watcher.wake()
    assert watcher.wait(LONG) == [Hint("")]


def test_hints_that_came_together_are_given_together_and_not_without_end(watcher: Watcher) -> None:
    for _ in range(60_000):
        watcher.wake()
    assert len(watcher.wait(0)) == 50_001
    assert len(watcher.wait(0)) == 9_999


class Stub:
    """An inotify descriptor that refuses."""

    def __init__(self, code: int, after: int = 0) -> None:
        self.code, self.after, self.added = code, after, 0

    def add_callback(self, path: bytes, mask: int, callback: _Directory, id_: int) -> int:
        if self.added >= self.after and self.code:
            raise OSError(self.code, os.strerror(self.code))
        self.added += 1
        return self.added

    def remove_callbacks(self, callbacks: object) -> None: ...
    def stop(self) -> None: ...
    def join(self, timeout: float) -> None: ...


@linux
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EMFILE, errno.ENOMEM])
def test_a_limit_that_is_reached_is_told_and_tried_again(watcher: Watcher, tmp_path: Path, code: int) -> None:
    watcher._inotify = Stub(code, after=1)  # type: ignore[assignment]
    watcher.watch([tmp_path / "a", tmp_path / "b"])
    assert watcher.polling == f"watching by polling: {os.strerror(code)}"
    watcher._inotify = Stub(0)  # type: ignore[assignment]
    watcher.watch([tmp_path / "a", tmp_path / "b"])
    assert (watcher.polling, sorted(watcher._watched)) == ("", [str(tmp_path / "a"), str(tmp_path / "b")])


@linux
@pytest.mark.parametrize("code", [errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES])
def test_a_directory_that_cannot_be_watched_is_no_reason_to_poll_the_others(
    watcher: Watcher, tmp_path: Path, code: int
) -> None:
    watcher._inotify = Stub(code)  # type: ignore[assignment]
    watcher.watch([tmp_path / "a"])
    assert (watcher.polling, watcher._watched) == ("", {})


@linux
@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("__init__", OSError(errno.EMFILE, "inotify instance limit reached")),
        ("start", RuntimeError("can't start new thread")),
    ],
)
def test_where_no_watcher_can_be_made_it_is_polling_and_later_it_is_not(
    watcher: Watcher, outbox: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: Exception
) -> None:
    from watchdog.observers.inotify_c import InotifyFD

    def refuse(self: InotifyFD) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(InotifyFD, name, refuse)
        watcher.watch([outbox])
        assert watcher.polling in (
            "watching by polling: inotify instance limit reached",
            "watching by polling: can't start new thread",
        )
    watcher.watch([outbox])
    assert watcher.polling == ""


def test_an_overflow_and_a_deleted_watch_are_hints_for_everywhere(watcher: Watcher, tmp_path: Path) -> None:
    directory = _Directory(str(tmp_path), watcher)
    watcher._watched[str(tmp_path)] = directory
    directory.on_queue_overflow()
    directory.on_watch_deleted(5)
    assert watcher.wait(0) == [Hint(""), Hint("")]
    assert (directory.deleted, watcher._watched) == (True, {})


@linux
def test_a_directory_that_goes_while_it_is_being_watched_is_not_taken_for_watched(watcher: Watcher, tmp_path: Path) -> None:
    class Quick(Stub):
        def add_callback(self, path: bytes, mask: int, callback: _Directory, id_: int) -> int:
            callback.on_watch_deleted(1)
            return 1

    watcher._inotify = Quick(0)  # type: ignore[assignment]
    watcher.watch([tmp_path])
    assert watcher._watched == {}
