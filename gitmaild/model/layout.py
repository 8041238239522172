"""Every path in the git tree and in a desk root: meaning to path and path to meaning, here and nowhere else.

The tree is sharded by the UTC hour of `created`. A leaf is the hour's directory for its first `LEAF` entries, then
`001/`, `002/` and so on below it, so that no tree object grows with the mailbox (docs/decisions/0003).
"""

import re
from dataclasses import dataclass
from datetime import datetime

from gitmaild.model.ids import LEASE_ID, MESSAGE_ID, hex_of
from gitmaild.model.message import IMPORTANCE, Message
from gitmaild.model.names import is_desk_name, is_list_name, is_slug

FORMAT = "1"
FOLDERS = ("inbox", "read", "acked")
LEAF = 64
_TIME = len("20261122T152214.123456Z_")
_SLUG = 60

# A bare file name that is safe in a shell and on every disk.
ATTACHMENT_NAME = r"[A-Za-z0-9_][A-Za-z0-9 ._+@()=-]{0,199}(?<![. ])"

_FILE = re.compile(
    rf"(\d{{8}}T\d{{6}}\.\d{{6}}Z)_({'|'.join(IMPORTANCE)})_([A-Za-z]{{2,40}})_([a-z0-9-]{{1,60}})_([0-9a-f]{{8,32}})\.md",
    re.ASCII,
)
_SHARD = r"(\d{4}/\d\d/\d\d/\d\d)(?:/\d{3,6})?"
_COPY = re.compile(rf"([a-z0-9-]+)/agents/([A-Za-z]+)/(inbox|read|acked)/{_SHARD}/([^/]+)", re.ASCII)
_CANONICAL = re.compile(rf"([a-z0-9-]+)/messages/{_SHARD}/(msg_\d{{8}}_[0-9a-f]{{8,32}})\.md", re.ASCII)
_PROFILE = re.compile(r"([a-z0-9-]+)/agents/([A-Za-z]+)/profile\.yaml")
_POSTED = re.compile(rf"([a-z0-9-]+)/(queues|boards)/([a-z0-9-]+)/{_SHARD}/([^/]+)", re.ASCII)
_HELD = re.compile(r"([a-z0-9-]+)/held/\d{8}T\d{6}\.\d{6}Z_([A-Za-z]+)_([0-9a-f]{8,32})\.yaml", re.ASCII)
_DIRECTORY = re.compile(r"([a-z0-9-]+)/(?:roles|lists/[a-z0-9-]+)\.yaml")
_LEASE = re.compile(rf"([a-z0-9-]+)/leases/({LEASE_ID.pattern})\.yaml", re.ASCII)
_ATTACHMENT = re.compile(rf"([a-z0-9-]+)/attachments/([0-9a-f]{{2}})/(\2[0-9a-f]{{62}})/({ATTACHMENT_NAME})")


@dataclass(frozen=True, slots=True)
class FileName:
    """A message's file name in an inbox, taken apart. `ls` sorts it by time and shows who, what and how urgent."""

    at: str  # 20261122T152214.123456Z
    importance: str
    sender: str
    slug: str
    hex: str

    @property
    def shard(self) -> str:
        return f"{self.at[:4]}/{self.at[4:6]}/{self.at[6:8]}/{self.at[9:11]}"


@dataclass(frozen=True, slots=True)
class Copy:
    """One recipient's copy of a message in the tree."""

    project: str
    agent: str
    folder: str
    name: str


@dataclass(frozen=True, slots=True)
class Canonical:
    project: str
    message_id: str


@dataclass(frozen=True, slots=True)
class ProfilePath:
    project: str
    agent: str


@dataclass(frozen=True, slots=True)
class AttachmentPath:
    project: str
    sha256: str
    name: str


@dataclass(frozen=True, slots=True)
class LeasePath:
    """A lease that is held now."""

    project: str
    lease_id: str


