"""File systems that a test may fill, freeze and cut off. They need root, and loop devices for the cuts."""

import contextlib
import fcntl
import os
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

# ext4: stop all writing at once, as a power cut does; 2 = do not even flush the journal.
_SHUTDOWN, _NO_LOG_FLUSH = 0x8004587D, 2


class LoopDisk:
    """An ext4 file system in a file, mounted while it is `up`."""

    def __init__(self, image: Path, place: Path, *, megabytes: int, journal: bool) -> None:
        self.image, self.place = image, place
        place.mkdir(parents=True, exist_ok=True)
        with image.open("wb") as file:
            file.truncate(megabytes << 20)
        features = [] if journal else ["-O", "^has_journal"]
        _sh("mkfs.ext4", "-q", "-F", *features, str(image))

    def mount(self) -> None:
        _sh("mount", "-o", "loop", str(self.image), str(self.place))

    def unmount(self) -> None:
        _unmount(self.place)

    def sync(self) -> None:
        _sh("sync", "--file-system", str(self.place))

    def check(self) -> str:
        """What e2fsck had to mend; '' for nothing. Only while it is not mounted."""
        done = subprocess.run(["e2fsck", "-f", "-y", str(self.image)], capture_output=True, text=True, check=False)
        return done.stdout if done.returncode else ""

    def cut(self) -> None:
        """Nothing that is not on the disk now will ever be."""
        fd = os.open(self.place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(fd)


@contextlib.contextmanager
def loop_disk(image: Path, place: Path, *, megabytes: int = 96, journal: bool = True) -> Iterator[LoopDisk]:
    disk = LoopDisk(image, place, megabytes=megabytes, journal=journal)
    disk.mount()
    try:
        yield disk
    finally:
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            if os.path.ismount(place):
                disk.unmount()
        image.unlink(missing_ok=True)


@contextlib.contextmanager
def tmpfs(place: Path, options: str) -> Iterator[Path]:
    place.mkdir(parents=True, exist_ok=True)
    _sh("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place))
    try:
        yield place
    finally:
        _unmount(place)


def remount(place: Path, options: str) -> None:
    _sh("mount", "-o", f"remount,{options}", str(place))


@cache
def no_tmpfs() -> str:
    """Why no file system can be mounted here, or ''."""
    with tempfile.TemporaryDirectory() as place:
        return _refusal(lambda: tmpfs(Path(place), "size=1m"))


@cache
def no_loop(*, journal: bool = True) -> str:
    """Why no power can be cut here, or ''."""
    if os.geteuid() != 0:
        return "power cuts need root"
    with tempfile.TemporaryDirectory() as place:
        top = Path(place)

        @contextlib.contextmanager
        def cut() -> Iterator[None]:
            with loop_disk(top / "image", top / "mnt", megabytes=16, journal=journal) as disk:
                disk.cut()
                yield

        return _refusal(cut)


def _refusal(attempt: Callable[[], contextlib.AbstractContextManager[object]]) -> str:
    try:
        with attempt():
            return ""
    except FileNotFoundError as error:
        return f"{error.filename} is not installed"
    except subprocess.CalledProcessError as error:
        return error.stderr.strip().partition("\n")[0]
    except OSError as error:
        return f"{error.strerror}"


def _sh(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


def _unmount(place: Path) -> None:
    """A killed process may hold the place for a moment."""
    for _ in range(50):
        if subprocess.run(["umount", str(place)], capture_output=True, check=False).returncode == 0:
            return
        time.sleep(0.1)
    _sh("umount", "--lazy", str(place))
