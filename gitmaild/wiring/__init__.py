"""The one place where the loop meets the outside: builds a daemon, or a door's view of a home.

What only a daemon or a rare command needs is imported where it is needed: `inbox` must start in a tenth of a second.
The daemon itself is in `wiring.office`, which is imported by who runs one.
"""

from gitmaild.edges.home import Home
from gitmaild.wiring.guarding import forget_prefix, guard_hooks, guard_project
from gitmaild.wiring.health import look, readiness, troubles
from gitmaild.wiring.once import serve_once
from gitmaild.wiring.places import (
    REBUILD,
    REBUILD_INDEX,
    NoHome,
    enrol,
    git_settings,
    is_in_repository,
    is_requested,
    open_root,
    registry,
    request,
    supervisor,
    wall_clock,
)
from gitmaild.wiring.questions import open_code, open_people, open_reader, open_records, search, search_index, summarizer

__all__ = [
    "REBUILD",
    "REBUILD_INDEX",
    "Home",
    "NoHome",
    "enrol",
    "forget_prefix",
    "git_settings",
    "guard_hooks",
    "guard_project",
    "is_in_repository",
    "is_requested",
    "look",
    "open_code",
    "open_people",
    "open_reader",
    "open_records",
    "open_root",
    "readiness",
    "registry",
    "request",
    "search",
    "search_index",
    "serve_once",
    "summarizer",
    "supervisor",
    "troubles",
    "wall_clock",
]