@dataclass(frozen=True, slots=True)
class Posted:
    """A message in a queue or on a board."""

    project: str
    where: str  # `queues` or `boards`
    name: str  # of the queue or board
    file: str


@dataclass(frozen=True, slots=True)
class HeldPath:
    """A record of mail that waits at somebody's door."""

    project: str
    agent: str
    hex: str


@dataclass(frozen=True, slots=True)
class DirectoryPath:
    """A file that says who stands for whom: roles, a group, a queue, a board."""

    project: str


Place = Posted | HeldPath | DirectoryPath | Copy | Canonical | ProfilePath | AttachmentPath | LeasePath


def recognise(path: str) -> Place | None:  # noqa: C901 - a branch for each kind of path
    """What a path of the tree means to a mirror; None for everything that a mirror must not write.

    Whoever made the commit, only names that pass here ever become file names in a desk.
    """
    if not is_slug(path.partition("/")[0]):
        return None
    if m := _COPY.fullmatch(path):
        project, agent, folder, hour, name = m.groups()
        parts = parse_file_name(name)
        if is_desk_name(agent) and parts and parts.shard == hour:
            return Copy(project, agent, folder, name)
    elif m := _CANONICAL.fullmatch(path):
        return Canonical(m[1], m[3])
    elif (m := _PROFILE.fullmatch(path)) and is_desk_name(m[2]):
        return ProfilePath(m[1], m[2])
    elif m := _POSTED.fullmatch(path):
        return _posted(*m.groups())
    elif (m := _HELD.fullmatch(path)) and is_desk_name(m[2]):
        return HeldPath(m[1], m[2], m[3])
    elif m := _DIRECTORY.fullmatch(path):
        return DirectoryPath(m[1])
    elif m := _LEASE.fullmatch(path):
        return LeasePath(m[1], m[2])
    elif m := _ATTACHMENT.fullmatch(path):
        return AttachmentPath(m[1], m[3], m[4])
    return None


def _posted(project: str, where: str, name: str, hour: str, file: str) -> Posted | None:
    parts = parse_file_name(file)
    return Posted(project, where, name, file) if is_list_name(name) and parts and parts.shard == hour else None


def is_timed(path: str) -> bool:
    """True for a record of something that happens by itself when its time comes."""
    return path.split("/", 2)[1] in ("held", "claims", "acks-due") if path.count("/") > 1 else False


def subject_slug(subject: str) -> str:
    """At most 60 ASCII bytes of the subject for a file name; `message` where nothing is left."""
    return re.sub(r"[^a-z0-9]+", "-", subject.lower()).strip("-")[:_SLUG].strip("-") or "message"


def file_name(message: Message) -> str:
    at = message.created.strftime("%Y%m%dT%H%M%S.%fZ")
    sender = message.sender.partition("@")[0]
    return f"{at}_{message.importance}_{sender}_{subject_slug(message.subject)}_{hex_of(message.id)}.md"


def parse_file_name(name: str) -> FileName | None:
    """Read a message's file name back; None for any other name, and for a time that no calendar has."""
    m = _FILE.fullmatch(name)
    try:
        return FileName(*m.groups()) if m and datetime.fromisoformat(m[1]) else None
    except ValueError:
        return None


def named_as(name: str, *, after: str = "", levels: tuple[str, ...] = IMPORTANCE, digits: str = "") -> bool:
    """False for a name that no message file of this time, importance and id has. Cheap, for a hundred thousand names."""
    return name >= after and (not digits or name.endswith(f"_{digits}.md")) and name[_TIME:].partition("_")[0] in levels


def may_bear(slug: str, tag: str) -> bool:
    """False where the subject of a file name's slug cannot have this tag. A slug that was cut may have lost it."""
    return len(slug) >= _SLUG - 1 or f"-{subject_slug(tag)}-" in f"-{slug}-"


def shard(created: datetime) -> str:
    return created.strftime("%Y/%m/%d/%H")


