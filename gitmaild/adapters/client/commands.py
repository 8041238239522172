"""The commands, a row each, and the shape of each one's answer. A command that is added later is one row more here."""

from typing import TYPE_CHECKING, Any

from gitmaild.adapters.client import people
from gitmaild.adapters.client.answers import found
from gitmaild.adapters.client.vocabulary import BODY, REQUEST_ID, UNWRITTEN, Command, Given, Parameter
from gitmaild.model.message import IMPORTANCE

if TYPE_CHECKING:
    from gitmaild.adapters.client.whereabouts import Whereabouts
    from gitmaild.app.submit import Receipt

# --- the shape of answers


def _sent(receipt: "Receipt", given: Given, desk: str) -> dict[str, Any]:
    rows = [dict(zip(("name", "state"), text.split(" ", 1), strict=False)) for text in receipt.items("recipients")]
    answer = {key: receipt.text(key) for key in ("id", "thread_id", "status")} | {"recipients": rows}
    ignored = receipt.items("ignored")
    return answer | ({"ignored": list(ignored)} if ignored else {})


def _registered(receipt: "Receipt", given: Given, desk: str) -> dict[str, Any]:
    keys = ("agent_name", "program", "model", "task_description", "registered")
    return {"success": True} | {key: receipt.text(key) for key in keys} | {"desk": desk}


def _retired(receipt: "Receipt", given: Given, desk: str) -> dict[str, Any]:
    return {"success": True, "agent_name": given.get("agent") or desk.rpartition("/")[2], "state": "retired"}


def _filed(receipt: "Receipt", given: Given, desk: str) -> dict[str, Any]:
    return {"status": receipt.text("status"), "ids": list(given["ids"])}


def _reserved(receipt: "Receipt", given: Given, desk: str) -> dict[str, Any]:
    status = receipt.text("status")
    answer: dict[str, Any] = {"success": status == "granted", "status": status}
    answer |= {"granted": receipt.rows("granted"), "conflicts": receipt.rows("conflicts")}
    return answer | ({"position": int(receipt.text("position"))} if status == "waiting" else {})


def _renewed(receipt: "Receipt", given: Given, desk: str) -> dict[str, Any]:
    rows, wanted = receipt.rows("leases"), receipt.rows("wanted")
    answer = {"success": True, "status": "renewed", "count": len(rows), "leases": rows}
    return answer | ({"wanted": wanted} if wanted else {})


def _released(receipt: "Receipt", given: Given, desk: str) -> dict[str, Any]:
    rows, withdrawn = receipt.rows("leases"), int(receipt.text("withdrawn") or 0)
    answer = {"success": True, "status": "released", "count": len(rows), "leases": rows}
    return answer | ({"withdrawn": withdrawn} if withdrawn else {})


# --- what only the asking side knows


def _answering(desk: "Whereabouts", given: dict[str, Any]) -> dict[str, Any]:
    """A reply's recipients. Without `all` they are left out: the post office fills in the sender."""
    message = found(desk, str(given.get("id", ""))).message
    given = given | {"id": message.id}
    if not given.get("all"):
        return given
    me = desk.agent
    others = [name for name in dict.fromkeys((message.sender, *message.to)) if name != me]
    copied = [name for name in message.cc if name != me and name not in others]
    return given | {"to": others or [me]} | ({"cc": copied} if copied else {})


# --- the rows

_TEXT = Parameter("body", "The text, in markdown.", default="", field=BODY)
_SUBJECT = Parameter("subject", "One line.", default="")
_IMPORTANCE = Parameter("importance", "How much it matters.", default="normal", choices=IMPORTANCE)
_ACK = (
    Parameter("ack_required", "Ask every recipient to acknowledge.", "flag", default=False),
    Parameter("ack_within", "The same, within so many seconds. Reminds once, tells you once.", "seconds"),
)
_AUTOMATIC = Parameter("auto_reply", "A program answers by itself; so many in a row are let through.", "flag", default=False)
_FILES = Parameter("attachments", "Names of files that lie in your outbox/files/.", "list")
_TO = Parameter("to", "Who gets it: agents' names, everyone, or Overseer.", "list")
_CC = Parameter("cc", "Who gets a copy.", "list")
_IDS = Parameter("ids", "Message ids.", "list", required=True)
_TTL = Parameter("ttl_seconds", "For how long. Default: an hour.", "seconds")
_EXCLUSIVE = Parameter("exclusive", "For writing; false goes together with other shared leases.", "flag", default=True)
_REASON = Parameter("reason", "What for, e.g. an issue id.", default="")
_WAIT = Parameter("wait_seconds", "Queue for what is held, for so long at most. The grant comes by mail.", "seconds")
_ATOMIC = Parameter("atomic", "All or nothing.", "flag", default=False)
_EXTEND = Parameter("extend_seconds", "By how much. Default: a whole term from now.", "seconds")
_PATHS = Parameter("paths", "Paths and patterns: src/api/**, README.md.", "list", required=True)
_SLOTS = Parameter("slots", "Names of slots: frontend-build.", "list", required=True)
_WHICH = (
    Parameter("leases", "Lease ids. With none of these three: all of yours.", "list"),
    Parameter("paths", "Patterns as they were reserved.", "list"),
    Parameter("slots", "Names of slots.", "list"),
)
_WHY = Parameter("reason", "What the holder is told, where the Overseer ends somebody else's.", default="")

