"""Builders: a test says what it cares about, and gets the rest from here."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import yaml
from hypothesis import strategies as st

from gitmaild.model.changeset import Changeset
from gitmaild.model.commands import Attachment, Command, Envelope, Found, Send
from gitmaild.model.errors import Refusal
from gitmaild.model.message import Message
from gitmaild.model.settings import Settings
from gitmaild.rules import frontmatter
from gitmaild.rules.mailbox import Mailbox
from gitmaild.rules.parse import parse
from gitmaild.rules.plan import plan, refusal_note
from gitmaild.rules.tend import tend
from tests.fakes import DictTree

NOW = datetime(2026, 1, 1, tzinfo=UTC)

# Whatever UTF-8 can carry, which is all but the halves of surrogate pairs.
any_text = st.text(st.characters(codec="utf-8"), max_size=60)
# The same, and often what YAML, a terminal or a careless parser stumbles over.
hostile = st.sampled_from(
    ["", " ", "yes", "No", "null", "~", "0x1F", "1e3", "12:30:45", "2026-01-01", "- a", "a: b", "#x", "*a", "&a", "!!x", "[a]", "{a}", '"', "'", "\\", "|",
     ">", "|\n", "---", "...", "=", "<<", "\n", "\r\n", "\t", "\0", "\x1b", "\x7f", "\x85", "\xa0", "\u2028", "\ufeff", "\ufffe", "\U0001fffe", "🎉", "a,b"]
)  # fmt: skip
written = any_text | hostile | st.tuples(hostile, any_text, hostile).map("".join)


def an_envelope(agent: str = "GreenCastle", number: int = 1, **over: str) -> Envelope:
    envelope = Envelope(f"cmd_20260101_{number:08x}", "shop", agent, drop="note", sha256="00" * 32)
    return replace(envelope, **over)


def a_message(**over: object) -> Message:
    message = Message(
        "msg_20260101_00000001", "br-123", "GreenCastle", ("RedCat",), NOW, subject="lunch?", body="At noon.\n"
    )
    return replace(message, **over)  # type: ignore[arg-type]


def a_send(**over: object) -> Send:
    return replace(Send(an_envelope(), ("RedCat",), subject="lunch?", body="At noon.\n"), **over)  # type: ignore[arg-type]


def an_attachment(name: str = "report.txt", data: bytes = b"all green\n") -> Attachment:
    return Attachment(name, sha256(data).hexdigest(), data)


def a_drop(body: str = "At noon.\n", **fields: str) -> bytes:
    """The bytes of a dropped file; a field whose name is a keyword gets a trailing underscore."""
    lines = "".join(f"{key.rstrip('_')}: {value}\n" for key, value in fields.items())
    return frontmatter.fence(lines, body).encode()


class Shop:
    """The project *shop* without a disk: drops are parsed, planned and applied to a dictionary, a second apart."""

    def __init__(self, *agents: str, limits: Settings | None = None) -> None:
        self.limits = limits or Settings()
        self.tree = DictTree()
        self.now, self.commands = NOW - timedelta(seconds=len(agents) + 1), 0
        self.ask(Found(self.envelope("Overseer")))
        for name in agents:
            self.accepted(name, kind="register", program="Claude Code", model="Opus 4.5")

    @property
    def mailbox(self) -> Mailbox:
        return Mailbox(self.tree, "shop")

    def envelope(self, agent: str, **over: str) -> Envelope:
        self.commands += 1
        return an_envelope(agent, self.commands, **over)

    def ask(self, command: Command) -> Changeset | Refusal:
        """Plan a command and, where it is accepted, do it."""
        answer = plan(command, self.mailbox, self.now, self.limits)
        self.now += timedelta(seconds=1)
        if isinstance(answer, Changeset):
            self.tree.apply(answer)
        return answer

    def drop(self, agent: str, body: str = "At noon.\n", /, **fields: str) -> Changeset | Refusal:
        data = a_drop(body, **fields)
        command = parse(data, self.envelope(agent, sha256=sha256(data).hexdigest()), self.limits)
        return command if isinstance(command, Refusal) else self.ask(command)

    def accepted(self, agent: str, body: str = "At noon.\n", /, **fields: str) -> Changeset:
        answer = self.drop(agent, body, **fields)
        assert isinstance(answer, Changeset), answer
        return answer

    def refused(self, agent: str, body: str = "At noon.\n", /, **fields: str) -> Refusal:
        answer = self.drop(agent, body, **fields)
        assert isinstance(answer, Refusal), answer
        return answer

    def note(self, refusal: Refusal, agent: str, file: str = "note.md") -> Changeset | None:
        """Tell an agent of a refusal."""
        note = refusal_note(refusal, self.envelope(agent), file, self.mailbox, self.now)
        if note:
            self.tree.apply(note)
        return note

    def tend(self, *, expiring: bool = True) -> list[str]:
        """Let leases do what they do by themselves; the subjects of the commits."""
        done: list[str] = []
        while change := tend(self.envelope("Postmaster"), self.mailbox, self.now, self.limits, expiring=expiring):
            self.tree.apply(change)
            done.append(change.subject)
            assert len(done) < 1000, "it never comes to rest"
        return done

    def later(self, seconds: float) -> list[str]:
        """Let time pass, and leases do what they do then."""
        self.now += timedelta(seconds=seconds)
        return self.tend()

    def reserve(self, agent: str, paths: str, **fields: str) -> dict[str, Any]:
        """The answer to a reserve, as YAML reads it."""
        answer: dict[str, Any] = yaml.safe_load(self.accepted(agent, kind="reserve", paths=paths, **fields).answer)
        return answer

    @property
    def held(self) -> list[str]:
        """`Holder: thing` of every lease, the longest held first."""
        return [f"{lease.holder}: {lease.thing}" for lease in self.mailbox.holdings().leases]

    @property
    def queue(self) -> list[str]:
        """`Agent: things` of every request that waits, in order."""
        return [f"{r.agent}: {', '.join(map(str, r.things))}" for r in self.mailbox.holdings().waiting]

    def names(self, agent: str, folder: str = "inbox") -> list[str]:
        return [name for name, _ in self.mailbox.files(agent, folder)]

    def letters(self, agent: str, folder: str = "inbox") -> list[str]:
        """`Sender: subject` of what lies in a folder, oldest first."""
        return [f"{message.sender}: {message.subject}" for message in self.messages(agent, folder)]

    def messages(self, agent: str, folder: str = "inbox") -> list[Message]:
        found = (self.mailbox.message(f"msg_20260101_{name[:-3].rpartition('_')[2]}") for name in self.names(agent, folder))
        return [message for message in found if message]

    def last(self) -> Message:
        """The message that the newest command made."""
        message = self.mailbox.message(f"msg_20260101_{self.commands:08x}")
        assert message, "the newest command made no message"
        return message