def project_file(project: str) -> str:
    return f"{project}/project.yaml"


def agents(project: str) -> str:
    return f"{project}/agents"


def profile(project: str, agent: str) -> str:
    return f"{project}/agents/{agent}/profile.yaml"


def folder(project: str, agent: str, name: str) -> str:
    return f"{project}/agents/{agent}/{name}"


def messages(project: str) -> str:
    return f"{project}/messages"


def day_of(message_id: str) -> str:
    """`2026/11/22`: the day directory where the search for a message starts."""
    m = MESSAGE_ID.fullmatch(message_id)
    if m is None:
        raise ValueError(f"not a message id: {message_id!r}")
    return f"{m[1][:4]}/{m[1][4:6]}/{m[1][6:]}"


def attachment(project: str, sha256: str, name: str) -> str:
    return f"{project}/attachments/{sha256[:2]}/{sha256}/{name}"


def request(project: str, agent: str, sha256: str) -> str:
    """Where the first answer to a `request_id` is kept; `sha256` is that of the request id."""
    return f"{project}/agents/{agent}/requests/{sha256[:2]}/{sha256}.yaml"


def leases(project: str) -> str:
    return f"{project}/leases"


def lease(project: str, lease_id: str) -> str:
    return f"{leases(project)}/{lease_id}.yaml"


def ended_leases(project: str) -> str:
    """Below it, leases lie by the day on which they ended."""
    return f"{project}/leases-ended"


def lease_queue(project: str) -> str:
    """Requests that wait, one file each, named so that they sort in the order in which they were made."""
    return f"{project}/lease-queue"


def lease_request(project: str, number: str) -> str:
    return f"{lease_queue(project)}/{number}.yaml"


def acks_due(project: str) -> str:
    """Messages whose acknowledgements are waited for, one file each, named so that the next to fall due comes first."""
    return f"{project}/acks-due"


def fence(project: str) -> str:
    """The file that holds the last fencing number."""
    return f"{project}/fence.yaml"


def moment(at: datetime) -> str:
    """A time as it stands at the head of a file name, so that names sort by it."""
    return f"{at:%Y%m%dT%H%M%S.%fZ}"


def contacts(project: str, agent: str) -> str:
    """What an agent has said of whose mail it takes."""
    return f"{project}/contacts/{agent}"


def contact(project: str, agent: str, other: str) -> str:
    return f"{project}/contacts/{agent}/with/{other}.yaml"


def contact_policy(project: str, agent: str) -> str:
    return f"{project}/contacts/{agent}/policy.yaml"


def quiet(project: str, agent: str) -> str:
    """Until when an agent is not to be disturbed."""
    return f"{project}/contacts/{agent}/dnd.yaml"


def met(project: str, agent: str, other: str) -> str:
    """The day on which an agent last had mail from another."""
    return f"{project}/agents/{agent}/met/{other}"


def participants(project: str, page: str, digest: str) -> str:
    """Who has written or been written to in a thread; `page` names its page, `digest` spreads the files."""
    return f"{project}/participants/{digest[:2]}/{page}"


def held(project: str) -> str:
    """Mail that waits at its recipients' doors, one file each, named so that what waits least comes first."""
    return f"{project}/held"


def returned(project: str, message_id: str) -> str:
    """Below it, why a message that was held went back, one file a recipient."""
    return f"{project}/returned/{day_of(message_id)}/{hex_of(message_id)}"


def roles(project: str) -> str:
    return f"{project}/roles.yaml"


def lists(project: str) -> str:
    """Groups, queues and boards, one file each."""
    return f"{project}/lists"


def posted(project: str, where: str, name: str) -> str:
    """The messages of a queue or a board; `where` is `queues` or `boards`."""
    return f"{project}/{where}/{name}"


def claims(project: str) -> str:
    """What was taken out of queues and is not acknowledged, one file each, named so that the next to go back comes first."""
    return f"{project}/claims"
