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
    auto_reply: bool = False  # a program answered by itself
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
    ttl_seconds: int = 0  # 0: what the agent's role, or the home, says
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
class ContactPolicy:
    """Say whose mail one takes: one of `model.contact.POLICIES`."""

    envelope: Envelope
    policy: str
    extra: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True, slots=True)
class ContactRequest:
    """Ask somebody to take one's mail."""

    envelope: Envelope
    agent: str  # an address
    reason: str = ""
    extra: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True, slots=True)
class ContactAnswer:
    """Agree to take somebody's mail, or refuse it. What was held of it is delivered, or bounces."""

    envelope: Envelope
    agents: tuple[str, ...]  # addresses
    approve: bool
    reason: str = ""
    extra: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True, slots=True)
class Quiet:
    """Do not disturb: all mail but urgent waits until it is over, `seconds` from now, or at once where they are 0."""

    envelope: Envelope
    seconds: int
    extra: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True, slots=True)
class BindRole:
    """Say who holds a role. None leaves a part as it is; an empty holder, or `unbind`, leaves the role to nobody."""

    envelope: Envelope
    role: str
    agent: str | None = None
    about: str | None = None
    lease_seconds: int | None = None
    unbind: bool = False
    extra: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True, slots=True)
class EditList:
    """Make, change or remove a group, a queue or a board. None leaves a part as it is."""

    envelope: Envelope
    kind: str  # one of `model.directory.KINDS`
    name: str
    members: tuple[str, ...] | None = None
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    about: str | None = None
    keep: int | None = None
    claim_seconds: int | None = None
    lease_seconds: int | None = None
    delete: bool = False
    extra: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """Take a message out of a queue, the oldest where none is named; or give messages back that were taken."""

    envelope: Envelope
    queue: str = ""
    ids: tuple[str, ...] = ()
    give_back: bool = False
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


Command = (
    Send
    | Register
    | Retire
    | File
    | Reserve
    | Renew
    | Release
    | ContactPolicy
    | ContactRequest
    | ContactAnswer
    | Quiet
    | BindRole
    | EditList
    | Claim
    | Found
)

# The `kind:` of a dropped file, and the fields that it may hold besides those of every drop.
COMMON = ("kind", "from", "date", "request_id")
KINDS: dict[str, tuple[str, ...]] = {
    "message": tuple(
        "to cc bcc subject thread_id importance ack_required ack_within in_reply_to attachments auto_reply".split()
    ),
    "register": ("program", "model", "task_description", "name"),
    "retire": ("agent", "reason"),
    "read": ("ids",),
    "ack": ("ids",),
    "reserve": tuple("paths slots ttl_seconds exclusive reason wait_seconds atomic broad".split()),
    "renew": ("leases", "paths", "slots", "extend_seconds"),
    "release": ("leases", "paths", "slots", "reason"),
    "handoff": tuple("completed remaining blockers next files tests iteration thread_id".split()),
    "contact-policy": ("policy",),
    "contact-request": ("agent", "reason"),
    "contact-approve": ("agents", "agent"),
    "contact-deny": ("agents", "agent", "reason"),
    "dnd": ("on", "seconds"),
    "role-bind": ("role", "agent", "about", "lease_seconds"),
    "role-unbind": ("role",),
    "group": ("name", "members", "add", "remove", "about", "lease_seconds", "delete"),
    "queue": ("name", "members", "add", "remove", "about", "claim_seconds", "delete"),
    "board": ("name", "about", "keep", "delete"),
    "claim": ("queue", "ids"),
    "give-back": ("ids",),
}
LISTS = frozenset(
    "to cc bcc attachments ids paths slots leases agents members add remove "
    "completed remaining blockers next files tests".split()
)
