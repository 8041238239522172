"""What a command does to the tree, planned and not yet done."""

from dataclasses import dataclass
from datetime import datetime

from gitmaild.model.ids import stamp
from gitmaild.model.message import Message

# Who commits, and is the author of what happens by itself; and how git writes that down.
COMMITTER = "gitmaild"
IDENTITY = f"{COMMITTER} <gitmaild@localhost>"


@dataclass(frozen=True, slots=True)
class Put:
    """Make a path hold these bytes, or the blob of that id (hexadecimal) that the tree already has elsewhere."""

    path: str
    data: bytes = b""
    oid: str = ""


@dataclass(frozen=True, slots=True)
class Changeset:
    """One command's commit: tree puts and drops, and the words of `git log`.

    `trailers` are made by gitmaild alone. `answer` is the front matter of the file that goes back to `sent/` where it
    cannot be told from the tree; it is kept in the commit's body. `recipients` says what became of each that the message
    names, for the answer to a repeated request. Blind ones are not in it: that answer stands in a commit, for all to read.
    `messages` are those that the puts hold, so that who shows them need not read them back.
    """

    subject: str
    author: str
    at: datetime
    puts: tuple[Put, ...] = ()
    drops: tuple[str, ...] = ()
    trailers: tuple[tuple[str, str], ...] = ()
    answer: str = ""
    recipients: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()

    def message(self) -> str:
        """The commit message: subject, the answer where one is kept, trailers."""
        lines = [f"{name}: {value}" for name, value in (*self.trailers, ("Accepted", stamp(self.at)))]
        paragraphs = [self.subject, *([self.answer.rstrip("\n")] if self.answer else []), "\n".join(lines)]
        return "\n\n".join(paragraphs) + "\n"


def parse_commit_message(text: str) -> tuple[dict[str, str], str]:
    """The inverse of `Changeset.message` as far as mirrors need it: trailers and answer. Foreign messages give ({}, "")."""
    paragraphs = text.rstrip("\n").split("\n\n")
    trailers: dict[str, str] = {}
    if len(paragraphs) > 1:
        for line in paragraphs[-1].split("\n"):
            name, colon, value = line.partition(": ")
            if not colon:
                return {}, ""
            trailers[name] = value
    return trailers, "\n\n".join(paragraphs[1:-1])


@dataclass(frozen=True, slots=True)
class Landed:
    """A commit as the mirrors see it: what it changed, and what its trailers say.

    `messages` are the new messages among what it put, where they are at hand; a commit that was read back has none there.
    """

    oid: str
    puts: tuple[tuple[str, str], ...]  # (path, blob id)
    drops: tuple[str, ...]
    trailers: dict[str, str]
    answer: str = ""
    messages: tuple[Message, ...] = ()
