"""What the Overseer does from the page: each form becomes a command of the vocabulary, dropped at the Overseer's desk."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from gitmaild.adapters.web import pages
from gitmaild.adapters.web.visit import Form, Visit
from gitmaild.model.errors import Refused, refuse

# Gives the address to go to.
Action = Callable[[Visit, Form], str]


class Again(Exception):
    """What was filled in is refused: the form is shown again, with all that was written in it."""

    def __init__(self, page: str) -> None:
        super().__init__("refused")
        self.page = page


def _order(visit: Visit, name: str, given: dict[str, Any], form: Form) -> dict[str, Any]:
    # Sent twice by an impatient hand, it is one command.
    if token := form.one("token"):
        given = given | {"request_id": f"web-{token[:40]}"}
    answer: dict[str, Any] = visit.mailbox().call(name, given)
    return answer


def _went(visit: Visit, form: Form, done: str, otherwise: str) -> str:
    """Back to where the form was, when that is a page of ours."""
    back = form.one("back")
    is_ours = back.startswith("/mail") and not any(letter in back for letter in "\\\r\n\t") and "//" not in back
    path, _, asked = (back if is_ours else otherwise).partition("?")
    kept = [pair for pair in asked.partition("#")[0].split("&") if pair and not pair.startswith("done=")]
    return f"{path}?{'&'.join([*kept, f'done={done}'])}"


def _thread(visit: Visit, answer: dict[str, Any], done: str) -> str:
    if answer["status"] == "queued":
        return f"/mail/{visit.project}?done=queued"
    return f"/mail/{visit.project}/thread/{quote(answer['thread_id'], safe='')}?done={done}#{answer['id']}"


def send(visit: Visit, form: Form) -> str:
    given: dict[str, Any] = {
        "to": form.many("to"),
        "subject": form.one("subject"),
        "body": form.one("body"),
        "importance": form.one("importance") or "high",
        "ack_required": bool(form.one("ack_required")),
    }
    given |= {"cc": form.many("cc")} if form.many("cc") else {}
    given |= {"thread_id": form.one("thread_id").strip()} if form.one("thread_id").strip() else {}
    given |= {"ack_within": form.one("ack_within").strip()} if form.one("ack_within").strip() else {}
    try:
        if not given["to"]:
            raise refuse("no-recipient", "nobody is named in To", "write a name, or choose one below", field="to")
        answer = _order(visit, "send", given, form)
    except Refused as refused:
        raise Again(pages.composing(visit, form, refused)) from None
    return _thread(visit, answer, "sent")


def reply(visit: Visit, form: Form) -> str:
    given: dict[str, Any] = {
        "id": form.one("id"),
        "body": form.one("body"),
        "all": bool(form.one("all")),
        "importance": form.one("importance") or "high",
        "ack_required": bool(form.one("ack_required")),
    }
    try:
        if not given["body"].strip():
            raise refuse("empty", "there is nothing written", "write an answer", field="body")
        answer = _order(visit, "reply", given, form)
    except Refused as refused:
        raise Again(pages.answering(visit, form, refused)) from None
    return _thread(visit, answer, "sent")


def _filed(name: str, done: str) -> Action:
    def action(visit: Visit, form: Form) -> str:
        _order(visit, name, {"ids": form.many("id")}, form)
        return _went(visit, form, done, f"/mail/{visit.project}")

    return action


def contact(visit: Visit, form: Form) -> str:
    """Approve or deny who has written to the Overseer, or say whose mail it takes."""
    back = f"/mail/{visit.project}/contacts"
    verdict, reason = form.one("verdict"), form.one("reason")
    if verdict == "policy":
        _order(visit, "contact_policy", {"policy": form.one("policy")}, form)
        return _went(visit, form, "policy", back)
    if verdict == "approve":
        _order(visit, "contact_approve", {"agents": form.many("agent")}, form)
        return _went(visit, form, "approved", back)
    if verdict == "deny":
        _order(visit, "contact_deny", {"agents": form.many("agent"), "reason": reason}, form)
        return _went(visit, form, "denied", back)
    raise refuse("bad-argument", f"{verdict[:40]!r} is no verdict", "approve, deny or policy", field="verdict")


def release(visit: Visit, form: Form) -> str:
    """End somebody's lease; why is told to who held it."""
    if not form.one("reason").strip():
        raise refuse("no-reason", "a lease is not taken without a word", "say why: its holder is told", field="reason")
    # Without a lease's name it would mean all that the Overseer holds itself.
    if not form.many("lease"):
        raise refuse("no-lease", "no lease is named", "choose one on the page of leases", field="lease")
    _order(visit, "release", {"leases": form.many("lease"), "reason": form.one("reason").strip()}, form)
    return _went(visit, form, "released", f"/mail/{visit.project}/reservations")


def post(visit: Visit, form: Form) -> str:
    board = form.one("board")
    given = {"to": [board], "subject": form.one("subject"), "body": form.one("body")}
    if board not in [each["name"] for each in visit.mailbox(None).call("lists", {"kind": "board"})]:
        raise refuse("unknown-board", f"no board {board[:40]!r}", "choose one that is listed", field="board")
    _order(visit, "send", given, form)
    return _went(visit, form, "posted", f"/mail/{visit.project}/boards")


ACTIONS: dict[str, Action] = {
    "send": send,
    "reply": reply,
    "ack": _filed("ack", "acked"),
    "read": _filed("read", "read"),
    "contact": contact,
    "release": release,
    "post": post,
}
