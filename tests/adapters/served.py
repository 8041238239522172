"""A daemon in this process, as doors within it have one: real files, real hints, its own thread."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from gitmaild.adapters.client.lobby import Lobby
from gitmaild.app.bell import Bell
from gitmaild.edges.home import Home
from gitmaild.wiring.office import open_office


@contextmanager
def served(home: Home) -> Iterator[Lobby]:
    """The lobby of a home whose daemon runs on a thread of this process, and rings."""
    bell = Bell()
    office = open_office(home, {}, bell=bell)
    loop = threading.Thread(target=office.daemon.run)
    loop.start()
    try:
        yield Lobby(home, environment={}, bell=bell)
    finally:
        office.daemon.stop()
        loop.join(30)
        office.close()


def together(*works: "threading.Thread") -> None:
    for work in works:
        work.start()
    for work in works:
        work.join(60)
        assert not work.is_alive()
