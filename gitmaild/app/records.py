"""What can be asked of the mailbox's history: what happened, and whether it is as gitmaild wrote it. Never writes."""

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice, takewhile

from gitmaild.app.ports import History
from gitmaild.app.queries import Reader
from gitmaild.model.errors import refuse
from gitmaild.model.history import Recorded
from gitmaild.model.ids import stamp
from gitmaild.rules.audit import audit
from gitmaild.rules.events import event, is_of
from gitmaild.rules.verify import Finding, Verifier, is_small

# Commits that are looked at together: few enough that all of their messages fit into memory.
_AT_ONCE = 300


class Records:
    """Walks commits. `known_tip` is the last tip that this home's daemon knew, '' for none."""

    def __init__(self, reader: Reader, history: History, known_tip: str) -> None:
        self.reader, self._history, self._known_tip = reader, history, known_tip

    def events(self, cursor: str, tip: str, *, project: str = "") -> Iterator[dict[str, object]]:
        """What happened after the cursor ('': from the first), oldest first: an event a commit, whose id is the cursor.

        `project` '' is all of them. Raises `Refused` for a cursor that the history does not lead through.
        """
        self.check_cursor(cursor, tip)
        return (event(commit) for commit in self._history.commits(cursor, tip) if is_of(commit, project))

    def last_events(self, count: int, cursor: str, tip: str, *, project: str = "") -> list[dict[str, object]]:
        """The newest of those, oldest first."""
        self.check_cursor(cursor, tip)
        after = takewhile(lambda commit: commit.oid != cursor, self._history.newest(tip))
        newest = islice((event(commit) for commit in after if is_of(commit, project)), count)
        return list(newest)[::-1]

    def check_cursor(self, cursor: str, tip: str) -> None:
        if not cursor or cursor == tip:
            return
        if len(cursor) != 40 or cursor.strip("0123456789abcdef"):
            raise refuse(
                "bad-cursor",
                f"{cursor[:60]!r} is not a cursor",
                'a cursor is the whole "commit" of an event: 40 hexadecimal digits; without --since, all is shown',
            )
        if not self.reader.follows(cursor, tip):
            raise refuse(
                "unknown-cursor",
                f"the history of this mailbox does not lead through {cursor[:12]}: "
                "it was rewritten, or the cursor is of another home",
                "start again without --since; gitmaild verify says whether the mailbox was rewritten",
            )

    def audit(self, project: str, thread_id: str, at: datetime) -> dict[str, object]:
        """What each participant of a thread had sent, received, read and acknowledged by then."""
        found = audit(self._history.commits("", self.reader.tip()), project, thread_id, stamp(at))
        messages = [message for an_id in found.sent if (message := self.reader.message(project, an_id))]
        return found.told({message.id: message.subject for message in messages})

    def log(
        self, project: str, *, limit: int, author: str = "", thread_id: str = "", changes: bool = False
    ) -> Iterator[Recorded]:
        """The newest commits of a project, the newest first. A commit that gitmaild did not make may be of any."""
        grep = f"Thread-Id: {thread_id}" if thread_id else ""
        found = self._history.newest(self.reader.tip(), author=author, grep=grep, changes=changes)
        return islice((commit for commit in found if is_of(commit, project)), limit)

    def verify(self, told: Callable[[int, int], None] = lambda done, of: None) -> Iterator[Finding]:
        """Everything in the history that is not as gitmaild writes it. `told(done, of)` hears how far it is."""
        tip = self.reader.tip()
        if self._known_tip and not self.reader.follows(self._known_tip, tip):
            text = f"main is at {tip[:12] or 'nothing'}, which does not descend from the last tip that this home knew"
            yield Finding(self._known_tip, "", "history-rewritten", text)
        if not tip:
            return
        count, done = self._history.count(tip), 0
        with self._history.blobs() as blobs:
            ahead: dict[str, bytes | None] = {}
            verifier = Verifier(lambda oid: ahead[oid] if oid in ahead else blobs.read([oid])[oid])
            for some in _chunks(self._history.commits("", tip, changes=True)):
                # One question at a time would be a switch to git and back for every message.
                wanted = {change.after for commit in some for change in commit.changes if is_small(change.path)}
                ahead |= blobs.read(sorted(wanted - {""}))
                for commit in some:
                    yield from verifier.commit(commit)
                ahead.clear()
                done += len(some)
                told(done, count)
            if not verifier.has_format:
                yield Finding(tip, "FORMAT", "unknown-format", "there is no FORMAT")


def _chunks(commits: Iterator[Recorded]) -> Iterator[list[Recorded]]:
    while some := list(islice(commits, _AT_ONCE)):
        yield some
