"""One pass in a door's own process, for a home that nobody serves."""

import errno
from collections.abc import Mapping

from gitmaild.edges.home import Home
from gitmaild.edges.lock import Lock, Locked
from gitmaild.model.drop import Hint


def serve_once(home: Home, environment: Mapping[str, str], hints: list[Hint], *, index: bool = False) -> bool:
    """Run one pass here, where nobody else serves this home. False: somebody else does, and it is worth waiting.

    With `index`, the search index is brought up as well.

    A process that may not write the home, as in a sandbox, runs nothing; the next daemon will. Raises `MailError` or OSError
    where the home cannot be served.
    """
    if Lock(home.lock).is_held():
        return False
    from gitmaild.wiring.office import NoHints, open_office  # noqa: PLC0415 - pygit2 costs 60 ms that most calls never need

    try:
        office = open_office(home, environment, watcher=NoHints())
    except Locked:
        return False
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return True
        raise
    try:
        office.daemon.turn(hints)
        while index and office.daemon.rest(at_once=True):
            pass
    finally:
        office.close()
    return True
