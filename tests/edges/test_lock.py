"""The single writer."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gitmaild.edges.lock import Lock, Locked
from gitmaild.model.errors import Verdict


@contextmanager
def another_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock until it dies."""
    program = (
        "import sys; from pathlib import Path; from gitmaild.edges.lock import Lock; "
        f"Lock(Path({str(path)!r})).acquire(); print('held', flush=True); sys.stdin.read()"
    )
    top = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": top},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_owner_is_told_who_the_first_is(tmp_path: Path) -> None:
    first, second = Lock(tmp_path / "lock"), Lock(tmp_path / "lock")
    first.acquire()
    with pytest.raises(Locked, match=f"pid {os.getpid()}, host {os.uname().nodename}.*{tmp_path / 'lock'}") as caught:
        second.acquire()
    assert caught.value.verdict is Verdict.TEMPORARY
    with pytest.raises(Locked):
        first.acquire()
    first.release()
    second.acquire()
    second.release()


def test_another_process_is_named_and_its_death_frees_the_lock(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock")
    with another_process(lock.path) as process:
        assert lock.is_held()
        with pytest.raises(Locked, match=f"pid {process.pid},"):
            lock.acquire()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert not lock.is_held()
    assert lock.holder().startswith(f"pid {process.pid},")  # what the dead one said of itself
    lock.acquire()
    assert lock.holder().startswith(f"pid {os.getpid()},")
    lock.release()


def test_a_lock_that_was_released_is_held_by_nobody_and_names_nobody(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock")
    assert not lock.is_held()
    lock.acquire()
    assert lock.is_held()
    lock.release()
    lock.release()
    assert (lock.is_held(), lock.holder()) == (False, "")


def test_asking_takes_nothing_from_who_asks_at_the_same_time(tmp_path: Path) -> None:
    import fcntl

    lock = Lock(tmp_path / "lock")
    lock.acquire()
    lock.release()
    with lock.path.open() as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)  # as `is_held` does for an instant
        assert not lock.is_held()


def test_who_asks_does_not_make_the_file(tmp_path: Path) -> None:
    assert not Lock(tmp_path / "lock").is_held()
    assert not (tmp_path / "lock").exists()
    assert not Lock(tmp_path / "nowhere" / "lock").is_held()


def test_a_lock_is_not_inherited_by_a_program_that_is_started(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock")
    lock.acquire()
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as child:
        lock.release()
        assert not Lock(lock.path).is_held()
        child.kill()


def test_a_full_disk_does_not_keep_the_lock_from_being_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = Lock(tmp_path / "lock")

    def refuse(*arguments: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", refuse)
        lock.acquire()
    with pytest.raises(Locked, match="unknown"):
        Lock(lock.path).acquire()
    lock.release()
    assert not lock.is_held()


def test_a_name_that_is_no_text_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "lock").write_bytes(b"\xff\n")
    assert Lock(tmp_path / "lock").holder() == "\ufffd"
