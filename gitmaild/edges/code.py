"""The user's own repository, read only: commits that mention an id, and the issue of that id where Beads is in use.

What lies there belongs to others: it is opened without following symlinks, read up to a limit, and taken for data.
"""

import json
import os
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from gitmaild.edges.disk import read_below
from gitmaild.model.commit import Mention
from gitmaild.model.ids import stamp

_ISSUES = ".beads/issues.jsonl"
_LARGEST = 32 << 20
_LONGEST = 1 << 20
_PATIENCE = 5.0
_ASKED = 200


class Code:
    """`worktrees` of one project, the nearest first."""

    def __init__(self, worktrees: Sequence[Path]) -> None:
        self._worktrees = worktrees

    def issue(self, an_id: str) -> dict[str, str]:
        """The Beads issue of that id: `id`, `title`, `status`; {} where there is none. Garbage is passed over."""
        for worktree in self._worktrees:
            if data := read_below(worktree, _ISSUES, limit=_LARGEST):
                return _issue(data, an_id)
        return {}

    def mentions(self, an_id: str) -> list[Mention]:
        """Commits on any branch whose message holds `an_id` as text, newest first; as many as git finds in a few seconds."""
        for worktree in self._worktrees:
            if (worktree / ".git").exists():
                return _mentions(worktree, an_id)
        return []


def _issue(data: bytes, an_id: str) -> dict[str, str]:
    found: dict[str, str] = {}
    named = an_id.encode()
    for line in data.split(b"\n"):
        # Parsing every line of a large file takes seconds.
        if named not in line or len(line) > _LONGEST:
            continue
        try:
            issue = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(issue, dict) and issue.get("id") == an_id:
            # The file is a log: the last line about an issue counts.
            found = {"id": an_id} | {key: _text(issue.get(key)) for key in ("title", "status")}
    return found


def _text(value: object) -> str:
    return value[:500] if isinstance(value, str) else ""


def _mentions(worktree: Path, an_id: str) -> list[Mention]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | {
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    wanted = ["--fixed-strings", f"--grep={an_id}", f"--max-count={_ASKED}", "--branches", "--remotes"]
    shown = ["--no-show-signature", "--no-patch", "--encoding=UTF-8", "-z", "--format=%H%x01%an%x01%ct%x01%B"]
    command = ["git", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "log", *wanted, *shown, "--"]
    try:
        done = subprocess.run(
            command,
            env=environment,
            cwd=worktree,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=_PATIENCE,
        )
        data = done.stdout
    except subprocess.TimeoutExpired as late:
        data = (late.stdout or b"").rpartition(b"\0")[0]
    except OSError:
        return []
    parts = (entry.split("\x01", 3) for entry in data.decode("utf-8", "replace").split("\0"))
    return [_mention(*part) for part in parts if len(part) == 4]


def _mention(oid: str, author: str, seconds: str, message: str) -> Mention:
    try:
        at = stamp(datetime.fromtimestamp(int(seconds), UTC))
    except (ValueError, OverflowError, OSError):
        at = ""
    return Mention(oid, author, at, message)
