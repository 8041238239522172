"""One request of one person: which project, as whom, and what every page shows around its own."""

import os
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from gitmaild import wiring
from gitmaild.adapters.web.render import render
from gitmaild.model.errors import Refused, refuse
from gitmaild.model.message import Message
from gitmaild.model.names import OVERSEER

if TYPE_CHECKING:
    from gitmaild.adapters.client.lobby import Lobby
    from gitmaild.adapters.client.mailbox import Mailbox

_MANY = 100

# What a page says after a form has been sent: words of ours, never of the address.
_DONE = {
    "sent": "Sent.",
    "queued": "Put into the outbox. The daemon will take it from there.",
    "acked": "Acknowledged.",
    "read": "Marked as read.",
    "approved": "From now on you take this mail.",
    "denied": "You take no mail from there any more.",
    "policy": "Your policy is set.",
    "released": "The lease is released, and its holder was told why.",
    "posted": "Posted.",
}


class Form(dict[str, list[str]]):
    """What was filled in."""

    def one(self, name: str) -> str:
        return next(iter(self.get(name, ())), "").replace("\r\n", "\n")

    def many(self, name: str) -> list[str]:
        """The values of fields of this name, each of which may be a list itself."""
        words = [word.strip() for text in self.get(name, ()) for word in text.replace(";", ",").split(",")]
        return list(dict.fromkeys(word for word in words if word))


class Visit:
    """`project` None: the one that the address names; '': the first."""

    def __init__(self, lobby: "Lobby", request: Request, project: str | None = None) -> None:
        self.lobby, self.request, self.now = lobby, request, wiring.wall_clock()
        self.projects = lobby.projects()
        named = str(request.path_params.get("project", "")) if project is None else project
        self.project = named or next(iter(self.projects), "")
        self._is_named = bool(named)

    @property
    def csrf(self) -> str:
        """What a form must bring back."""
        state = self.request.state
        return str(getattr(state, "csrf", "") or getattr(getattr(state, "caller", None), "csrf", "") or "")

    def check_project(self) -> str:
        """The project's slug. Raises `Refused` where there is none."""
        if self.project not in self.projects:
            known = ", ".join(self.projects) or "none yet: run gitmaild init in a repository"
            raise refuse("no-project", f"no project {self.project[:60]!r}", f"projects here: {known}")
        return self.project

    def word(self, name: str) -> str:
        """A part of the address's path."""
        return str(self.request.path_params.get(name, ""))

    def asked(self, name: str, default: str = "") -> str:
        """What stands behind the question mark."""
        return self.request.query_params.get(name, default).replace("\0", "")

    def number(self, name: str, default: int, most: int) -> int:
        text = self.asked(name)
        return min(max(int(text), 1), most) if text.isascii() and text.isdigit() and len(text) < 8 else default

    def mailbox(self, agent: str | None = OVERSEER) -> "Mailbox":
        return self.lobby.for_agent(self.check_project(), agent)

    def newest(self, project: str, *, before: str = "", limit: int = 50) -> list[Message]:
        with self.lobby.reader() as reader:
            return reader.newest(project, before=before, limit=limit)

    def states(self, project: str, messages: list[Message]) -> dict[str, dict[str, str]]:
        with self.lobby.reader() as reader:
            return reader.states(project, messages, readers=(OVERSEER,))

    def unread(self, project: str, agent: str = OVERSEER) -> int:
        """How many messages lie in an inbox. Counted by name; none is opened."""
        with self.lobby.stand(project, agent) as seat:
            return sum(1 for name in seat.root_of(agent).names(f"agents/{agent}/inbox") if name.endswith(".md"))

    def page(self, template: str, title: str, here: str, **shown: Any) -> str:
        """A page with its frame. `here` names the entry of the navigation that it belongs to."""
        project = self.project if self.project in self.projects else ""
        unread = self.unread(project) if project else 0
        return render(
            template,
            self.now,
            title=title,
            here=here,
            project=project,
            projects=self.projects,
            all_projects=not self._is_named and here == "mail",
            unread=f"{_MANY - 1}+" if unread >= _MANY else unread,
            alarms=self._alarms(),
            csrf=self.csrf,
            token=os.urandom(8).hex(),
            done=_DONE.get(self.asked("done"), ""),
            overseer=OVERSEER,
            query=self.asked("q"),
            **shown,
        )

    def _alarms(self) -> list[str]:
        return wiring.troubles(self.lobby.home)

    def people(self) -> list[dict[str, Any]]:
        """Everybody who can be written to: name, and what it is."""
        mailbox = self.mailbox(None)
        found = [{"name": each["agent_name"], "what": "agent"} for each in mailbox.agents() if each["state"] == "active"]
        found += [
            {"name": each["role"], "what": f"role of {each['agent']}"} for each in mailbox.call("roles") if each["agent"]
        ]
        for kind in ("group", "queue"):
            found += [{"name": each["name"], "what": kind} for each in mailbox.call("lists", {"kind": kind})]
        return found

    def quietly(self, ask: Any, otherwise: Any) -> Any:
        """An answer, or what stands for it where there is none to have: the Overseer may have no desk yet."""
        try:
            return ask()
        except Refused:
            return otherwise
