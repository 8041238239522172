"""Many agents served at once, from any thread: what a door that lives long holds of one home.

In the daemon's own process it is given the daemon's bell: then no request runs a pass itself, and each is told of its answer
when it is there.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gitmaild import wiring
from gitmaild.adapters.client.whereabouts import Whereabouts
from gitmaild.model.drop import Hint
from gitmaild.model.errors import MailError
from gitmaild.model.registry import Registry

if TYPE_CHECKING:
    from gitmaild.adapters.client.mailbox import Mailbox
    from gitmaild.app.bell import Bell
    from gitmaild.app.ports import DeskRoot
    from gitmaild.app.queries import Reader
    from gitmaild.app.submit import Pause

# Views of the repository that are open at a time; who asks while all are lent out waits for one.
_READERS = 2
# What reading leaves in memory is given back so often.
_LET_GO_SECONDS = 60.0
# An answer is looked for so often even where no bell rang: it may have been rung for somebody else's name of the desk.
_LOOK_SECONDS = 0.25


class Lobby:
    """One home. Safe for any thread; each `Mailbox` that it gives is as well.

    `bell`: of the daemon that runs in this process; without it, a write runs a pass itself where no daemon does. `here`: the
    current directory and the environment say who asks, and in which project; without it, only arguments do.
    """

    def __init__(
        self,
        home: wiring.Home | Path | str | None = None,
        *,
        environment: Mapping[str, str],
        bell: "Bell | None" = None,
        here: Path | None = None,
    ) -> None:
        self.environment, self.bell, self.here = environment, bell, here
        self._given = str(home.path if isinstance(home, wiring.Home) else home) if home else None
        with Whereabouts(home=self._given, here=here, environment=environment) as first:
            self.home = first.home
        self._lock = threading.Lock()
        self._free = threading.Semaphore(_READERS)
        self._readers: list[tuple[Reader, float]] = []
        self._mailbox = 0
        self._registry: tuple[tuple[int, int, int], Registry] | None = None

    def for_agent(self, project: str | None = None, agent: str | None = None, *, patience: float = 10.0) -> "Mailbox":
        """The mailbox of an agent, or, without a name, of somebody who only looks. Costs nothing; nothing is checked yet."""
        from gitmaild.adapters.client.mailbox import Mailbox  # noqa: PLC0415 - which imports this module

        return Mailbox(project, agent, patience=patience, lobby=self)

    def stand(self, project: str | None = None, agent: str | None = None, *, patience: float = 10.0) -> "Seat":
        """Where a request of this agent stands. For one thread, and to be closed."""
        return Seat(self, project, agent, patience)

    def projects(self) -> list[str]:
        return list(self.registry().projects)

    def registry(self) -> Registry:
        """As it is now; read again only where its file has changed."""
        try:
            about = self.home.roots.stat()
            seen = (about.st_mtime_ns, about.st_size, about.st_ino)
        except FileNotFoundError:
            seen = (0, 0, 0)
        with self._lock:
            known = self._registry
        if known is None or known[0] != seen:
            known = (seen, wiring.registry(self.home))
            with self._lock:
                self._registry = known
        return known[1]

    @contextmanager
    def reader(self) -> Iterator["Reader"]:
        """A view of the mailbox, lent to one thread at a time."""
        with self._free:
            reader, let_go_at = self._kept()
            if reader is None:
                reader, let_go_at = wiring.open_reader(self.home), time.monotonic() + _LET_GO_SECONDS
            try:
                yield reader
            except MailError:
                reader = None  # whatever it stumbled over, the next one begins anew
                raise
            finally:
                if reader is not None:
                    if time.monotonic() >= let_go_at:
                        reader.let_go()
                        let_go_at = time.monotonic() + _LET_GO_SECONDS
                    with self._lock:
                        self._readers.append((reader, let_go_at))

    def _kept(self) -> "tuple[Reader | None, float]":
        """One that is open already; None where there is none, or the mailbox is another than it was."""
        try:
            mailbox = self.home.mailbox.stat().st_ino
        except FileNotFoundError:
            mailbox = 0
        with self._lock:
            if mailbox != self._mailbox:
                self._readers.clear()
                self._mailbox = mailbox
            return self._readers.pop() if self._readers else (None, 0.0)

    def tip(self) -> str:
        """The commit at the head of the mailbox: it is another one as soon as anything was accepted."""
        with self.reader() as reader:
            return reader.tip()


class Seat(Whereabouts):
    """Where one request of a lobby stands."""

    def __init__(self, lobby: Lobby, project: str | None, agent: str | None, patience: float) -> None:
        super().__init__(
            home=str(lobby.home.path),
            project=project,
            identity=agent,
            patience=patience,
            here=lobby.here,
            environment=lobby.environment,
        )
        self._lobby, self._told = lobby, False
        self.home, self.registry = lobby.home, lobby.registry()

    @contextmanager
    def reader(self) -> Iterator["Reader"]:
        with self._lobby.reader() as reader:
            yield reader

    def nap(self, seconds: float) -> None:
        if self._lobby.bell:
            self._lobby.bell.wait(seconds)
        else:
            time.sleep(seconds)

    def serve(self, hints: list[Hint]) -> bool:
        """The daemon of this process has the lock and goes round by itself; it is told where to look, once."""
        if self._lobby.bell is None:
            return super().serve(hints)
        if not self._told:
            self._lobby.bell.look(hints)
            self._told = True
        return False

    @contextmanager
    def expecting(self, root: "DeskRoot", agent: str, name: str) -> Iterator["Pause"]:
        if self._lobby.bell is None:
            yield time.sleep
            return
        with self._lobby.bell.expecting(root.key, agent, name) as rung:

            def pause(_: float) -> float:
                began = time.monotonic()
                rung(min(_LOOK_SECONDS, self.patience))
                return time.monotonic() - began

            yield pause
