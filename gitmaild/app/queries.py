"""What can be asked of the mailbox itself. Never writes, needs no lock, works with the daemon down."""

from collections.abc import Collection, Iterable
from datetime import datetime
from itertools import chain, islice

from gitmaild.app.acks import owed
from gitmaild.app.people import People
from gitmaild.app.ports import Repo
from gitmaild.app.threads import Threads, parsed
from gitmaild.model import layout
from gitmaild.model.errors import MailError
from gitmaild.model.ids import MESSAGE_ID, stamp
from gitmaild.model.lease import ACTIVE, Lease
from gitmaild.model.message import Message
from gitmaild.model.names import OVERSEER, POSTMASTER
from gitmaild.model.settings import Settings
from gitmaild.rules import render
from gitmaild.rules.due import is_open, owing
from gitmaild.rules.fields import did_you_mean
from gitmaild.rules.mailbox import Mailbox, Profile
from gitmaild.rules.mention import mentions
from gitmaild.rules.people import free_name

# Leases that have ended, the newest first, among which those of a thread are looked for.
_ENDED = 5_000


class Reader:
    """Answers from the tip, as it is at each question."""

    def __init__(self, repo: Repo, threads: Threads, settings: Settings) -> None:
        self._repo, self._threads, self._settings = repo, threads, settings
        self.people = People(repo, settings)

    def message(self, project: str, message_id: str) -> Message | None:
        """A message of the project. Notes from Postmaster are at their readers' desks alone: they name blind recipients."""
        found = self._mailbox(project).message(message_id) if MESSAGE_ID.fullmatch(message_id) else None
        return found if found and found.sender != POSTMASTER else None

    def thread(self, project: str, thread_id: str) -> list[Message]:
        """A thread's messages, oldest first. What the thread index has not seen yet is read from the commits after it."""
        found = {message.id: message for message in self._threads.messages(project, thread_id)}
        for message in self._unindexed(project):
            if message.thread_id == thread_id:
                found[message.id] = message
        return sorted(found.values(), key=lambda message: message.created)

    def newest(self, project: str, *, before: str = "", limit: int = 50) -> list[Message]:
        """The mail of everybody in a project, newest first; with `before`, only what is older than the message of that id.

        A leaf holds the messages of some minutes, so a page costs itself, however large the mailbox is.
        """
        mailbox = self._mailbox(project)
        mark = mailbox.message(before) if before else None
        if before and mark is None:
            return []
        last = mailbox.canonical(before).rpartition("/")[0] if before else ""
        found: list[Message] = []
        for leaf in reversed(list(mailbox.leaves_below(layout.messages(project)))):
            if last and leaf != last:
                continue
            last = ""
            paths = [f"{leaf}/{name}" for name in mailbox.tree.names(leaf) if name.endswith(".md")]
            messages = (render.readable(mailbox.tree.read(path)) for path in paths)
            told = [m for m in messages if m and m.sender != POSTMASTER and (mark is None or m.created < mark.created)]
            found += sorted(told, key=lambda message: message.created, reverse=True)
            if len(found) >= limit:
                break
        return found[:limit]

    def states(self, project: str, messages: Iterable[Message], *, readers: Collection[str]) -> dict[str, dict[str, str]]:
        """Where the copies of messages lie: id to recipient to folder. Those that a message names openly, and `readers`."""
        mailbox = self._mailbox(project)
        agents = {*mailbox.agents(), OVERSEER}
        return {
            message.id: {
                name: held.folder
                for name in dict.fromkeys((*message.to, *message.cc, *readers))
                if name in agents and (held := mailbox.held(name, layout.file_name(message)))
            }
            for message in messages
        }

    def leases(
        self,
        project: str,
        now: datetime,
        *,
        holder: str = "",
        ended: bool = False,
        soon: int | None = None,
        reason: str = "",
        limit: int = 0,
    ) -> list[dict[str, object]]:
        """Leases in the shape that every door shows: those held, the first to end first; with `ended`, then the others.

        `soon`: only those that end within so many seconds. `reason`: only those whose reason holds this text.
        """
        mailbox = self._mailbox(project)
        held = sorted(mailbox.holdings().leases, key=lambda lease: lease.expires)
        last = chain(held, mailbox.ended_leases()) if ended else iter(held)
        chosen = (
            lease
            for lease in last
            if (not holder or lease.holder == holder)
            and reason in lease.reason
            and (soon is None or (lease.expires - now).total_seconds() <= soon)
        )
        return [lease_fields(lease, now, soon=self._settings.lease_warning) for lease in islice(chosen, limit or None)]

    def thread_leases(self, project: str, now: datetime, thread_id: str) -> list[dict[str, object]]:
        """Leases whose reason names a thread: those held, then those that ended, the newest of so many first."""
        mailbox = self._mailbox(project)
        held = sorted(mailbox.holdings().leases, key=lambda lease: lease.expires)
        every = chain(held, islice(mailbox.ended_leases(), _ENDED))
        soon = self._settings.lease_warning
        return [lease_fields(lease, now, soon=soon) for lease in every if mentions(lease.reason, thread_id)]

    def waiting(self, project: str) -> list[dict[str, object]]:
        """Who waits for what, in the order of asking."""
        return [
            {
                "holder": request.agent,
                "things": ", ".join(map(str, request.things)),
                "exclusive": request.exclusive,
                "until": stamp(request.until),
                "reason": request.reason,
            }
            for request in self._mailbox(project).holdings().waiting
        ]

    def acks(self, project: str, now: datetime, *, agent: str, mine: bool, sent: bool) -> list[dict[str, object]]:
        """Acknowledgements that are missing: what `agent` owes, what it is owed; without an agent, everybody's."""
        mailbox = self._mailbox(project)
        chosen = ([owed(mailbox, by=agent)] if mine else []) + ([owed(mailbox, to=agent)] if sent else [])
        rows = [row for rows in (chosen if agent else [owed(mailbox)]) for row in rows]
        # What one owes to oneself is in both.
        return list({(row.message.id, row.agent): row.fields(now) for row in rows}.values())

    def thread_acks(self, project: str, messages: list[Message]) -> list[tuple[str, str]]:
        """(message id, agent) of what is not acknowledged in a thread; blind recipients are left out."""
        mailbox = self._mailbox(project)
        asked = (message for message in messages if message.ack_required)
        return [(m.id, held.agent) for m in asked for held in owing(m, mailbox) if is_open(held.agent, m, mailbox)]

    def agents(self, project: str) -> list[Profile]:
        mailbox = self._mailbox(project)
        return [profile for name in mailbox.agents() if (profile := mailbox.profile(name))]

    def profile(self, project: str, name: str) -> Profile | None:
        return self._mailbox(project).profile(name)

    def guess(self, project: str, name: str) -> str:
        return did_you_mean(name, self._mailbox(project).agents())

    def free_name(self, project: str) -> str:
        """An unused name, for an agent that registers without one."""
        return free_name(self._repo.tip(), self._mailbox(project))

    def tip(self) -> str:
        return self._repo.tip()

    def let_go(self) -> None:
        """Forget what reading has left in memory."""
        self._repo.let_go()

    def follows(self, old: str, tip: str) -> bool:
        """True where the history of `tip` leads through the commit `old`."""
        try:
            return self._repo.is_ancestor(old, tip)
        except MailError:
            return False

    def _mailbox(self, project: str) -> Mailbox:
        return Mailbox(self._repo.tree(self._repo.tip()), project)

    def _unindexed(self, project: str) -> list[Message]:
        old, tip = self._threads.checkpoint(), self._repo.tip()
        if old == tip or not self._repo.is_ancestor(old, tip):
            return []
        prefix = f"{project}/messages/"
        puts = (put for commit in self._repo.commits(old, tip) for put in commit.puts)
        found = (parsed(self._repo.blob(oid)) for path, oid in puts if path.startswith(prefix))
        return [message for message in found if message and message.sender != POSTMASTER]


def lease_fields(lease: Lease, now: datetime, *, soon: int) -> dict[str, object]:
    """A lease as every door shows it. `soon`: how many seconds before its end it counts as ending soon."""
    left = max(round((lease.expires - now).total_seconds()), 0)
    shown: dict[str, object] = {
        "id": lease.id,
        "pattern" if lease.thing.pattern else "slot": lease.thing.pattern or lease.thing.slot,
        "holder": lease.holder,
        "exclusive": lease.exclusive,
        "granted": stamp(lease.granted),
        "expires": stamp(lease.expires),
        "fence": lease.fence,
        "reason": lease.reason,
        "state": lease.state,
    }
    if lease.state == ACTIVE:
        return shown | {"expires_in_seconds": left, "expires_soon": left <= soon}
    return shown | {"ended": stamp(lease.ended) if lease.ended else "", "because": lease.because}
