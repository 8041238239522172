"""What landed commits mean to desks: found once, shown in every root."""

import re
from dataclasses import dataclass, field

from gitmaild.app.mirror import Answer, Mirror
from gitmaild.app.ports import BatchTree
from gitmaild.app.threads import parsed
from gitmaild.model import layout
from gitmaild.model.changeset import Landed
from gitmaild.model.ids import COMMAND_ID, hex_of, parse_stamp
from gitmaild.model.layout import AttachmentPath, Canonical, Copy, LeasePath, Place, ProfilePath
from gitmaild.model.message import Message
from gitmaild.model.names import POSTMASTER
from gitmaild.rules import pages
from gitmaild.rules.mailbox import Mailbox

# A dropped file's stem as `model.drop` makes it safe.
_STEM = re.compile(r"[A-Za-z0-9_+@][A-Za-z0-9._+@-]{0,79}")


@dataclass(slots=True)
class Change:
    """What a batch of commits means to the desks of one project."""

    attachments: list[tuple[AttachmentPath, str]] = field(default_factory=list)  # where, blob id
    copies: list[tuple[Copy, str, str]] = field(default_factory=list)  # where to, the folder it came from, blob id
    removed: list[str] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    refreshed: dict[str, tuple[Message, bytes]] = field(default_factory=dict)
    leases: dict[str, str] = field(default_factory=dict)  # blob ids by lease id, '' for one that is no longer held
    view: bytes = b""  # the lease view, where it changed


def digest(commit: Landed, tree: BatchTree, changes: dict[str, Change]) -> list[tuple[str, Message, str]]:
    """Add what one commit means to `changes`, by project; (project, message, blob id) of the new messages of threads."""
    puts = [(place, oid) for path, oid in commit.puts if (place := layout.recognise(path))]
    drops = [place for path in commit.drops if (place := layout.recognise(path))]
    moved = {(c.project, c.agent, c.name): c.folder for c in drops if isinstance(c, Copy)}
    for gone in drops:
        if isinstance(gone, LeasePath):
            changes.setdefault(gone.project, Change()).leases[gone.lease_id] = ""
    for place, oid in puts:
        _note(place, oid, changes.setdefault(place.project, Change()), moved)
    for (project, agent, name), folder in moved.items():
        changes.setdefault(project, Change()).removed.append(f"agents/{agent}/{folder}/{name}")
    at_hand = {message.id: message for message in commit.messages}
    found = [
        (place.project, message, oid)
        for place, oid in puts
        if isinstance(place, Canonical) and (message := at_hand.get(place.message_id) or parsed(tree.blob(oid)))
    ]
    mail = [message for _, message, _ in found]
    if is_answered(commit.trailers) and (data := _fresh_answer(commit, mail, [place for place, _ in puts])):
        changes.setdefault(commit.trailers.get("Project", ""), Change()).answers.append(answer_of(commit.trailers, data))
    return [(project, message, oid) for project, message, oid in found if message.sender != POSTMASTER]


def _note(place: Place, oid: str, change: Change, moved: dict[tuple[str, str, str], str]) -> None:
    match place:
        case Copy():
            change.copies.append((place, moved.pop((place.project, place.agent, place.name), ""), oid))
        case ProfilePath():
            change.agents.append(place.agent)
        case AttachmentPath():
            change.attachments.append((place, oid))
        case LeasePath():
            change.leases[place.lease_id] = oid
        case Canonical():
            pass  # of its thread


def is_answered(trailers: dict[str, str]) -> bool:
    """True for the commit of a dropped file that went to `sent/`: not for a move, a refusal, or a foreign commit.

    Whoever made the commit, only words that pass here ever become a file name in `sent/`.
    """
    kind, _, command_id = trailers.get("Command", "").partition(" ")
    if kind in ("", "refuse") or not COMMAND_ID.fullmatch(command_id) or "From" not in trailers:
        return False
    try:
        parse_stamp(trailers.get("Accepted", ""))
    except ValueError:
        return False
    return _STEM.fullmatch(trailers.get("Drop", "")) is not None


def own(trailers: dict[str, str], message: Message | None) -> Message | None:
    """The message, where it is the one that this commit's own command sent."""
    is_own = message and message.sender == trailers["From"] and hex_of(message.id) == hex_of(trailers["Command"])
    return message if is_own else None


def _fresh_answer(commit: Landed, mail: list[Message], places: list[Place]) -> bytes:
    """The answer to a command that has just landed: all its copies lie in inboxes."""
    if commit.answer:
        return pages.answer(commit.answer)
    bounced = next((pages.bounced(note) for note in mail if note.sender == POSTMASTER), ())
    mine = next((message for message in mail if own(commit.trailers, message)), None)
    copies = [copy for copy in places if isinstance(copy, Copy) and f"_{POSTMASTER}_" not in copy.name]
    return pages.sent(mine, [(copy.agent, "inbox") for copy in copies], bounced) if mine else b""


def show(mirror: Mirror, change: Change, tree: BatchTree) -> None:
    """Do to one desk root what a change says."""
    # First what may be committed to, then who is told that it is theirs.
    for lease_id, oid in change.leases.items():
        mirror.lease(lease_id, tree.blob(oid) if oid else None)
    if change.view:
        mirror.view(change.view)
    for attachment, oid in change.attachments:
        mirror.attachment(attachment, tree.blob(oid))
    for place, came_from, oid in change.copies:
        if place.agent in mirror.desks:
            mirror.copy(place, came_from, tree.blob(oid))
    for path in change.removed:
        mirror.root.remove(path)
    for agent in change.agents:
        mirror.agent(agent)
    for answer in change.answers:
        mirror.answer(answer)
    for message, data in change.refreshed.values():
        mirror.refresh(message, data)


def digest_filed(project: str, change: Change, tree: BatchTree) -> None:
    """The senders' answers that a reading or an acknowledgement brings up to date."""
    for place, _, oid in change.copies:
        if place.folder != "inbox" and place.name not in change.refreshed and (message := parsed(tree.blob(oid))):
            change.refreshed[place.name] = (message, sent_page(message, Mailbox(tree, project)))


def answer_of(trailers: dict[str, str], data: bytes) -> Answer:
    digits = hex_of(trailers["Command"])[:8]
    return Answer(trailers["From"], trailers["Drop"], digits, data, parse_stamp(trailers["Accepted"]))


def sent_page(message: Message, mailbox: Mailbox) -> bytes:
    note = mailbox.note(message)
    states = [(held.agent, held.folder) for held in mailbox.holders(message)]
    return pages.sent(message, states, pages.bounced(note) if note else ())
