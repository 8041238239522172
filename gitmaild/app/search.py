"""Search: an index that follows the commits, and what has landed since it was last written to.

The index is a fold over commits with its own checkpoint, like the mirrors and the thread index. What it does not have yet is
the tail: it is in memory, and searched by the rules themselves, so a search right after a send finds what was sent. An index
that cannot be used is thrown away and made anew from the tip, a slice at a time; meanwhile searches answer with what there
is, and say so.
"""

import contextlib
from collections.abc import Callable, Sequence

from gitmaild.app.answers import Answer, Question, States, hits, page, understood
from gitmaild.app.indexing import Build, Progress, Tail, changes, split_checkpoint
from gitmaild.app.ports import BatchTree, Repo, SearchIndex
from gitmaild.app.threads import leads_to
from gitmaild.model.changeset import Landed
from gitmaild.model.errors import MailError
from gitmaild.model.search import IndexDamaged


class Search:
    """Keeps the index of one home, and answers from it. For the process that holds the home's lock.

    `catch_up` says what is to be done, `step` does it, `apply` takes commits as they land, `settle` writes them down.
    """

    def __init__(self, repo: Repo, index: SearchIndex, monotonic: Callable[[], float]) -> None:
        self._repo, self._index, self._monotonic = repo, index, monotonic
        self._tail: Tail = {}
        self._applied = ""
        self._opened = False
        self._build: Build | None = None
        self._ahead: set[str] = set()  # what was settled while the index was being made from an earlier tree
        # What was wrong with the index that was thrown away last, for people.
        self.healed = ""
        self.heals = 0

    # --- the fold

    def catch_up(self, tip: str) -> None:
        """Find out what the index lacks of `tip`; `step` brings it there. Damage is healed here, by beginning anew."""
        self._tail.clear()
        self._applied = tip
        try:
            self._index.open(writing=True)
            self._opened = True
            self._begin(self._index.checkpoint())
        except IndexDamaged as error:
            self._heal(error)

    def apply(self, landed: Sequence[Landed], tree: BatchTree) -> None:
        """Take note of commits that have just landed; what they brought is found from now on."""
        for commit in landed:
            self._tail |= changes(commit, tree.blob)
            self._applied = commit.oid

    def settle(self) -> None:
        """Write the tail to the index. Costs nothing where there is none."""
        try:
            if not self._tail and (self._build or self._index.checkpoint() == self._applied):
                return
            added = [found for found in self._tail.values() if found]
            gone = [key for key, found in self._tail.items() if found is None]
            self._index.add(added, self._build.checkpoint() if self._build else self._applied, gone=gone)
        except IndexDamaged as error:
            self._heal(error)
            return
        if self._build:
            self._ahead |= self._tail.keys()
        self._tail.clear()

    def step(self, budget: float) -> bool:
        """Go on for about `budget` seconds with what the index lacks, then with its upkeep; True where more is left.

        What is read is kept until the engine's batch is full, and that is written in one go: a sixth of a second for Whoosh.
        """
        until = self._monotonic() + budget
        try:
            while self._build:
                if self._build.read(self._index.batch):
                    self._build.write(self._index, self._ahead)
                    self._index.tend()
                if self._build.is_done:
                    self._build = None
                    self._ahead.clear()
                    self.settle()
                if self._monotonic() >= until:
                    break
            return self._build is not None or self._index.tend()
        except IndexDamaged as error:
            self._heal(error)
            return True

    def forget(self) -> None:
        """Throw the index away; `step` makes it anew."""
        self._index.clear()
        self._begin("")

    def progress(self) -> Progress | None:
        """How far the making of the index is, None where it is whole."""
        return self._build.progress() if self._build else None

    def checkpoint(self) -> str:
        """The commit that the index reaches to, '' while it is being made from nothing."""
        base, leaf = split_checkpoint(self._index.checkpoint())
        return base if leaf is None else ""

    def close(self) -> None:
        if self._opened:
            with contextlib.suppress(MailError, OSError):  # what is not written is read again from the commits
                self.settle()
        self._index.close()
        self._opened = False

    def _begin(self, checkpoint: str) -> None:
        base, leaf = split_checkpoint(checkpoint)
        self._build = None
        self._ahead.clear()
        if not self._applied or checkpoint == self._applied:
            return
        if base and leads_to(self._repo, base, self._applied):
            self._build = Build(self._repo, base, self._applied, leaf)
        else:
            if checkpoint:
                self._index.clear()
            self._build = Build(self._repo, self._applied, self._applied, "")
        self._tail.clear()  # the tip that is now made for has all of it

    def _heal(self, error: IndexDamaged) -> None:
        self.healed = str(error)
        self.heals += 1
        self._index.clear()
        self._opened = True
        self._begin("")

    # --- answers

    def search(self, question: Question, states: States) -> Answer:
        """Answer a question. Raises `Refused` for a query that cannot be understood, with the column.

        `states` gives the keys of the messages that are `unread`, `read` or `acked` for whoever asks: see
        `answers.states_of`.
        """
        query = understood(question, states)
        for _ in range(2):
            note = str(self._build.progress()) if self._build else ""
            try:
                return page(self._repo, question, query, hits(self._index, self._tail, query, question), note)
            except IndexDamaged as error:
                self._heal(error)
        return Answer((), note=f"the search index cannot be used: {self.healed}")
