"""Odd things that an agent may put where a file or a directory belongs."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

AS_ROOT = os.geteuid() == 0
_NOBODY = 65534

# What may stand where a plain file belongs.
KINDS = ("symlink", "dangling", "loop", "fifo", "socket", "directory", "full directory")


def make(path: Path, kind: str, target: Path | str = "/etc") -> None:
    """Put something odd at a path."""
    if kind == "symlink":
        path.symlink_to(target)
    elif kind == "dangling":
        path.symlink_to(path.parent / "nowhere")
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "file":
        path.write_text("a file")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        here = Path.cwd()
        os.chdir(path.parent)  # a socket's whole path must be short
        try:
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(path.name)
        finally:
            os.chdir(here)
    elif kind == "directory":
        path.mkdir()
    elif kind == "full directory":
        path.mkdir()
        (path / "inside").write_text("inside")
    else:
        raise AssertionError(kind)


def everything(place: Path) -> dict[str, bytes | str]:
    """Every name below a place: bytes of files, targets of symlinks."""
    found: dict[str, bytes | str] = {}
    for path in sorted(place.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(place))] = os.readlink(path)
        elif path.is_file():
            found[str(path.relative_to(place))] = path.read_bytes()
    return found


def give_away(place: Path) -> None:
    """Where root runs the tests, make everything below a place nobody's."""
    if AS_ROOT:
        for path in (place, *place.rglob("*")):
            os.chown(path, _NOBODY, _NOBODY, follow_symlinks=False)


@contextlib.contextmanager
def as_a_mortal() -> Iterator[None]:
    """What is done here is done by somebody whom file modes stop."""
    if not AS_ROOT:
        yield
        return
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
