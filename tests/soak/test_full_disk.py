"""A disk that is full, has no inodes left, or takes no more writes: the daemon stays, says so, and goes on afterwards."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.soak.disks import no_tmpfs, remount, tmpfs
from tests.soak.yard import Drop, Yard, say, stop, wait_until

pytestmark = pytest.mark.soak

AGENTS = {"shop": ["GreenCastle", "RedCat"]}
BEFORE, DURING, AFTER = (Drop("shop", "GreenCastle", f"{when}.md") for when in ("before", "during", "after"))
TEXT = "---\nto: RedCat\nsubject: news\n---\n" + "news\n" * 2000


@pytest.fixture(autouse=True)
def mounts() -> None:
    if reason := no_tmpfs():
        pytest.skip(f"no file system can be mounted here: {reason}")


@contextlib.contextmanager
def no_space(place: Path) -> Iterator[None]:
    """Not one byte more, until this is over."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65536, 512, 1):
            with contextlib.suppress(OSError):
                while file.write(b"\0" * size):
                    pass
    yield
    ballast.unlink()


@contextlib.contextmanager
def no_inodes(place: Path) -> Iterator[None]:
    """Not one file more."""
    ballast = place / "ballast"
    ballast.mkdir()
    with contextlib.suppress(OSError):
        for number in range(100_000):
            (ballast / str(number)).touch()
    yield
    for path in ballast.iterdir():
        path.unlink()
    ballast.rmdir()


@contextlib.contextmanager
def no_writes(place: Path) -> Iterator[None]:
    remount(place, "ro")
    yield
    remount(place, "rw")


def status(yard: Yard) -> tuple[int, list[str]]:
    done = yard.cli("status", "--json", check=False)
    return done.returncode, [alarm["text"] for alarm in json.loads(done.stdout)["alarms"]]


@pytest.mark.parametrize(
    ("where", "options", "trouble"),
    [
        pytest.param("home", "size=1m", no_space, id="home-space"),
        pytest.param("home", "size=4m,nr_inodes=300", no_inodes, id="home-inodes"),
        pytest.param("shop", "size=1m", no_space, id="worktree-space"),
        pytest.param("shop", "size=4m,nr_inodes=300", no_inodes, id="worktree-inodes"),
        pytest.param("shop", "size=4m", no_writes, id="worktree-read-only"),
    ],
)
def test_mail_waits_for_a_disk_that_refuses(
    tmp_path: Path, where: str, options: str, trouble: Callable[[Path], contextlib.AbstractContextManager[None]]
) -> None:
    yard = Yard(tmp_path / "yard")
    with tmpfs(yard.top / where, options) as place:
        yard.prepare(AGENTS, scan_seconds=1)
        daemon = yard.daemon(tmp_path / "daemon.log")
        try:
            yard.drop(BEFORE, TEXT)
            wait_until(lambda: yard.waiting() == [], seconds=10, what="the first answer")
            # Dropped before there is no room, and seen by the daemon after.
            daemon.send_signal(signal.SIGSTOP)
            yard.drop(DURING, TEXT)
            with trouble(place):
                daemon.send_signal(signal.SIGCONT)
                told: list[str] = []

                def is_told() -> bool:
                    code, told[:] = status(yard)
                    return code == 1 and bool(told)

                began = time.monotonic()
                wait_until(is_told, seconds=15, what=f"an alarm in status; {(tmp_path / 'daemon.log').read_text()}")
                say(f"{where} {trouble.__name__}: status says after {time.monotonic() - began:.1f} s: {told}")
                time.sleep(2)
                assert daemon.poll() is None, (tmp_path / "daemon.log").read_text()
            began = time.monotonic()
            wait_until(lambda: yard.waiting() == [], seconds=40, what=f"delivery; {(tmp_path / 'daemon.log').read_text()}")
            waited = time.monotonic() - began
            yard.drop(AFTER, TEXT)
            wait_until(lambda: yard.waiting() == [], seconds=10, what="the next answer")
            wait_until(lambda: status(yard) == (0, []), seconds=10, what=f"no more alarms: {status(yard)}")
            say(f"{where} {trouble.__name__}: delivered {waited:.1f} s after there was room again")
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(20) == 0
        finally:
            stop(daemon)
        assert "Traceback" not in (tmp_path / "daemon.log").read_text()
        assert yard.problems(must=[BEFORE, DURING, AFTER]) == []


def test_a_home_that_is_read_only_leaves_the_mail_where_it_is(tmp_path: Path) -> None:
    yard = Yard(tmp_path / "yard")
    with tmpfs(yard.top / "home", "size=4m") as place:
        yard.prepare(AGENTS)
        yard.drop(DURING, TEXT)
        with no_writes(place):
            served = yard.cli("serve", "--once", check=False)
            asked = yard.cli("--project", "shop", "--as", "RedCat", "inbox", check=False)
            sent = yard.cli(*"--project shop --as RedCat send --to GreenCastle --subject hello".split(), "-", check=False)
        say(
            f"home no_writes: serve {served.returncode}: {served.stderr.strip()}; inbox {asked.returncode}; send {sent.returncode}"
        )
        assert served.returncode in (69, 75)
        assert "Traceback" not in served.stderr + asked.stderr + sent.stderr
        assert "ead-only" in served.stderr
        assert asked.returncode == 0
        assert sent.returncode == 3
        assert os.listdir(yard.desk("shop", "GreenCastle") / "outbox").count("during.md") == 1
        yard.serve_once()
        assert yard.waiting() == []
        assert len(list((yard.desk("shop", "RedCat") / "inbox").iterdir())) == 1
        assert len(list((yard.desk("shop", "GreenCastle") / "inbox").iterdir())) == 1
