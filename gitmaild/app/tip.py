"""The tip: which commit the mirrors show, and what is done where main is found elsewhere."""

import logging
from collections.abc import Callable, Sequence

from gitmaild.app.alarms import Alarms
from gitmaild.app.claiming import Claiming
from gitmaild.app.mirrors import Mirrors
from gitmaild.app.ports import Batch, Repo
from gitmaild.app.tending import Tending
from gitmaild.model.changeset import Landed
from gitmaild.model.clock import Clock
from gitmaild.model.errors import MailError

log = logging.getLogger("gitmaild.tip")


class Halted(MailError):
    """The mailbox's history was rewritten; nothing is accepted until a person has looked."""

    code = "history-rewritten"


class Tip:
    """Moves on with our own batches and with commits that somebody else made. `seen` is where the mirrors are."""

    def __init__(
        self,
        repo: Repo,
        mirrors: Mirrors,
        claiming: Claiming,
        tending: Tending,
        *,
        clock: Clock,
        alarms: Alarms,
        remember: Callable[[str], None],
        landed: Callable[[Sequence[Landed]], None],
    ) -> None:
        """`remember` keeps a tip for the next daemon; `landed` is told of commits once the mirrors show them."""
        self._repo, self._mirrors, self._claiming, self._tending = repo, mirrors, claiming, tending
        self._clock, self._alarms, self._remember, self._landed = clock, alarms, remember, landed
        self.seen = ""

    def begin(self, last: str) -> None:
        """Go on from the tip that this home's last daemon knew."""
        self.seen = last
        tip = self._main()
        self.seen = last or tip

    def accept(self) -> None:
        """Take whatever main leads to as the truth, also where it does not follow what was seen."""
        self._repo.secure()
        self.seen = self._repo.tip()
        self._remember(self.seen)

    def show(self, batch: Batch) -> None:
        """Show what has landed. Only then is it seen: where showing fails, the next pass follows the tip to it."""
        if batch.landed:
            tip = batch.landed[-1].oid
            self._remember(tip)
            self._mirrors.apply(batch.landed, batch.tree)
            self.seen = tip
            self._landed(batch.landed)

    def follow(self) -> None:
        """Notice commits that somebody else made: show them where they follow ours, refuse to write where they do not."""
        tip = self._main()
        if tip == self.seen:
            self._alarms.clear(Halted.code)
            return
        if not self._repo.is_ancestor(self.seen, tip):
            raise Halted(
                f"history rewritten: main is at {tip[:12] or 'nothing'}, which does not descend from {self.seen[:12]}; "
                "put it back with git update-ref, or accept it with gitmaild rebuild"
            )
        log.info("followed-tip old=%s new=%s", self.seen[:12], tip[:12])
        self._repo.secure()
        commits = list(self._repo.commits(self.seen, tip))
        self._claiming.recognise(commits)
        self._mirrors.apply(commits, self._repo.tree(tip))
        self.seen = tip
        self._landed(commits)
        self._remember(tip)
        self._tending.look(self._repo.tree(tip))

    def _main(self) -> str:
        """The tip. A ref that is broken or gone is not a new mailbox: it is put back to the last one known."""
        broken: MailError | None = None
        try:
            if (tip := self._repo.tip()) or not self._repo.has(self.seen):
                return tip
        except MailError as error:
            if not self._repo.has(self.seen):
                raise
            broken = error
        text = f"{broken or 'main was gone'}; put back to {self.seen[:12]}"
        log.error("restored-tip: %s", text)
        self._alarms.raise_("restored-tip", text, self._clock.last)
        self._repo.set_tip(self.seen)
        return self.seen
