"""Commits that were made in a worktree, found in the reflog of its HEAD: for telling afterwards what went past the guard.

What is read here belongs to agents. Files are opened as everything below a worktree is (`edges.disk`), and git runs plumbing
that lists names: no hook, no filter, no configured program.
"""

import os
import re
import stat
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from gitmaild.edges import disk
from gitmaild.edges.disk import Root, read_below
from gitmaild.edges.plumbing import environment
from gitmaild.model.commit import Made
from gitmaild.model.errors import MailError

# What a line of the reflog says of a commit that somebody has just made there; moves, pulls and rebases bring others' along.
_MADE = re.compile(
    rb"[0-9a-f]{40,64} ([0-9a-f]{40,64}) [^\n]* (\d{1,12}) [+-]\d{4}\t"
    rb"(?:commit(?: \([a-z]+\))?|cherry-pick|revert|am): [^\n]*\n"
)
_HOOKS_PATH = re.compile(rb"^\s*hookspath\s*=\s*\"?([^\"\n]+)", re.MULTILINE | re.IGNORECASE)
_OUR_WORDS = b"gitmaild-guard"
_HOOKS = ("hooks/pre-commit", "config")
_LISTED = (".husky/pre-commit", ".pre-commit-config.yaml", "lefthook.yml", "lefthook-local.yml")
_AT_ONCE = 64 * 1024
_PATIENCE = 20.0


class Commits:
    """Reads on from where it was before. `marks` (worktree to position) is loaded and kept by whoever owns this."""

    def __init__(self, marks: dict[str, int]) -> None:
        self.marks = marks

    def fresh(self, worktree: Path) -> list[Made]:
        """Commits made since the last look, oldest first, so many at a time. The first look finds none."""
        places = _places(worktree)
        if places is None:
            return []
        git_dir, common = places
        found = [made for oid, seconds in self._lines(worktree, git_dir) if (made := _made(git_dir, oid, seconds))]
        if not found:
            return []
        passes = _passes(common)
        guarded = _is_guarded(worktree, common)
        return [made.judged(passed=passes.get(made.tree, ""), guarded=guarded) for made in found]

    def _lines(self, worktree: Path, git_dir: Path) -> list[tuple[str, int]]:
        """(commit, seconds) of what was committed since the mark, which is moved on."""
        mark = self.marks.get(str(worktree))
        try:
            root = Root(git_dir)
        except (MailError, OSError):
            return []
        try:
            fd, about = root.open_regular("logs/HEAD")
        except (MailError, OSError):
            return []
        finally:
            root.close()
        try:
            if not stat.S_ISREG(about.st_mode):
                return []
            if mark is None or about.st_size < mark:
                # Seen for the first time, or rewritten by gc: what was there is nobody's news.
                self.marks[str(worktree)] = about.st_size
                return []
            data = os.pread(fd, _AT_ONCE, mark) if about.st_size > mark else b""
        finally:
            os.close(fd)
        whole = data[: data.rfind(b"\n") + 1]
        self.marks[str(worktree)] = mark + len(whole)
        return [(match[1].decode(), int(match[2])) for match in _MADE.finditer(whole)]


def _places(worktree: Path) -> tuple[Path, Path] | None:
    """(git directory, the one that all worktrees share), or None where this is no git worktree."""
    pointer = read_below(worktree, ".git", limit=4096)
    git_dir = worktree / ".git"
    if pointer.startswith(b"gitdir: "):
        git_dir = worktree / os.fsdecode(pointer[8:].strip())
    common = read_below(git_dir, "commondir", limit=4096).strip()
    # Not Path.is_dir, which raises for a name that is too long.
    return (git_dir, git_dir / os.fsdecode(common)) if os.path.isdir(git_dir) else None


def _passes(common: Path) -> dict[str, str]:
    """Trees that the guard let through, and why."""
    lines = read_below(common, "gitmaild-passes", limit=1 << 20).decode("ascii", "replace").splitlines()
    words = [line.split(" ") for line in lines]
    return {found[2]: found[1] for found in words if len(found) == 3}


def _is_guarded(worktree: Path, common: Path) -> bool:
    """True where the guard is installed, as far as its words are found in one of the places where it may be."""
    return any(_OUR_WORDS in read_below(common, name, limit=1 << 20) for name in _HOOKS) or any(
        _OUR_WORDS in read_below(worktree, name, limit=1 << 20) for name in _listed(worktree, common)
    )


def _listed(worktree: Path, common: Path) -> Iterator[str]:
    yield from _LISTED
    match = _HOOKS_PATH.search(read_below(common, "config", limit=1 << 20))
    if match and not match[1].startswith(b"/") and b".." not in match[1]:
        yield f"{os.fsdecode(match[1].strip())}/pre-commit"


def _made(git_dir: Path, oid: str, seconds: int) -> Made | None:
    tree = _git(git_dir, "rev-parse", "--verify", "--quiet", f"{oid}^{{tree}}").strip()
    listed = _git(git_dir, "diff-tree", "-c", "-r", "--root", "--no-renames", "--name-only", "--no-commit-id", "-z", oid)
    paths = tuple(os.fsdecode(path) for path in listed.split(b"\0") if path)
    if not tree or not paths:
        return None
    try:
        at = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):  # no calendar has it, so no lease was held then
        return None
    return Made(oid, tree.decode(), at, paths)


def _git(git_dir: Path, *arguments: str) -> bytes:
    command = ["git", f"--git-dir={git_dir}", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", *arguments]
    try:
        done = subprocess.run(
            command,
            env=environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return b"" if done.returncode else done.stdout


def load(path: Path) -> dict[str, int]:
    """Marks from the lines `<position> <worktree>` of a state file, none where it is missing."""
    data = path.read_bytes() if path.exists() else b""
    words = [line.partition(" ") for line in data.decode(errors="surrogateescape").splitlines()]
    return {place: int(position) for position, _, place in words if position.isdecimal() and place}


def store(path: Path, marks: dict[str, int]) -> None:
    lines = "".join(f"{position} {place}\n" for place, position in sorted(marks.items()))
    disk.replace(path, lines.encode(errors="surrogateescape"))
