"""The desk roots of a home: which are here, which are away, and what is to be done when one comes or goes."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gitmaild.app.alarms import Alarms
from gitmaild.app.intake import Intake
from gitmaild.app.mirrors import Mirrors
from gitmaild.app.outboxes import Outboxes
from gitmaild.app.ports import DeskRoot, Repo
from gitmaild.model.changeset import parse_commit_message
from gitmaild.model.errors import MailError
from gitmaild.model.ids import digits
from gitmaild.model.registry import Registry

log = logging.getLogger("gitmaild.roots")


class Roots:
    """Attaches what the registry names and the disk has; lets go of what refuses, and tries it again at every scan."""

    def __init__(
        self,
        repo: Repo,
        intake: Intake,
        mirrors: Mirrors,
        outboxes: Outboxes,
        alarms: Alarms,
        *,
        open_root: Callable[[Path, str, bool], DeskRoot],
        post: Path,
    ) -> None:
        self._repo, self._intake, self._mirrors, self._outboxes, self._alarms = repo, intake, mirrors, outboxes, alarms
        self._open_root, self._post = open_root, post
        mirrors.lose = self.lose
        self.away: dict[str, str] = {}  # root path to why it is not attached

    def refresh(self, registry: Registry) -> bool:
        """Bring the attached roots in line with the registry and the disk; True where that changed anything."""
        changed = False
        wanted: dict[str, tuple[Path, str, bool]] = {}
        for project in registry.projects.values():
            wanted[str(self._post / project.slug)] = (self._post / project.slug, project.slug, True)
            for worktree in project.worktrees:
                path = Path(worktree) / ".gitmaild"
                wanted[str(path)] = (path, project.slug, False)
            self._intake.found(project.slug)
        for key, root in list(self._intake.roots.items()):
            if key not in wanted or not root.is_current():
                self._drop(key)
                changed = True
        for key, (path, project_slug, at_home) in wanted.items():
            if key not in self._intake.roots and self._attach(key, path, project_slug, at_home):
                changed = True
        for key in self.away.keys() - wanted.keys():
            del self.away[key]
            self._alarms.clear(f"root {key}")
        return changed

    def look_at_desks(self) -> bool:
        """Notice desks that were made since the last scan; True where there are any."""
        changed = False
        for key, root in list(self._intake.roots.items()):
            try:
                mirror = self._mirrors.attached[key]
                desks = set(root.desks())
                self._alarms.set(f"forged desk {key}", _forged(root), self._intake.now)
                mirror.forget_empty()
                if desks != mirror.desks:
                    changed = True
                    self._mirrors.welcome(mirror, desks, self._intake.seen)
            except (MailError, OSError) as error:
                self.lose(key, error)
        return changed

    def lose(self, key: str, error: Exception) -> None:
        """Let go of a root that refused. Its claims stay on its disk, and its checkpoint says where to go on."""
        if self._drop(key):
            log.warning("root-lost path=%s error=%s", key, error)
        self.away[key] = str(error)
        self._alarms.raise_(f"root {key}", f"{error}; mail for its desks waits", self._intake.now)

    def close(self) -> None:
        for key in list(self._intake.roots):
            self._drop(key)

    def _attach(self, key: str, path: Path, project: str, at_home: bool) -> bool:
        try:
            root = self._open_root(path, project, at_home)
        except (MailError, OSError) as error:
            if str(error) != self.away.get(key):
                log.warning("root-away path=%s error=%s", key, error)
            self.away[key] = str(error)
            # A worktree that was removed is not an alarm: its mail is in the mailbox, and comes back with it.
            if getattr(error, "code", "") != "root-gone":
                self._alarms.raise_(f"root {key}", str(error), self._intake.now)
            return False
        self._intake.roots[key] = root
        try:
            self._mirrors.attach(root, self._intake.seen)
            self._recover_claims(root)
        except (MailError, OSError) as error:
            self.lose(key, error)
            return False
        self.away.pop(key, None)
        self._alarms.clear(f"root {key}")
        return True

    def _recover_claims(self, root: DeskRoot) -> None:
        """Claims that a dead daemon left: those that the mailbox knows are finished, the others planned again."""
        claims = [claim for agent in root.desks() for claim in root.claims(agent)]
        if not claims:
            return
        self._intake.claiming.recover(claims, self._accepted({claim.id for claim in claims}))

    def _accepted(self, ids: set[str]) -> dict[str, str]:
        """Which of these commands the mailbox has, and as what kind.

        Looked for back to the day before the oldest claim. No checkpoint may end the search: a daemon that is killed between
        bringing a mirror to the tip and letting its claims go leaves a checkpoint that is newer than their commits.
        """
        floor = _day_before(min(digits(an_id)[:8] for an_id in ids))
        found: dict[str, str] = {}
        for _, text, seconds in self._repo.newest_first(self._intake.seen):
            trailers, _ = parse_commit_message(text)
            # A foreign commit may bear any date; it ends no search.
            if (seconds < floor and "Accepted" in trailers) or len(found) == len(ids):
                break
            kind, _, command_id = trailers.get("Command", "").partition(" ")
            if command_id in ids:
                found[command_id] = kind
        return found

    def _drop(self, key: str) -> bool:
        root = self._intake.roots.pop(key, None)
        self._mirrors.detach(key)
        self._intake.claiming.forget(key)
        if root is not None:
            root.close()
        return root is not None


def _day_before(day: str) -> float:
    """The second in which the day before `20261122` began; 0 for what is no day: anybody can put a file into `.claimed/`."""
    try:
        return (datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC) - timedelta(days=1)).timestamp()
    except (ValueError, OverflowError):
        return 0.0


def _forged(root: DeskRoot) -> str:
    names = root.forged()
    return f"{root.path}/agents/{names[0]} is ignored: that name has no desk in a worktree" if names else ""
