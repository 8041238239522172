"""What lies in an outbox, before and after it is claimed."""

import re
from dataclasses import dataclass
from enum import Enum

from gitmaild.model.ids import COMMAND_ID

# Nobody's business until they are renamed: drafts, editors' litter, hidden files.
_DRAFT_ENDINGS = ("~", ".tmp", ".swp", ".part")
_NAME_BYTES = 255


class How(Enum):
    """What the watcher can tell of an arrival: a rename is whole, a closed file may be, the rest is for a scan."""

    RENAMED = "renamed"
    CLOSED = "closed"
    LOOK = "look"


@dataclass(frozen=True, slots=True)
class Hint:
    directory: str  # '' where anything anywhere may have changed
    name: str = ""
    how: How = How.LOOK


@dataclass(frozen=True, slots=True)
class Waiting:
    """A file in an outbox, as one look saw it."""

    name: str
    inode: int
    size: int
    mtime_ns: int
    regular: bool = True

    @property
    def signature(self) -> tuple[int, int, int]:
        return self.inode, self.size, self.mtime_ns


@dataclass(frozen=True, slots=True)
class Claim:
    """A file that was taken: in `outbox/.claimed/`, named by the command id it has from now on."""

    root: str
    agent: str
    id: str
    name: str  # as it was dropped, cut from the left where a file name would grow too long

    @property
    def file(self) -> str:
        return f"{self.id}.{self.name}"

    @property
    def stem(self) -> str:
        """The dropped name without its ending, safe for a file name and a commit trailer."""
        stem = self.name.rpartition(".")[0]
        return re.sub(r"[^A-Za-z0-9._+@-]+", "-", stem.encode("ascii", "replace").decode()).strip("-.")[:80] or "drop"


@dataclass(frozen=True, slots=True)
class Dropped:
    """A claimed file's bytes, and what it must still be when it is let go."""

    data: bytes
    size: int
    mtime_ns: int


def is_drop(name: str) -> bool:
    """True for a name in an outbox that asks to be taken."""
    return name.endswith((".md", ".yaml")) and not name.startswith(".") and not name.endswith(_DRAFT_ENDINGS)


def claim(root: str, agent: str, command_id: str, name: str) -> Claim:
    room = _NAME_BYTES - len(command_id) - 1
    raw = name.encode(errors="surrogateescape")
    if len(raw) > room:
        # Not within a character: what was UTF-8 stays UTF-8.
        raw = raw[-room:]
        raw = raw[:3].lstrip(bytes(range(0x80, 0xC0))) + raw[3:]
    return Claim(root, agent, command_id, raw.decode(errors="surrogateescape"))


def parse_claim(root: str, agent: str, file: str) -> Claim | None:
    """Read a name in `.claimed/` back; None for a file that gitmaild did not put there."""
    command_id, dot, name = file.partition(".")
    return Claim(root, agent, command_id, name) if dot and COMMAND_ID.fullmatch(command_id) else None
