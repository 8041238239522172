"""A tool call, done: arguments become a row of the vocabulary, and its answer or its refusal becomes a result.

No rule is here. What may be said by whom is decided below, and refused there; a door that has bound its caller to one agent
says so in `Session.bound`.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

from gitmaild.adapters.client.commands import COMMANDS
from gitmaild.adapters.client.lobby import Lobby
from gitmaild.adapters.client.mailbox import Mailbox
from gitmaild.adapters.client.queries import QUERIES
from gitmaild.adapters.client.rows import Page
from gitmaild.adapters.client.vocabulary import items
from gitmaild.adapters.mcp.tools import AGENT, FULL, PROJECT, Tool, find, tools
from gitmaild.model.errors import MailError, Refused, Verdict, refuse

Fields = dict[str, Any]

# Queries that are answered from an agent's desk alone; all others open the mailbox.
_AT_THE_DESK = ("inbox", "wait")
# Whose it is stands beside it: anybody may ask for anybody's.
_PUBLIC = ("leases",)

# Clients give a call up after a minute, and a server over standard input does one at a time.
_PATIENCE = 50.0

# Which call mends it, by the code of the refusal.
_NEXT = {
    "no-identity": "register_agent with agent_name, or say agent_name in this call",
    "not-registered": "register_agent with this agent_name and project_key",
    "unknown-agent": "the same call with a name that is here: the resource gitmaild://PROJECT/agents lists them",
    "no-agent": "the same call with a name that is here: the resource gitmaild://PROJECT/agents lists them",
    "no-project": "the same call with project_key: an absolute path where `gitmaild init` was run, or a slug",
    "no-recipient": "send_message with to_agents or in_reply_to",
    "no-message": "fetch_inbox, and take an id from there",
    "unknown-message": "fetch_inbox, and take an id from there",
    "no-ids": "fetch_inbox, and take an id from there",
    "not-held": "get_reservations with your agent_name",
    "lease-wanted": "get_reservations with your agent_name, and take an id from there",
    "bad-name": "register_agent with another agent_name, or without one",
    "name-taken": "register_agent with another agent_name, or without one",
    "unknown-tool": "tools/list",
    "not-you": "the same call without a name for yourself",
    "queued": "nothing now; fetch_inbox later. Do not repeat this call",
}
_TRY_AGAIN = "the same call again in a minute; nothing was left behind"

# What a reader of the text could take for markup, or would not see. Still the same JSON.
_UNSEEN = re.compile(
    "[<\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)


class Session:
    """What is known of one caller between its calls: who it is, and which project it spoke of last.

    `bound`: the one agent that it may speak for, '' for any.
    """

    def __init__(self, *, bound: str = "") -> None:
        self.bound, self.agent, self.project = bound, "", ""


def run(
    lobby: Lobby,
    session: Session,
    name: str,
    given: Mapping[str, Any],
    *,
    apart: Callable[[Callable[[], Any]], Any] = lambda call: call(),
) -> Fields:
    """The result of a tool call as `tools/call` gives it; what is refused, and what fails, is a result as well.

    `apart` does what opens the mailbox, which is heavy.
    """
    try:
        value = _Call(lobby, session, _tool(name), given, apart).answer()
    except Refused as refused:
        no = refused.refusal
        return _refusal(no.code, no.reason, no.mend, **({"field": no.field} if no.field else {}))
    except MailError as error:
        again = error.verdict is Verdict.TEMPORARY
        return _refusal(error.code, str(error), "try again" if again else "run gitmaild status", next=again and _TRY_AGAIN)
    except OSError as error:
        return _refusal("trouble", f"{error.strerror or error}", "mend that, and try again", next=_TRY_AGAIN)
    except RecursionError:
        return _refusal("bad-argument", "an argument is nested too deeply", "give texts, numbers and lists of texts")
    return _result(value)


def plain(value: Any) -> str:
    """JSON that shows what it holds: no tag of a body looks like one, and no character is unseen."""
    return _UNSEEN.sub(_escaped, json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _escaped(match: re.Match[str]) -> str:
    return json.dumps(match.group())[1:-1] if match.group() != "<" else "\\u003c"


def _result(value: Any) -> Fields:
    """One JSON text for readers, and the same as a structure; a list is the field `result` of it."""
    if isinstance(value, list):
        more = {"more": value.more, "note": value.note} if isinstance(value, Page) else {}
        return {"content": [{"type": "text", "text": plain(value)}], "structuredContent": {"result": value} | more}
    if value.get("status") == "queued":
        value = {**value, "next": _NEXT["queued"]}
    return {"content": [{"type": "text", "text": plain(value)}], "structuredContent": value}


def _refusal(code: str, reason: str, mend: str, *, next: str | bool = "", **more: str) -> Fields:
    told = {"code": code, "reason": reason, "mend": mend, **more}
    call = next or _NEXT.get(code) or "the same call, mended"
    return _result({**told, "next": call}) | {"isError": True}


def _tool(name: str) -> Tool:
    tool = find(name)
    if tool is None:
        from gitmaild.rules.fields import did_you_mean  # noqa: PLC0415

        known = list(tools(FULL))
        raise refuse(
            "unknown-tool", f"no tool {name[:60]!r}{did_you_mean(name[:60], known)}", f"there are {', '.join(known)}"
        )
    return tool


class _Call:
    """One call on its way."""

    def __init__(
        self,
        lobby: Lobby,
        session: Session,
        tool: Tool,
        given: Mapping[str, Any],
        apart: Callable[[Callable[[], Any]], Any],
    ) -> None:
        self.tool, self.session, self._apart = tool, session, apart
        self.given = {key: value for key, value in given.items() if value is not None}
        project, agent = self._text(PROJECT), self._text(tool.speaker) or self._text(AGENT)
        self.is_named = bool(agent)
        if session.bound and agent and agent != session.bound and tool.row not in _PUBLIC:
            raise refuse("not-you", f"you are {session.bound}, and cannot speak for {agent[:60]}", "leave the name out")
        self.agent = agent or self._holder() or session.bound or ("" if self._is_joining else session.agent)
        self.project = _slug_or_path(project) or session.project
        self.mailbox: Mailbox = lobby.for_agent(self.project or None, self.agent or None)

    @property
    def _is_joining(self) -> bool:
        return self.tool.row in ("register", "")

    def _text(self, name: str) -> str:
        value = self.given.pop(name, "")
        if not isinstance(value, str):
            raise refuse("bad-argument", f"{name}: {str(value)[:60]!r} is not a text", f"give {name} as a text", field=name)
        if value != value.encode(errors="replace").decode():
            raise refuse("not-utf8", f"{name} has half a character", "send UTF-8", field=name)
        return value

    def _holder(self) -> str:
        """A reservation that is given whole says whose it is; a caller that is bound still speaks for itself."""
        lease = self.given.get("reservation")
        holder = lease.get("holder") if isinstance(lease, Mapping) and not self.session.bound else ""
        return holder if isinstance(holder, str) else ""

    def answer(self) -> Any:
        tool = self.tool
        value = (
            self._begun() if not tool.row else self._asked() if tool.row in QUERIES else self._ordered(tool.row, self._own())
        )
        # Only what was answered is remembered: a name that was refused is nobody's.
        self.session.project = self.project or self.session.project
        if tool.row not in _PUBLIC:
            self.session.agent = self.mailbox.agent or self.session.agent
        return value

    def _own(self) -> Fields:
        """The arguments under the names that the row has for them."""
        return {self.tool.names.get(name, name): value for name, value in self.given.items()}

    def _ordered(self, row: str, given: Fields) -> Any:
        return self.mailbox.call(row, given)

    def _query(self, row: str, given: Fields) -> Any:
        if row in _AT_THE_DESK:
            return self.mailbox.call(row, given)
        return self._apart(lambda: self.mailbox.call(row, given))

    def _asked(self) -> Any:
        given = self._own()
        if self.tool.name == "fetch_inbox":
            return self._fetched(given)
        if self.tool.name == "get_reservations" and self.is_named:
            given["mine"] = True
        if self.tool.row == "wait" and isinstance(seconds := given.setdefault("timeout", _PATIENCE), int | float):
            given["timeout"] = min(seconds, _PATIENCE)
        return self._query(self.tool.row, given)

    def _fetched(self, given: Fields) -> Any:
        mark = given.pop("mark_read", False)
        if not isinstance(mark, bool):
            raise refuse("bad-argument", f"mark_read: {str(mark)[:60]!r} is not a flag", "true or false", field="mark_read")
        found = self._query("inbox", given)
        fresh = [message["id"] for message in found if message["state"] == "inbox"]
        if mark and fresh:
            self._ordered("read", {"ids": fresh})
        return found

    def _begun(self) -> Fields:
        """Register, reserve, and look around. What cannot be reserved does not undo the joining."""
        given = self._own()
        wanted, told, limit = _parts(given, "reserve"), _parts(given, "register"), given.pop("limit", 20)
        for name in given:
            raise refuse("unknown-argument", f"{self.tool.name} takes no {name[:60]!r}", "leave it out", field=name[:60])
        joined: Fields = self._ordered("register", told)
        if joined.get("status") == "queued":
            return joined
        answer: Fields = {"success": True, "agent_name": joined["agent_name"], "agent": joined}
        if items(wanted.get("paths", ())):
            answer["reservations"] = self._reserved(wanted)
            answer["success"] = bool(answer["reservations"].get("success"))
        answer["inbox"] = self._query("inbox", {"limit": limit})
        return answer | {"agents": self._query("agents", {})}

    def _reserved(self, given: Fields) -> Fields:
        try:
            return dict(self._ordered("reserve", given))
        except Refused as refused:
            no = refused.refusal
            return {"success": False, "status": "refused", "code": no.code, "reason": no.reason, "mend": no.mend}


def _parts(given: Fields, row: str) -> Fields:
    """What of `given` is the row's, taken out of it."""
    return {p.name: given.pop(p.name) for p in COMMANDS[row].parameters if p.name in given}


def _slug_or_path(project: str) -> str:
    """A path is where it says; one that is relative would be below a directory that the caller does not see."""
    if "/" in project and not PurePosixPath(project).is_absolute() and not project.startswith("~"):
        raise refuse(
            "no-project",
            f"project_key: {project[:60]!r} is a relative path",
            "give an absolute path or a slug",
            field=PROJECT,
        )
    return project
