"""The newest word that an agent left for its next self: at its desk, or in its outbox while nobody has taken it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gitmaild.app import reading
from gitmaild.app.reading import Entry
from gitmaild.model.commands import Envelope, Send
from gitmaild.model.drop import parse_claim
from gitmaild.model.layout import FOLDERS
from gitmaild.model.message import Message
from gitmaild.model.settings import Settings
from gitmaild.rules.parse import parse
from gitmaild.rules.tags import is_tagged

if TYPE_CHECKING:
    from gitmaild.app.ports import DeskRoot

TAG = "HANDOFF"
# The state of a hand-off that is dropped and not answered: it has no id yet.
QUEUED = "queued"


def newest(root: "DeskRoot", agent: str, thread: str, settings: Settings) -> Entry | None:
    """The newest hand-off of `thread` that `agent` itself wrote: nobody else puts words into its mouth.

    What waits in the outbox was written after whatever was delivered.
    """
    queued = next(_queued(root, agent, thread, settings), None)
    delivered = reading.inbox(root, agent, folders=FOLDERS, thread=thread, tag=TAG, senders=[agent], limit=1)
    return queued or next(iter(delivered), None)


def _queued(root: "DeskRoot", agent: str, thread: str, settings: Settings) -> Iterator[Entry]:
    """Newest first."""
    for mtime_ns, path in sorted(_unanswered(root, agent), reverse=True):
        try:
            data = root.read(path, limit=settings.message_limit)
        except OSError:
            continue  # the daemon will say what is wrong with it
        command = parse(data or b"", Envelope("", "", agent), settings, fenced=not path.endswith(".yaml"))
        if not isinstance(command, Send) or command.to != (agent,) or command.thread_id != thread:
            continue
        if is_tagged(subject := command.subject or "", TAG):
            written = datetime.fromtimestamp(mtime_ns / 1e9, UTC)
            message = Message(
                "", thread, agent, command.to, written, subject=subject, extra=command.extra, body=command.body
            )
            yield Entry(message, QUEUED, f"{root.key}/{path}")


def _unanswered(root: "DeskRoot", agent: str) -> Iterator[tuple[int, str]]:
    outbox = f"agents/{agent}/outbox"
    yield from ((waiting.mtime_ns, f"{outbox}/{waiting.name}") for waiting in root.waiting(agent))
    for name, _, mtime_ns in root.entries(f"{outbox}/.claimed"):
        if parse_claim(root.key, agent, name):
            yield mtime_ns, f"{outbox}/.claimed/{name}"
