"""How a home is, for `status`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gitmaild.edges.deskroot import DeskRoot
from gitmaild.edges.home import Home
from gitmaild.edges.lock import Lock
from gitmaild.model.errors import MailError, Refused
from gitmaild.model.registry import Registry
from gitmaild.wiring.places import registry, settings
from gitmaild.wiring.questions import search_index

# The loop goes round every few seconds; a pass over a full outbox may take some.
_STILL = 60.0
_BACKLOG = 1000


def look(home: Home, environment: Mapping[str, str]) -> dict[str, Any]:
    """The state of a home as it is, for `status`: asked of the lock, the repository and the registry themselves.

    Of a daemon that runs, its own report comes besides: what it watches, its alarms.
    """
    lock = Lock(home.lock)
    running = lock.is_held()
    report = home.load("status.json") if running else {}
    alarms = list(report.get("alarms", []))
    value: dict[str, Any] = {"home": str(home.path), "running": running, "holder": lock.holder() if running else ""}
    value |= {"tip": "", "commits": 0, "packs": 0, "watching": report.get("watching", "")}
    value |= {"search": {}, "contacts_enforced": True}
    try:
        known = registry(home)
        value["contacts_enforced"] = settings(home, environment).contact_enforcement
        if home.exists():
            from gitmaild.edges.repo import Repo  # noqa: PLC0415

            repo = Repo(home.mailbox)
            value |= {"tip": repo.tip(), "commits": repo.count(repo.tip()), "packs": repo.pack_count()}
            value["search"] = report.get("search") or _look_at_index(home, settings(home, environment).search_engine)
    except (MailError, Refused, OSError) as error:
        known = Registry()
        alarms.append({"alarm": getattr(error, "code", "error"), "text": str(error), "since": "now"})
    roots = [str(home.post / slug) for slug in known.projects]
    roots += [f"{place}/.gitmaild" for project in known.projects.values() for place in project.worktrees]
    away: dict[str, str] = dict(report.get("away", {}))
    waiting: dict[str, dict[str, int]] = {}
    for root in roots:
        try:
            waiting[root] = _waiting(Path(root))
        except (MailError, OSError) as error:
            away.setdefault(root, str(error))
    return value | {"roots": roots, "away": away, "waiting": waiting, "alarms": alarms}


def troubles(home: Home) -> list[str]:
    """What is wrong, in words, and quickly: no daemon, or the alarms of the one that runs."""
    if not Lock(home.lock).is_held():
        return ["The daemon is not running: mail waits in the outboxes until gitmaild serve is started."]
    return [str(alarm.get("text", alarm)) for alarm in home.load("status.json").get("alarms", [])]


def readiness(home: Home, still_for: float) -> dict[str, str]:
    """What a daemon that serves needs, each `ok`, or in a word what is wrong: asked of the things themselves. Cheap.

    `still_for`: the seconds since the daemon's loop last began a round.
    """
    from gitmaild.edges.repo import Repo  # noqa: PLC0415

    lock, report = Lock(home.lock), home.load("status.json")
    ours = lock.holder().startswith(f"pid {os.getpid()},") and lock.is_held()
    found = {
        "lock": "ok" if ours else "not held",
        "loop": "ok" if still_for < _STILL else f"stands still for {still_for:.0f} s",
    }
    try:
        repo = Repo(home.mailbox)
        repo.tree(repo.tip())
        known = registry(home)
        roots = [home.post / slug for slug in known.projects]
        roots += [Path(place) / ".gitmaild" for project in known.projects.values() for place in project.worktrees]
        waiting = sum(sum(_waiting(root).values()) for root in roots if root.is_dir())
        found |= {"repository": "ok", "backlog": "ok" if waiting <= _BACKLOG else f"{waiting} files wait"}
    except (MailError, Refused, OSError) as error:
        found |= {"repository": getattr(error, "code", "unreadable"), "backlog": "not known"}
    search = report.get("search") or {}
    return found | {"index": str(search.get("note") or "ok")}


def _look_at_index(home: Home, engine: str) -> dict[str, Any]:
    from gitmaild.app.indexer import described  # noqa: PLC0415

    if not (home.indexes / engine).exists():
        return described(engine, None, 0, "not made yet: gitmaild serve makes it, or gitmaild rebuild --index")
    index = search_index(home, engine)
    try:
        index.open(writing=False)
        return described(engine, index.size(), index.bytes_used(), "")
    except (MailError, OSError) as error:
        return described(engine, None, 0, str(error))
    finally:
        index.close()


def _waiting(path: Path) -> dict[str, int]:
    """Files in each outbox of a root that are not answered yet, claimed ones included."""
    root = DeskRoot(path, "", at_home=True)
    try:
        found = {agent: len(root.waiting(agent)) + len(root.claims(agent)) for agent in root.desks()}
    finally:
        root.close()
    return {agent: count for agent, count in found.items() if count}
