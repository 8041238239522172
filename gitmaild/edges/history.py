"""The mailbox's history, streamed by git itself: for who walks all of it: a diff a commit in Python takes minutes.

Nothing of the user's configuration is in the way, and no replaced object either: what is read is what was committed.
"""

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from gitmaild.edges.plumbing import Damaged, environment
from gitmaild.model.history import Change, Recorded

_AT_ONCE = 1 << 20
# For who asks for the newest few: git is not waited for until it has said a megabyte.
_A_PAGE = 1 << 13
_NONE = "0" * 40
# So many that a pipe holds them, while git is still busy with the answers.
_QUESTIONS = 1000
# Each commit begins with a word that no path can be taken for, since paths are read by their position; NULs part the fields.
_BEGIN = "commit"
_FORMAT = f"{_BEGIN}%x00%H%x00%P%x00%an%x00%cn <%ce>%x00%at%x00%ct%x00%B%x00"
_FIELDS = 7


class History:
    """Reads the line of first parents of a mailbox, oldest first."""

    def __init__(self, mailbox: Path) -> None:
        self._mailbox = mailbox

    def commits(self, old: str, new: str, *, changes: bool = False) -> Iterator[Recorded]:
        """Every commit after `old` ('' for the first) up to `new`, oldest first. Raises `Damaged` where git cannot go on."""
        if not new or old == new:
            return
        shown = ["--raw", "-r", "--no-abbrev", "--no-renames", "--diff-merges=first-parent"] if changes else ["--no-patch"]
        span = f"{old}..{new}" if old else new
        options = ["--reverse", "--first-parent", "--encoding=UTF-8", "--no-show-signature", "--no-notes", *shown]
        command = [*self._git, "log", "-z", *options, f"--format={_FORMAT}", span, "--"]
        with _running(command) as (_, output):
            yield from _parsed(_tokens(output))

    def newest(self, tip: str, *, author: str = "", grep: str = "", changes: bool = False) -> Iterator[Recorded]:
        """Commits from `tip` back, newest first; git is ended where nobody asks for more.

        `author`: only this one's. `grep`: only those whose message has a line that is just this.
        """
        if not tip:
            return
        shown = ["--raw", "-r", "--no-abbrev", "--no-renames", "--diff-merges=first-parent"] if changes else ["--no-patch"]
        options = ["--first-parent", "--encoding=UTF-8", "--no-show-signature", "--no-notes", "--extended-regexp", *shown]
        options += [f"--author=^{_literal(author)} <"] if author else []
        options += [f"--grep=^{_literal(grep)}$"] if grep else []
        with _running([*self._git, "log", "-z", *options, f"--format={_FORMAT}", tip, "--"]) as (_, output):
            yield from _parsed(_tokens(output, _A_PAGE))

    def count(self, tip: str) -> int:
        """How many commits `commits("", tip)` gives."""
        with _running([*self._git, "rev-list", "--count", "--first-parent", tip, "--"]) as (_, output):
            return _number(output.read().decode().strip())

    @contextmanager
    def blobs(self) -> Iterator["Blobs"]:
        """Blobs by their ids, from one process."""
        with _running([*self._git, "cat-file", "--batch"], answers=True) as (asked, output):
            assert asked is not None
            yield Blobs(asked, output)

    @property
    def _git(self) -> list[str]:
        return ["git", f"--git-dir={self._mailbox}", "-c", "core.hooksPath=/dev/null", "-c", "log.mailmap=false"]


class Blobs:
    def __init__(self, asked: IO[bytes], output: IO[bytes]) -> None:
        self._asked, self._output = asked, output

    def read(self, oids: Sequence[str]) -> dict[str, bytes | None]:
        """The bytes of blobs; None for one that is not there, or is damaged."""
        found: dict[str, bytes | None] = {}
        for at in range(0, len(oids), _QUESTIONS):
            asked = oids[at : at + _QUESTIONS]
            self._asked.write("".join(f"{oid}\n" for oid in asked).encode())
            self._asked.flush()
            found |= {oid: self._answer() for oid in asked}
        return found

    def _answer(self) -> bytes | None:
        words = self._output.readline().split()
        if len(words) != 3 or not words[2].isdigit():
            return None
        data = self._output.read(int(words[2]) + 1)[:-1]
        return data if words[1] == b"blob" else None


def _literal(text: str) -> str:
    """A text as an extended regular expression that it alone matches."""
    return re.sub(r"[][(){}.*+?^$|\\]", r"\\\g<0>", text)


@contextmanager
def _running(command: list[str], *, answers: bool = False) -> Iterator[tuple[IO[bytes] | None, IO[bytes]]]:
    """Git's input, where it `answers`, and its output. Raises `Damaged` where it ends badly; who lets go early ends it."""
    source = subprocess.PIPE if answers else subprocess.DEVNULL
    child = subprocess.Popen(
        command, env=environment(), cwd="/", stdin=source, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=1 << 16
    )
    assert child.stdout is not None
    try:
        yield child.stdin, child.stdout
        if child.stdin:
            child.stdin.close()
        if child.wait():
            raise Damaged(f"git {command[6]} cannot read the history to its end (exit {child.returncode}); gitmaild status")
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe:
                pipe.close()


def _tokens(output: IO[bytes], at_once: int = _AT_ONCE) -> Iterator[str]:
    rest = b""
    while data := output.read(at_once):
        *whole, rest = (rest + data).split(b"\0")
        for token in whole:
            yield token.decode("utf-8", "surrogateescape")
    if rest:
        yield rest.decode("utf-8", "surrogateescape")


def _parsed(tokens: Iterator[str]) -> Iterator[Recorded]:
    head: list[str] = []
    changes: list[Change] = []
    for token in tokens:
        word = token.lstrip("\n")
        if word.startswith(":"):
            mode, before, after = word.split(" ")[1:4]
            before, after = ("" if oid == _NONE else oid for oid in (before, after))
            changes.append(Change(next(tokens), before, after, mode))
        elif word == _BEGIN:
            if head:
                yield _recorded(head, changes)
            head, changes = [next(tokens) for _ in range(_FIELDS)], []
    if head:
        yield _recorded(head, changes)


def _recorded(head: list[str], changes: list[Change]) -> Recorded:
    oid, parents, author, committer, authored, committed, message = head
    return Recorded(
        oid, tuple(parents.split()), author, committer, _number(authored), _number(committed), message, tuple(changes)
    )


def _number(text: str) -> int:
    """A foreign commit may claim any time at all, or none."""
    return int(text) if text.lstrip("-").isdecimal() else 0
