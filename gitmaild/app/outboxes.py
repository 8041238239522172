"""What waits in the outboxes, and what of it may be taken now."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from gitmaild.app.ports import DeskRoot
from gitmaild.model.drop import Hint, How, Waiting
from gitmaild.model.errors import MailError
from gitmaild.model.settings import Settings
from gitmaild.rules import frontmatter
from gitmaild.rules.settle import READY, ready_in

Key = tuple[str, str]  # root key, agent


@dataclass(slots=True)
class Outbox:
    """One desk's outbox as last looked at."""

    ready: deque[Waiting] = field(default_factory=deque)
    hinted: dict[str, How] = field(default_factory=dict)
    seen: dict[str, tuple[tuple[int, int, int], float]] = field(default_factory=dict)
    due: float = 0.0  # monotonic time of the next look; infinite where nothing waits


class Outboxes:
    """Looks where hints point, everywhere on a scan, and hands out files that are ready, fairly."""

    def __init__(self, settings: Settings, wall: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._settings, self._wall, self._monotonic = settings, wall, monotonic
        self._boxes: dict[Key, Outbox] = {}
        self._turn = 0

    def hint(self, hints: Iterable[Hint]) -> None:
        """Note where to look: hints that name an outbox."""
        for hint in hints:
            desk, _, last = hint.directory.rpartition("/")
            root, _, agent = desk.rpartition("/agents/")
            # Only desks that a scan found: a hint may come from one that must not be heard, such as a forged Overseer's.
            box = self._boxes.get((root, agent))
            if last == "outbox" and box is not None:
                box.due = 0.0
                if hint.how is How.RENAMED or hint.name not in box.hinted:
                    box.hinted[hint.name] = hint.how

    def look_everywhere(self, roots: Iterable[DeskRoot]) -> None:
        keys = {(root.key, agent) for root in roots for agent in root.desks()}
        self._boxes = {key: self._boxes.get(key, Outbox()) for key in keys}
        for box in self._boxes.values():
            box.due = 0.0

    def next_look(self) -> float:
        """The monotonic time when some file may have become ready."""
        return min((box.due if not box.ready else 0.0 for box in self._boxes.values()), default=float("inf"))

    def take(
        self, roots: dict[str, DeskRoot], count: int, lose: Callable[[str, Exception], None]
    ) -> list[tuple[DeskRoot, str, Waiting]]:
        """Up to `count` files that are ready, in turn from every outbox, each outbox's oldest first.

        `lose(root key, error)` takes a root that refuses out of `roots`.
        """
        now = self._monotonic()
        for key, box in self._boxes.items():
            if box.due <= now and not box.ready and key[0] in roots:
                try:
                    self._look(roots[key[0]], key[1], box, now)
                except (MailError, OSError) as error:
                    lose(key[0], error)
        full = [(key, box) for key, box in sorted(self._boxes.items()) if box.ready and key[0] in roots]
        self._turn = (self._turn + 1) % max(len(full), 1)
        full = full[self._turn :] + full[: self._turn]
        taken: list[tuple[DeskRoot, str, Waiting]] = []
        while full and len(taken) < count:
            share = max(1, (count - len(taken)) // len(full))
            for (root, agent), box in full:
                for _ in range(min(share, len(box.ready), count - len(taken))):
                    taken.append((roots[root], agent, box.ready.popleft()))
            full = [(key, box) for key, box in full if box.ready]
        return taken

    def counts(self) -> dict[Key, int]:
        """How many files each outbox had at the last look, ready or not."""
        return {key: max(len(box.seen), len(box.ready)) for key, box in self._boxes.items() if box.seen or box.ready}

    def _look(self, root: DeskRoot, agent: str, box: Outbox, now: float) -> None:
        settings = self._settings
        found = root.waiting(agent)
        seen: dict[str, tuple[tuple[int, int, int], float]] = {}
        box.due = float("inf")
        wall = self._wall()
        for waiting in found:
            before = box.seen.get(waiting.name)
            if before and before[0] == waiting.signature:
                since = before[1]
            else:
                # A file that was there before we came tells its age itself, unless its clock is ahead of ours. Asked
                # once: a wall clock that jumps while a file is being written must not make it look finished.
                since = now - max(wall - waiting.mtime_ns / 1e9, 0.0)
            quiet = now - since
            hinted = box.hinted.get(waiting.name)
            closed = hinted is How.RENAMED or quiet >= settings.open_seconds or self._closed(root, agent, waiting)
            left = ready_in(waiting, hinted=hinted, closed=closed, quiet=quiet, settings=settings)
            if left <= READY:
                box.ready.append(waiting)
            else:
                seen[waiting.name] = (waiting.signature, since)
                box.due = min(box.due, now + left)
        box.seen = seen
        box.hinted = {name: how for name, how in box.hinted.items() if name in seen}

    def _closed(self, root: DeskRoot, agent: str, waiting: Waiting) -> bool:
        if waiting.name.endswith(".yaml"):
            return True
        if not waiting.regular or waiting.size > self._settings.message_limit:
            return waiting.regular is False or waiting.size > self._settings.message_limit
        return frontmatter.is_closed(root.peek(agent, waiting.name, self._settings.message_limit))
