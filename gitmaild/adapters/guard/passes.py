"""The trace of passes: how the daemon tells a holder's own commit from one that went past the guard.

One line in `<git common dir>/gitmaild-passes`: identity or `-`, `holder` or `warned`, and the tree of the index.
"""

import os
import sys

from gitmaild.adapters.guard.repository import Git, Place

NAME = "gitmaild-passes"
_LARGEST = 256 * 1024


def leave(git: Git, place: Place, who_and_why: str) -> None:
    """Add a line, or hand its words to the hook's script, which adds it when the hooks after it have had the index."""
    path = os.path.join(place.common_dir, NAME)
    try:
        if git.environ.get("GITMAILD_GUARD_STUB") and git.environ.get("GIT_INDEX_FILE"):
            sys.stdout.write(f"{who_and_why}\n")
        elif tree := _tree(git, place):
            _append(path, f"{who_and_why} {tree}\n")
        _shorten(path)
    except OSError:
        # A trace that is missing makes the daemon ask a question too many. A commit is worth more.
        return


def _tree(git: Git, place: Place) -> str:
    """The tree that the index makes; '' where it makes none. Of a copy: git writes back what it has found out."""
    index = git.environ.get("GIT_INDEX_FILE", os.path.join(place.git_dir, "index"))
    copy = os.path.join(place.git_dir, f"gitmaild-index.{os.getpid()}")
    try:
        with open(os.path.join(git.cwd, index), "rb") as file, open(copy, "xb") as made:
            made.write(file.read())
        status, output = git.start("write-tree", quiet=True, GIT_INDEX_FILE=copy).ended()
    finally:
        for path in (copy, f"{copy}.lock"):
            if os.path.exists(path):
                os.unlink(path)
    return "" if status else os.fsdecode(output).strip()


def _append(path: str, line: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        os.write(fd, os.fsencode(line))
    finally:
        os.close(fd)


def _shorten(path: str) -> None:
    """Keep the newest half of a file that has grown too long."""
    try:
        if os.stat(path).st_size <= _LARGEST:
            return
    except FileNotFoundError:
        return
    with open(path, "rb") as file:
        file.seek(-_LARGEST // 2, os.SEEK_END)
        newest = file.read().partition(b"\n")[2]
    draft = f"{path}.{os.getpid()}"
    with open(draft, "wb") as file:
        file.write(newest)
    os.replace(draft, path)
