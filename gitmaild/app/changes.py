"""What landed commits mean to desks: found once, shown in every root."""

import re
from dataclasses import dataclass, field

from gitmaild.app.mirror import Answer, Mirror
from gitmaild.app.ports import BatchTree
from gitmaild.app.threads import parsed
from gitmaild.model import layout
from gitmaild.model.changeset import Landed
from gitmaild.model.ids import COMMAND_ID, hex_of, parse_stamp
from gitmaild.model.layout import (
    AttachmentPath,
    Canonical,
    Copy,
    DirectoryPath,
    HeldPath,
    LeasePath,
    Place,
    Posted,
    ProfilePath,
)
from gitmaild.model.message import Message
from gitmaild.model.names import POSTMASTER
from gitmaild.rules import foreign, pages
from gitmaild.rules.held import sent_back
from gitmaild.rules.mailbox import Mailbox
from gitmaild.rules.whereabouts import states

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
    posted: dict[str, str] = field(default_factory=dict)  # blob ids by path in a root, '' for what is posted no longer
    delivered: list[tuple[str, str]] = field(default_factory=list)  # (file name, blob id) of what was not sent just now
    returned: list[Message] = field(default_factory=list)  # messages that went back after they were held
    directory: bool = False  # roles or lists have changed


def digest(commit: Landed, tree: BatchTree, changes: dict[str, Change]) -> list[tuple[str, Message, str]]:
    """Add what one commit means to `changes`, by project; (project, message, blob id) of the new messages of threads."""
    puts = [(place, oid) for path, oid in commit.puts if (place := layout.recognise(path))]
    drops = [place for path in commit.drops if (place := layout.recognise(path))]
    moved = {(c.project, c.agent, c.name): c.folder for c in drops if isinstance(c, Copy)}
    for gone in drops:
        _note_gone(gone, changes.setdefault(gone.project, Change()))
    for place, oid in puts:
        _note(place, oid, changes.setdefault(place.project, Change()), moved)
    for (project, agent, name), folder in moved.items():
        changes.setdefault(project, Change()).removed.append(f"agents/{agent}/{folder}/{name}")
    # As the commit's own project sees them.
    at_hand = {(commit.trailers.get("Project", ""), message.id): message for message in commit.messages}
    found = [
        (place.project, message, oid)
        for place, oid in puts
        if isinstance(place, Canonical)
        and (message := at_hand.get((place.project, place.message_id)) or parsed(tree.blob(oid)))
    ]
    mail = [message for _, message, _ in found]
    _note_delivered(commit, puts, mail, changes)
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
        case Posted():
            change.posted[f"{place.where}/{place.name}/{place.file}"] = oid
        case DirectoryPath():
            change.directory = True
        case Canonical() | HeldPath():
            pass  # of its thread, and of its sender's answer


def _note_gone(place: Place, change: Change) -> None:
    match place:
        case LeasePath():
            change.leases[place.lease_id] = ""
        case Posted():
            change.posted[f"{place.where}/{place.name}/{place.file}"] = ""
        case DirectoryPath():
            change.directory = True
        case _:
            pass


def _note_delivered(commit: Landed, puts: list[tuple[Place, str]], mail: list[Message], changes: dict[str, Change]) -> None:
    """Copies of messages that were sent before: held until now, in or out of a queue; and notes of those that went back."""
    fresh = {hex_of(message.id) for message in mail if "From" in commit.trailers and own(commit.trailers, message)}
    notes = {hex_of(note.id): note for note in mail if note.sender == POSTMASTER and pages.bounced(note)}
    for place, oid in puts:
        if isinstance(place, Posted) and place.file.removesuffix(".md").rpartition("_")[2] not in fresh:
            changes[place.project].delivered.append((place.file, oid))
        if not isinstance(place, Copy):
            continue
        digits = place.name.removesuffix(".md").rpartition("_")[2]
        if digits in notes and hex_of(notes[digits].in_reply_to) not in fresh:
            changes[place.project].returned.append(notes[digits])
        elif place.folder == "inbox" and digits not in fresh and f"_{POSTMASTER}_" not in place.name:
            changes[place.project].delivered.append((place.name, oid))


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
    return pages.sent(mine, _fresh_states(commit.trailers.get("Project", ""), places), bounced) if mine else b""


def _fresh_states(project: str, places: list[Place]) -> list[tuple[str, str]]:
    """(recipient, state) of each copy of a message that has just been sent, as `states` finds them later."""
    found: list[tuple[str, str]] = []
    for place in places:
        match place:
            case Copy() if f"_{POSTMASTER}_" not in place.name:
                found.append((foreign.address(place.agent, place.project, project), "inbox"))
            case HeldPath():
                found.append((foreign.address(place.agent, place.project, project), "held"))
            case Posted():
                found.append((place.name, "posted"))
    return found


def show(mirror: Mirror, change: Change, tree: BatchTree) -> None:  # noqa: C901 - a loop for each kind of thing
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
    for path, oid in change.posted.items():
        mirror.posted(path, tree.blob(oid) if oid else None)
    for agent in change.agents:
        mirror.agent(agent)
    for answer in change.answers:
        mirror.answer(answer)
    for message, data in change.refreshed.values():
        mirror.refresh(message, data)


def digest_filed(project: str, changes: dict[str, Change], tree: BatchTree) -> None:
    """The senders' answers that a reading, an acknowledgement, or a late delivery brings up to date."""
    change = changes[project]
    filed = [(place.name, oid) for place, _, oid in change.copies if place.folder != "inbox"]
    for name, oid in dict.fromkeys([*filed, *change.delivered]):
        if message := parsed(tree.blob(oid)):
            _refresh(name, message, project, changes, tree)
    for path, oid in change.posted.items():
        # Gone with its queue; or taken, and then it is among the delivered.
        if not oid and path.startswith("queues/"):
            name = path.rpartition("/")[2]
            if message := Mailbox(tree, project).message_in(name):
                _refresh(name, message, project, changes, tree)
    for note in change.returned:
        if message := Mailbox(tree, project).message(note.in_reply_to):
            _refresh(layout.file_name(message), message, project, changes, tree)


def _refresh(name: str, message: Message, project: str, changes: dict[str, Change], tree: BatchTree) -> None:
    """Bring one sender's answer up to date; the sender may be in another project."""
    home = foreign.project_of(message.sender) or project
    mailbox = Mailbox(tree, home)
    mine = message if home == project else mailbox.message(message.id)
    change = changes.setdefault(home, Change())
    if mine is not None and name not in change.refreshed:
        change.refreshed[name] = (mine, sent_page(mine, mailbox))


def answer_of(trailers: dict[str, str], data: bytes) -> Answer:
    digits = hex_of(trailers["Command"])[:8]
    return Answer(trailers["From"], trailers["Drop"], digits, data, parse_stamp(trailers["Accepted"]))


def sent_page(message: Message, mailbox: Mailbox) -> bytes:
    note = mailbox.note(message)
    bounced = [*(pages.bounced(note) if note else ()), *sent_back(message, mailbox)]
    return pages.sent(message, states(message, mailbox), bounced)
