"""System calls that go wrong at a chosen moment: the process dies there, the disk refuses, or somebody else is quicker."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.fuse import Blown
from tests.post import Post

_CHANGING = ("write", "fsync", "rename", "replace", "link", "unlink", "mkdir", "utime")
Call = Callable[..., Any]


def words(*arguments: Any, **keywords: Any) -> str:
    """What a call is about: its paths and names, a descriptor told by where it leads."""
    return " ".join(_word(value) for value in (*arguments, *keywords.values()))


def _word(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and value > 2:
        try:
            return os.readlink(f"/proc/self/fd/{value}")
        except OSError:
            return str(value)
    return os.fsdecode(value) if isinstance(value, bytes | os.PathLike) else str(value)


@contextmanager
def before(name: str, about: str, act: Callable[[], None], *, times: int = 1) -> Iterator[list[str]]:
    """Do something just before the first calls of `os.<name>` that are about `about`; yields what those were."""
    seen: list[str] = []
    call = getattr(os, name)

    def instead(*arguments: Any, **keywords: Any) -> Any:
        said = words(*arguments, **keywords)
        if about in said and len(seen) < times:
            seen.append(said)
            act()
        return call(*arguments, **keywords)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, name, instead)
        yield seen


@contextmanager
def refusing(number: int, about: str, *names: str) -> Iterator[list[str]]:
    """The disk refuses these calls, where they are about `about`, with this errno. `open` counts where it makes a file."""
    refused: list[str] = []

    def wrapped(name: str, call: Call) -> Call:
        def instead(*arguments: Any, **keywords: Any) -> Any:
            said = words(*arguments, **keywords)
            makes = name != "open" or arguments[1] & os.O_CREAT
            # What is written is no place.
            if makes and about in (words(arguments[0]) if name == "write" else said):
                refused.append(f"{name} {said}")
                raise OSError(number, os.strerror(number))
            return call(*arguments, **keywords)

        return instead

    with pytest.MonkeyPatch.context() as patch:
        for name in names or (*_CHANGING, "open"):
            patch.setattr(os, name, wrapped(name, getattr(os, name)))
        yield refused


def killed(post: Post, name: str, about: str, *, afterwards: bool = False) -> None:
    """Run the daemon until it dies at the first call of `os.<name>` that is about `about`, or right after it.

    A dead process does nothing more, so every later change fails as well.
    """
    dead: list[str] = []

    def wrapped(this: str, call: Call) -> Call:
        def instead(*arguments: Any, **keywords: Any) -> Any:
            if dead:
                raise Blown(this)
            said = words(*arguments, **keywords)
            if this == name and about in said:
                if afterwards:
                    call(*arguments, **keywords)
                dead.append(said)
                raise Blown(said)
            return call(*arguments, **keywords)

        return instead

    with pytest.MonkeyPatch.context() as patch:
        for this in (*_CHANGING, "open") if name == "open" else _CHANGING:
            patch.setattr(os, this, wrapped(this, getattr(os, this)))
        with pytest.raises(Blown):
            post.settle()
    assert dead, f"no {name} of {about}"
    post.crash()


def refused(post: Post, agent: str, name: str, code: str) -> str:
    """Check that one file was refused with this code, that its sender was told once, and that nothing else happened to it.

    Returns the reason.
    """
    assert post.waiting(agent) == []
    assert post.rejected(agent) == {name: code}
    assert os.path.lexists(post.desk(agent) / "rejected" / name)
    notes = [line for line in post.inbox(agent) if line.startswith("Postmaster: refused: ")]
    assert len(notes) == 1
    assert [t["Result"] for _, t, _ in post.commits() if t.get("Command", "").startswith("refuse ")] == [code]
    assert [t for _, t, _ in post.commits() if t.get("Command", "").startswith("message ")] == []
    assert post.alarms() == []
    post.check_nothing_left()
    why = (post.desk(agent) / "rejected" / f"{name}.why.md").read_text()
    return next(line for line in why.splitlines() if line.startswith("reason: "))