_ROWS = (
    Command(
        "register",
        "register",
        "Join the project, or say anew what you work on. Without a name, a free one is chosen.",
        (
            Parameter("program", "What runs you: Claude Code, Codex, a script."),
            Parameter("model", "The model, if there is one."),
            Parameter("task_description", "What you work on."),
        ),
        _registered,
    ),
    Command(
        "retire",
        "retire",
        "Close an agent's desk, your own unless another is named: mail to it bounces. Registering again opens it.",
        (
            Parameter("agent", "Whose; anybody's for the Overseer."),
            Parameter("reason", "What senders are told.", default=""),
        ),
        _retired,
    ),
    Command(
        "send",
        "message",
        "Send a message.",
        (
            _TO,
            _SUBJECT,
            _TEXT,
            _CC,
            Parameter("bcc", "Who gets a copy that nobody else sees.", "list"),
            Parameter("thread_id", "The conversation, e.g. an issue id. Default: a new one.", default=""),
            _IMPORTANCE,
            *_ACK,
            Parameter("in_reply_to", "The message that this answers; fills in `to` and `subject`.", default=""),
            _FILES,
            _AUTOMATIC,
        ),
        _sent,
        is_idempotent=False,
    ),
    Command(
        "reply",
        "message",
        "Answer a message. Recipient, subject and thread are filled in.",
        (
            Parameter("id", "The message that you answer.", required=True, field="in_reply_to"),
            _TEXT,
            Parameter("all", "To everybody who got it, not only to its sender.", "flag", default=False, field=UNWRITTEN),
            Parameter("subject", "Default: RE: and the subject that you answer.", default=""),
            _IMPORTANCE,
            *_ACK,
            _FILES,
            _AUTOMATIC,
            Parameter("to", "Other recipients than its sender.", "list"),
            _CC,
        ),
        _sent,
        prepare=_answering,
        is_idempotent=False,
    ),
    Command("read", "read", "Mark messages as read: they move from inbox/ to read/.", (_IDS,), _filed),
    Command("ack", "ack", "Acknowledge messages: they move to acked/, and their senders see it.", (_IDS,), _filed),
    Command(
        "reserve",
        "reserve",
        "Reserve paths, so that nobody else commits to them. Each is granted or refused by itself.",
        (
            _PATHS,
            _TTL,
            _EXCLUSIVE,
            _REASON,
            _WAIT,
            _ATOMIC,
            Parameter("broad", "Allow a pattern that means the whole worktree.", "flag", default=False),
        ),
        _reserved,
    ),
    Command("renew", "renew", "Keep leases for longer: those named, or all of yours.", (*_WHICH, _EXTEND), _renewed),
    Command(
        "release",
        "release",
        "Let go of leases, and of places in the queue: those that are named, or all of yours.",
        (*_WHICH, _WHY),
        _released,
    ),
    Command(
        "acquire_slot",
        "reserve",
        "Take build slots: leases on a name instead of paths.",
        (_SLOTS, _TTL, _EXCLUSIVE, _REASON, _WAIT, _ATOMIC),
        _reserved,
    ),
    Command("renew_slot", "renew", "Keep slots for longer.", (_SLOTS, _EXTEND), _renewed),
    Command("release_slot", "release", "Give slots back.", (_SLOTS,), _released),
)


def _with_request(row: Command) -> Command:
    """Every command may be repeated safely."""
    return Command(row.name, row.kind, row.about, (*row.parameters, REQUEST_ID), row.answer, row.prepare, row.is_idempotent)


COMMANDS: dict[str, Command] = {row.name: _with_request(row) for row in (*_ROWS, *people.COMMAND_ROWS)}
