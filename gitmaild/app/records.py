"""What can be asked of the mailbox's history: what happened, and whether it is as gitmaild wrote it. Never writes."""

from collections.abc import Iterator

from gitmaild.app.ports import History
from gitmaild.app.queries import Reader
from gitmaild.model.errors import refuse
from gitmaild.rules.events import event, is_of


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
