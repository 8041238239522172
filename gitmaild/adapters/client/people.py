"""Rows about people and what stands for them: contacts, quiet, roles, groups, queues, boards, hand-offs."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gitmaild import wiring
from gitmaild.adapters.client.vocabulary import BODY, Command, Given, Parameter, Query
from gitmaild.model.contact import POLICIES
from gitmaild.model.directory import GENERAL, KINDS
from gitmaild.model.errors import refuse

if TYPE_CHECKING:
    from gitmaild.adapters.client.whereabouts import Whereabouts
    from gitmaild.app.submit import Receipt

Fields = dict[str, Any]

# --- the shape of answers


def _said(*texts: str, lists: tuple[str, ...] = (), numbers: tuple[str, ...] = ()) -> Callable[..., Fields]:
    """An answer of these fields of the receipt, behind `success` and `status`."""

    def answer(receipt: "Receipt", given: Given, desk: str) -> Fields:
        shown: Fields = {"success": True, "status": receipt.text("status")}
        shown |= {key: receipt.text(key) for key in texts}
        shown |= {key: list(receipt.items(key)) for key in lists}
        return shown | {key: int(receipt.text(key) or 0) for key in numbers}

    return answer


def _claimed(receipt: "Receipt", given: Given, desk: str) -> Fields:
    answer = _said("queue", "until", lists=("ids",), numbers=("left",))(receipt, given, desk)
    return answer | {"success": bool(answer["ids"])}


def _handed_off(receipt: "Receipt", given: Given, desk: str) -> Fields:
    return {"success": True} | {key: receipt.text(key) for key in ("id", "thread_id", "status")}


# --- what queries answer


def _door(desk: "Whereabouts") -> Fields:
    # The home's settings say what an agent's policy is that has chosen none.
    return wiring.open_people(desk.home, desk.environment).door(desk.project.slug, desk.agent, wiring.wall_clock())


def _roles(desk: "Whereabouts") -> list[Fields]:
    with desk.reader() as reader:
        return reader.people.roles(desk.project.slug)


def _lists(desk: "Whereabouts", *, kind: str) -> list[Fields]:
    with desk.reader() as reader:
        return reader.people.lists(desk.project.slug, kind)


def _posted(desk: "Whereabouts", *, name: str = GENERAL, kind: str = "board", limit: int = 20) -> list[Fields]:
    with desk.reader() as reader:
        if not reader.people.has_list(desk.project.slug, kind, name):
            raise refuse(f"unknown-{kind}", f"no {kind} {name!r}", f"list them with gitmaild {kind} list", field="name")
        return reader.people.posted(desk.project.slug, kind, name, limit=limit)


# --- the rows

_REASON = Parameter("reason", "Why. One line; the other is told.", default="")
_AGENTS = Parameter("agents", "Whose mail: names, or NAME@project.", "list", required=True)
_ABOUT = Parameter("about", "What it is for.")
_MEMBERS = (
    Parameter("members", "Agents, roles and groups, instead of those that are there.", "list"),
    Parameter("add", "One more member, or several.", "list"),
    Parameter("remove", "One less, or several.", "list"),
)
_DELETE = Parameter("delete", "Remove it.", "flag", default=False)
_TERM = Parameter("lease_seconds", "For how long they reserve by default.", "seconds")
_LISTED = _said("name", "about", lists=("members",))


def _name(what: str) -> Parameter:
    return Parameter("name", f"The {what}: lower case words with dashes.", required=True)


COMMAND_ROWS = (
    Command(
        "contact_policy",
        "contact-policy",
        "Say whose mail you take. Answers to your own messages always pass.",
        (
            Parameter(
                "policy",
                "open, auto (who shares something with you), contacts_only, block_all.",
                required=True,
                choices=POLICIES,
            ),
        ),
        _said("policy"),
    ),
    Command(
        "contact_request",
        "contact-request",
        "Ask somebody to take your mail.",
        (Parameter("agent", "Whom: a name, or NAME@project.", required=True), _REASON),
        _said("agent"),
    ),
    Command(
        "contact_approve",
        "contact-approve",
        "Take somebody's mail from now on. What was held of it comes in.",
        (_AGENTS,),
        _said(lists=("agents", "delivered")),
    ),
    Command(
        "contact_deny",
        "contact-deny",
        "Take no mail from somebody. What was held of it goes back.",
        (_AGENTS, _REASON),
        _said(lists=("agents",), numbers=("sent_back",)),
    ),
    Command(
        "dnd",
        "dnd",
        "Do not disturb: all mail but urgent waits, and comes when it is over.",
        (
            Parameter("on", "Begin it, or end it.", "flag", default=True),
            Parameter("seconds", "For how long; by default as long as may be.", "seconds"),
        ),
        _said("until"),
    ),
    Command(
        "role_bind",
        "role-bind",
        "Let an agent hold a role, an address of its own. For the Overseer, and whom directory_editors names.",
        (
            Parameter("role", "One capitalised word: Orchestrator.", required=True),
            Parameter("agent", "Who holds it."),
            _ABOUT,
            Parameter("lease_seconds", "For how long its holder reserves by default.", "seconds"),
        ),
        _said("role", "agent"),
    ),
    Command(
        "role_unbind",
        "role-unbind",
        "Leave a role to nobody; mail to it bounces until somebody holds it.",
        (Parameter("role", "Which.", required=True),),
        _said("role", "agent"),
    ),
    Command(
        "group",
        "group",
        "Make, change or remove a group: an address whose members each get a copy.",
        (_name("group"), *_MEMBERS, _ABOUT, _TERM, _DELETE),
        _LISTED,
    ),
    Command(
        "queue",
        "queue",
        "Make, change or remove a queue: an address whose mail goes to one member, who claims it.",
        (
            _name("queue"),
            *_MEMBERS,
            _ABOUT,
            Parameter("claim_seconds", "What is claimed goes back if it is not acknowledged in this time.", "seconds"),
            _DELETE,
        ),
        _LISTED,
    ),
    Command(
        "board",
        "board",
        "Make, change or remove a board: what is posted there is seen by all, and is in nobody's inbox.",
        (_name("board"), _ABOUT, Parameter("keep", "How many messages it shows.", "integer"), _DELETE),
        _LISTED,
    ),
    Command(
        "claim",
        "claim",
        "Take the oldest message out of a queue, or those that are named. It comes to your inbox; acknowledge it when done.",
        (Parameter("queue", "Which.", required=True), Parameter("ids", "Messages of it.", "list")),
        _claimed,
        is_idempotent=False,
    ),
    Command(
        "give_back",
        "give-back",
        "Put messages that you have claimed back into their queue.",
        (Parameter("ids", "Which.", "list", required=True),),
        _said(lists=("ids",)),
    ),
    Command(
        "handoff",
        "handoff",
        "Leave word for your next self, which remembers nothing. An empty hand-off is refused.",
        (
            Parameter("completed", "What is done.", "list"),
            Parameter("remaining", "What is left.", "list"),
            Parameter("blockers", "What stands in the way.", "list"),
            Parameter("next", "What to do first.", "list"),
            Parameter("files", "Files that matter.", "list"),
            Parameter("tests", "How the tests stand.", "list"),
            Parameter("iteration", "The number of this round.", default=""),
            Parameter("thread_id", "Default: continuity.", default=""),
            Parameter("body", "Anything else.", default="", field=BODY),
        ),
        _handed_off,
        is_idempotent=False,
    ),
)

QUERY_ROWS = (
    Query(
        "contacts",
        "Your policy, what you have said of whom, and the mail that waits for you to agree.",
        (),
        _door,
        of_agent=True,
    ),
    Query("roles", "Who holds which role.", (), _roles),
    Query(
        "lists",
        "All groups, queues or boards.",
        (Parameter("kind", "Which of them.", required=True, choices=KINDS),),
        _lists,
    ),
    Query(
        "posted",
        "What is posted on a board, or lies in a queue, newest first.",
        (
            Parameter("name", "Which.", default=GENERAL),
            Parameter("kind", "board or queue.", default="board", choices=("board", "queue")),
            Parameter("limit", "So many at most.", "integer", default=20),
        ),
        _posted,
    ),
)
