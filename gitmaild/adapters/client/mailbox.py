"""The client for programs: `from gitmaild import Mailbox`. Every command and query of the vocabulary is a method.

What an agent's day is made of has methods with types here; every other row is a method by its name, with keyword arguments.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from gitmaild.adapters.client.answers import EVENTS
from gitmaild.adapters.client.commands import COMMANDS
from gitmaild.adapters.client.lobby import Lobby
from gitmaild.adapters.client.queries import QUERIES
from gitmaild.adapters.client.rows import Page, Row

# A list: one text as in a file (`a, b`), several texts, or answers that have an id.
Names = str | Mapping[str, Any] | Iterable[str | Mapping[str, Any] | Path]
# Seconds, or a text such as `90m`.
Seconds = int | str
# Files to attach: their paths, or their bytes by their names.
Files = Iterable[str | Path] | Mapping[str, bytes]


class Mailbox:
    """An agent's mailbox in a project of one home. Safe for any thread.

    `project` is a slug or a path, `agent` a name; where they are left out, the current directory and the environment say
    them, as for the command line. `patience`: how many seconds a write waits for a running daemon.

    Answers are dictionaries and lists whose fields are attributes, too (`inbox[0].body`). What is refused raises `Refused`,
    which has a `code`, a `reason` and a `mend`. The `status` `queued` means: the drop stands in the outbox, and
    will be answered; do not repeat it. OSError and `MailError`: nothing was left behind, or nothing could be read.
    """

    def __init__(
        self,
        project: str | Path | None = None,
        agent: str | None = None,
        *,
        home: str | Path | None = None,
        patience: float = 10.0,
        lobby: Lobby | None = None,
    ) -> None:
        self.project, self.agent, self.patience = str(project) if project else None, agent, patience
        self._lobby = lobby or Lobby(home, environment=os.environ, here=Path.cwd())

    def __repr__(self) -> str:
        return f"Mailbox(project={self.project!r}, agent={self.agent!r}, home={str(self._lobby.home.path)!r})"

    def call(self, name: str, given: Mapping[str, Any] | None = None, *, attach: Files = ()) -> Any:
        """Any command or query by its name in the vocabulary, its arguments as a dictionary."""
        with self._lobby.stand(self.project, self.agent, patience=self.patience) as seat:
            if name in QUERIES:
                return seat.ask(name, given or {})
            answer = seat.order(name, given or {}, attach=_files(attach))
        if name == "register" and "agent_name" in answer:
            self.agent = str(answer["agent_name"])
        return answer

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """A command or a query of the vocabulary that has no method of its own here."""
        if name not in COMMANDS and name not in QUERIES:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return lambda **given: self.call(name, given)

    # --- people

    def register(
        self,
        *,
        program: str | None = None,
        model: str | None = None,
        task_description: str | None = None,
        request_id: str = "",
    ) -> Row:
        """Join the project, or say anew what you work on. A mailbox without a name is given a free one."""
        return self._row("register", locals())

    def retire(self, agent: str | None = None, *, reason: str = "", request_id: str = "") -> Row:
        """Close a desk, your own unless another is named: mail to it bounces. Registering again opens it."""
        return self._row("retire", locals())

    def agents(self) -> list[Row]:
        """Who is here, on what, since when."""
        return self._rows("agents", locals())

    def whois(self, name: str) -> Row:
        """What is known of one agent."""
        return self._row("whois", locals())

    # --- mail

    def send(
        self,
        to: Names | None = None,
        subject: str = "",
        body: str = "",
        *,
        cc: Names | None = None,
        bcc: Names | None = None,
        thread_id: str = "",
        importance: str = "normal",
        ack_required: bool = False,
        ack_within: Seconds | None = None,
        in_reply_to: str = "",
        attachments: Names | None = None,
        auto_reply: bool = False,
        request_id: str = "",
        attach: Files = (),
    ) -> Row:
        """Send a message. `attachments` names files that lie in outbox/files/ already, `attach` puts files there."""
        return self._row("send", locals())

    def reply(
        self,
        id: str | Mapping[str, Any],
        body: str = "",
        *,
        all: bool = False,
        subject: str = "",
        importance: str = "normal",
        ack_required: bool = False,
        ack_within: Seconds | None = None,
        attachments: Names | None = None,
        auto_reply: bool = False,
        to: Names | None = None,
        cc: Names | None = None,
        request_id: str = "",
        attach: Files = (),
    ) -> Row:
        """Answer a message. Recipient, subject and thread are filled in."""
        return self._row("reply", locals())

    def inbox(
        self,
        limit: int = 20,
        *,
        urgent: bool = False,
        least: str = "low",
        since: str = "",
        thread_id: str = "",
        tag: str = "",
        everything: bool = False,
        senders: str = "",
        bodies: bool = True,
    ) -> list[Row]:
        """Your unread mail, newest first. Listing marks nothing as read."""
        return self._rows("inbox", locals())

    def show(self, id: str) -> Row:
        """One message with its text: yours, or any of the project's. Marks nothing as read."""
        return self._row("show", locals())

    def read(self, ids: Names, *, request_id: str = "") -> Row:
        """Mark messages as read."""
        return self._row("read", locals())

    def ack(self, ids: Names, *, request_id: str = "") -> Row:
        """Acknowledge messages: their senders see it."""
        return self._row("ack", locals())

    def acks(self, *, mine: bool = False, sent: bool = False, overdue: bool = False) -> list[Row]:
        """Acknowledgements that are missing."""
        return self._rows("acks", locals())

    def wait(self, timeout: float = 60.0, *, limit: int = 20, bodies: bool = False) -> list[Row]:
        """Wait until there is unread mail, and list it; [] where none came in time."""
        return self._rows("wait", locals())

    def thread(self, thread_id: str, *, last: int | None = None, since: str = "", tree: bool = False) -> Any:
        """A conversation, newest last; with `tree`, an answer that has all that belongs to it."""
        return self.call("thread", _arguments(locals()))

    def summarize(self, thread_id: str, *, plain: bool = False) -> Row:
        """A conversation in short."""
        return self._row("summarize", locals())

    def search(self, query: str, *, limit: int = 20, offset: int = 0, sort: str = "date") -> Page:
        """Find messages; the list's `more` and `note` say whether there are others."""
        return self._page("search", locals())

    # --- leases

    def reserve(
        self,
        paths: Names,
        *,
        ttl_seconds: Seconds | None = None,
        exclusive: bool = True,
        reason: str = "",
        wait_seconds: Seconds | None = None,
        atomic: bool = False,
        broad: bool = False,
        request_id: str = "",
    ) -> Row:
        """Reserve paths; `conflicts` says who holds what is not granted."""
        return self._row("reserve", locals())

    def renew(
        self,
        leases: Names | None = None,
        *,
        paths: Names | None = None,
        slots: Names | None = None,
        extend_seconds: Seconds | None = None,
        request_id: str = "",
    ) -> Row:
        """Keep leases for longer: those that are named (or given as `leases()` lists them), or all of yours."""
        return self._row("renew", locals())

    def release(
        self,
        leases: Names | None = None,
        *,
        paths: Names | None = None,
        slots: Names | None = None,
        reason: str = "",
        request_id: str = "",
    ) -> Row:
        """Let go of leases, and of places in the queue: those that are named, or all of yours."""
        return self._row("release", locals())

    def leases(
        self, *, mine: bool = False, ended: bool = False, soon: Seconds | None = None, reason: str = "", limit: int = 100
    ) -> list[Row]:
        """Who holds what, until when."""
        return self._rows("leases", locals())

    def waiting(self) -> list[Row]:
        """Who waits for what others hold, in the order of asking."""
        return self._rows("waiting", locals())

    def acquire_slot(
        self,
        slots: Names,
        *,
        ttl_seconds: Seconds | None = None,
        exclusive: bool = True,
        reason: str = "",
        wait_seconds: Seconds | None = None,
        atomic: bool = False,
        request_id: str = "",
    ) -> Row:
        """Take build slots: leases on a name instead of paths."""
        return self._row("acquire_slot", locals())

    def renew_slot(self, slots: Names, *, extend_seconds: Seconds | None = None, request_id: str = "") -> Row:
        """Keep slots for longer."""
        return self._row("renew_slot", locals())

    def release_slot(self, slots: Names, *, request_id: str = "") -> Row:
        """Give slots back."""
        return self._row("release_slot", locals())

    # --- the record

    def events(
        self, since: str = "", *, last: int | None = None, limit: int = EVENTS, all_projects: bool = False
    ) -> list[Row]:
        """What happened after a cursor, oldest first; each event's `commit` is the next cursor."""
        return self._rows("events", locals())

    def log(self, limit: int = 50, *, author: str = "", thread_id: str = "", changes: bool = False) -> list[Row]:
        """The newest commits of the mailbox, newest first."""
        return self._rows("log", locals())

    def audit(self, thread_id: str, *, at: str = "") -> Row:
        """What each participant of a thread had received, read and acknowledged by then."""
        return self._row("audit", locals())

    def status(self) -> Row:
        """Is the daemon running, what waits, what is wrong."""
        return self._row("status", locals())

    # --- inside

    def _row(self, name: str, given: dict[str, Any]) -> Row:
        answer: Row = self.call(name, _arguments(given), attach=given.get("attach", ()))
        return answer

    def _rows(self, name: str, given: dict[str, Any]) -> list[Row]:
        answer: list[Row] = self.call(name, _arguments(given))
        return answer

    def _page(self, name: str, given: dict[str, Any]) -> Page:
        answer: Page = self.call(name, _arguments(given))
        return answer


def _arguments(given: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key not in ("self", "attach")}


def _files(attach: Files) -> list[tuple[str, bytes]]:
    if isinstance(attach, Mapping):
        return list(attach.items())
    return [(Path(path).name, Path(path).read_bytes()) for path in attach]
