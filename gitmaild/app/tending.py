"""Looking after leases: what happens to them by themselves, and when it will."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from gitmaild.app.alarms import Alarms
from gitmaild.app.ports import Batch
from gitmaild.model.clock import Clock
from gitmaild.model.commands import Envelope
from gitmaild.model.errors import MailError
from gitmaild.model.settings import Settings
from gitmaild.rules.holdings import Holdings
from gitmaild.rules.mailbox import Mailbox, projects
from gitmaild.rules.tend import next_due, tend
from gitmaild.rules.tree import Tree

log = logging.getLogger("gitmaild.tending")

# Leases that could not be looked after, or must not run out for now, are looked at again after so long.
_AGAIN = timedelta(seconds=60)


class TendBroken(Exception):
    """Our own code failed on what a project's leases do by themselves: a bug, which must not stop the mail."""

    def __init__(self, project: str) -> None:
        super().__init__(project)
        self.project = project


class Tending:
    """Plans what is due with leases, and knows when that is. `holdings` are those of every project, by its name."""

    def __init__(self, clock: Clock, settings: Settings, alarms: Alarms, holdings: dict[str, Holdings]) -> None:
        self._clock, self._settings, self._alarms, self._holdings = clock, settings, alarms, holdings
        self._due: dict[str, datetime] = {}
        self._planned: dict[str, datetime | None] = {}  # what `_due` will be once the present batch has landed
        self._left: set[str] = set()  # projects on which our code broke since the last look
        self.expiring = True  # False while the clock is not to be trusted with the end of a lease

    def mailbox(self, tree: Tree, project: str) -> Mailbox:
        return Mailbox(tree, project, self._holdings.setdefault(project, Holdings(project)))

    def look(self, tree: Tree) -> None:
        """Leases want looking after at once, in a tree that somebody else has made, or that was just found."""
        found = {name: next_due(self.mailbox(tree, name), self._settings) for name in projects(tree)}
        self._due = {name: self._clock.last for name, due in found.items() if due}
        for project in self._left:
            self._alarms.clear(f"leases {project}")
        self._left = set()

    def overdue(self) -> set[str]:
        """The projects whose leases want looking after now."""
        now = self._clock.read() if self._due else None
        return {project for project, due in self._due.items() if now and due <= now}

    def seconds_left(self) -> float:
        """Until some project's leases want looking after; infinite where none do."""
        now = self._clock.read()
        return min(((due - now).total_seconds() for due in self._due.values()), default=float("inf"))

    def tend(self, batch: Batch, mailbox: Mailbox, envelope: Callable[[str], Envelope]) -> None:
        """Plan what is due in a project: leases that end, that pass on, that will end soon. Raises `TendBroken`."""
        if mailbox.project in self._left:
            return
        try:
            while change := tend(
                envelope(mailbox.project), mailbox, self._clock.now(), self._settings, expiring=self.expiring
            ):
                batch.add(change)
            due = next_due(mailbox, self._settings)
        except (OSError, MailError):
            raise
        except Exception as error:
            raise TendBroken(mailbox.project) from error
        # Where nothing may run out for now, what is overdue is looked at again in a while.
        again = due if self.expiring or due is None else max(due, self._clock.last + _AGAIN)
        self._planned[mailbox.project] = again

    def begin(self) -> None:
        """A batch is planned; until it lands, what was due is due."""
        self._planned.clear()

    def landed(self) -> None:
        """What was planned since `begin` has come to be."""
        for project, due in self._planned.items():
            self._due.pop(project, None)
            if due:
                self._due[project] = due
        self._planned.clear()

    def give_up(self, broken: TendBroken) -> None:
        """Leave a project's leases alone until somebody else's commit, or the next start, shows them in a new light."""
        log.exception("bug leases project=%s", broken.project)
        text = f"leases of {broken.project} do not end or pass on by themselves; the log has the error"
        self._alarms.raise_(f"leases {broken.project}", text, self._clock.last)
        self._left.add(broken.project)
        self._due.pop(broken.project, None)
