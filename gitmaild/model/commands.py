"""What may be asked of the post office. One dataclass a kind; every door and every dropped file becomes one of these."""

from dataclasses import dataclass
from datetime import datetime

from gitmaild.model.message import Value


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the post office knows of a drop by itself, whatever the file claims."""

    id: str  # the command id, minted when the file was claimed
    project: str
    agent: str  # whose desk it was dropped in
    drop: str = ""  # the file's stem, made safe; empty for a command that was not dropped
    sha256: str = ""  # of the file's bytes
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    name: str
    sha256: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Send:
    envelope: Envelope
    to: tuple[str, ...]
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    subject: str | None = None
    thread_id: str = ""
    importance: str = "normal"
    ack_required: bool = False
    ack_within: int = 0
    in_reply_to: str = ""
    attachments: tuple[str, ...] = ()  # bare names in `outbox/files/`
    files: tuple[Attachment, ...] = ()  # the same, read
    extra: tuple[tuple[str, Value], ...] = ()
    body: str = ""


@dataclass(frozen=True, slots=True)
class Register:
    envelope: Envelope
    program: str | None = None
    model: str | None = None
    task_description: str | None = None
    extra: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True, slots=True)
class Retire:
    envelope: Envelope
    agent: str
    reason: str = ""
    extra: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True, slots=True)
class File:
    """File messages as read or acknowledged: by a drop that names ids, or by moving the files themselves."""

    envelope: Envelope
    folder: str  # `read` or `acked`
    ids: tuple[str, ...]
    extra: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True, slots=True)
class Reserve:
    """Ask for leases on paths, or on slots. `existing` are those of `paths` that name something in the worktree as they
    stand, wildcards and all, and `files` those of them that are no directories; who reads the drop finds out."""

    envelope: Envelope
    paths: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()
    ttl_seconds: int = 0
    exclusive: bool = True
    reason: str = ""
    wait_seconds: int = 0
    atomic: bool = False
    broad: bool = False
    existing: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()
    extra: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True, slots=True)
class Renew:
    """Extend leases: those named by id, path or slot, or all of one's own. `extend_seconds` 0: by a whole term from now."""

    envelope: Envelope
    leases: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()
    extend_seconds: int = 0
    extra: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True, slots=True)
class Release:
    """End leases: those named by id, path or slot, or all of one's own. The Overseer may end anybody's, with a reason."""

    envelope: Envelope
    leases: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()
    reason: str = ""
    extra: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """Open a project: its directory in the tree, with the Overseer's profile. Asked by `init`, never by a drop."""

    envelope: Envelope


@dataclass(frozen=True, slots=True)
class Bypass:
    """Record a commit of the code repository that may have gone past the guard. Asked by the daemon, never by a drop."""

    envelope: Envelope
    commit: str
    at: datetime
    paths: tuple[str, ...]
    agent: str = ""  # who is likely to have made it, '' for nobody knows
    worktree: str = ""


Command = Send | Register | Retire | File | Reserve | Renew | Release | Found

# The `kind:` of a dropped file, and the fields that it may hold besides those of every drop.
COMMON = ("kind", "from", "date", "request_id")
KINDS: dict[str, tuple[str, ...]] = {
    "message": tuple("to cc bcc subject thread_id importance ack_required ack_within in_reply_to attachments".split()),
    "register": ("program", "model", "task_description", "name"),
    "retire": ("agent", "reason"),
    "read": ("ids",),
    "ack": ("ids",),
    "reserve": tuple("paths slots ttl_seconds exclusive reason wait_seconds atomic broad".split()),
    "renew": ("leases", "paths", "slots", "extend_seconds"),
    "release": ("leases", "paths", "slots", "reason"),
}
LISTS = frozenset({"to", "cc", "bcc", "attachments", "ids", "paths", "slots", "leases"})
