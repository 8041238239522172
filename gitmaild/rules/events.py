"""A commit of the mailbox as one event: what an agent that follows the mailbox is told, and nothing that the log hides."""

from datetime import UTC, datetime

from gitmaild.model.history import Recorded
from gitmaild.model.ids import LEASE_ID, MESSAGE_ID, stamp

# Trailers that hold one thing, and the name of that thing in an event.
_ONE = {
    "Thread-Id": "thread_id",
    "Note-Id": "note_id",
    "Agent": "agent",
    "Commit": "code_commit",
    "Lease-State": "lease_state",
    "Result": "result",
}
FOREIGN = "foreign"


def event(commit: Recorded) -> dict[str, object]:
    """The event of a commit. `commit` is also the cursor that leads on from here.

    Names come from trailers alone, which never hold blind recipients. A commit that gitmaild did not make is `foreign`, and
    its trailers, if it has any, are not believed.
    """
    said = commit.trailers if commit.kind else {}
    about: dict[str, object] = {
        "commit": commit.oid,
        "at": said.get("Accepted") or when(commit),
        "kind": commit.kind or FOREIGN,
        "project": commit.project,
        "from": said.get("From", "") if commit.kind else commit.author,
        "subject": commit.subject,
    }
    if command_id := said.get("Command", "").partition(" ")[2]:
        about["command_id"] = command_id
    if "To" in said:
        about["to"] = _many(said["To"])
    if ids := [word for word in _many(said.get("Message-Id", "")) if MESSAGE_ID.fullmatch(word)]:
        about["message_ids"] = ids
    if leases := [word for word in _many(said.get("Lease-Id", "")) if LEASE_ID.fullmatch(word)]:
        about["lease_ids"] = leases
    return about | {name: said[trailer] for trailer, name in _ONE.items() if said.get(trailer)}


def is_of(commit: Recorded, project: str) -> bool:
    """True for a commit of the project; a foreign one may be of any."""
    return not project or not commit.kind or commit.project == project


def _many(text: str) -> list[str]:
    return [word for word in text.split(", ") if word]


def when(commit: Recorded) -> str:
    """The time that git has of a commit, 1970 where no calendar has it."""
    try:
        return stamp(datetime.fromtimestamp(commit.committed, UTC))
    except (ValueError, OverflowError, OSError):
        return stamp(datetime.fromtimestamp(0, UTC))
