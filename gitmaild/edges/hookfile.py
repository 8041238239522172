"""One hook file: is it ours, and how a foreign one is kept, or given a line and freed of it again, byte for byte."""

import os
import re
import shlex
import shutil
from hashlib import sha256
from pathlib import Path

from gitmaild.edges import disk

_MARK = re.compile(rb"# gitmaild-guard stub (\d+) ([0-9a-f]{64})\n")


def render(template: str, *, python: Path, program: Path) -> bytes:
    """The hook's text with its two paths filled in and its digest."""
    text = template.replace("\npython=\n", f"\npython={shlex.quote(str(python))}\n", 1)
    text = text.replace("\nguard=\n", f"\nguard={shlex.quote(str(program))}\n", 1)
    head, rest = text.split("@digest@\n", 1)
    data = rest.encode("utf-8", "surrogateescape")
    return f"{head}{sha256(data).hexdigest()}\n".encode() + data


def is_ours(data: bytes) -> bool:
    """Did any version of the installer write this hook?"""
    return _MARK.search(data[:200]) is not None


def is_edited(data: bytes) -> bool:
    """Is it one of ours that somebody has changed since?"""
    mark = _MARK.search(data[:200])
    return mark is not None and sha256(data[mark.end() :]).hexdigest().encode() != mark[2]


def is_there(path: Path) -> bool:
    return os.path.lexists(path)


def read(path: Path) -> bytes:
    """A hook's bytes; b"" for a symlink that leads nowhere."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def text_of(path: Path) -> str:
    return read(path).decode("utf-8", "surrogateescape")


def same(path: Path, kept: Path) -> None:
    """Give a file a second name, with its mode and time; a copy where there are no hard links."""
    if path.is_symlink():
        kept.symlink_to(path.readlink())
        return
    try:
        os.link(path, kept)
    except OSError:
        shutil.copy2(path, kept)


def append_line(path: Path, text: str) -> None:
    """Add `text`, so that `drop_line` finds the file as it was: with or without an end of its last line."""
    before = read(path)
    data = text.encode()
    after = before + data + b"\n" if not before or before.endswith(b"\n") else before + b"\n" + data
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o755
    path.parent.mkdir(exist_ok=True)
    disk.replace(path, after)
    path.chmod(mode)


def drop_line(path: Path, text: str) -> bool:
    before, data = read(path), text.encode()
    if before.endswith(b"\n" + data):
        after = before[: -len(data) - 1]
    elif f"\n{text}\n".encode() in b"\n" + before:
        after = (b"\n" + before).replace(b"\n" + data + b"\n", b"\n", 1)[1:]
    else:
        return False
    if after:
        mode = path.stat().st_mode & 0o777
        disk.replace(path, after)
        path.chmod(mode)
    else:
        path.unlink()
    return True
