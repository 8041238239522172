"""Commits that went past the guard, looked for at every scan and recorded in the mailbox."""

from collections.abc import Callable
from pathlib import Path

from gitmaild.app.ports import Commits, DeskRoot
from gitmaild.model.commands import Bypass, Envelope
from gitmaild.model.names import is_agent_name
from gitmaild.model.registry import Registry


class Bypasses:
    """Reads the reflogs of the registered worktrees on from its own checkpoint.

    Only where the guard is installed: elsewhere a holder's own commit leaves no trace, and would look like somebody else's.
    """

    def __init__(self, commits: Commits, store: Callable[[dict[str, int]], None]) -> None:
        self._commits, self._store = commits, store
        self._stored = dict(commits.marks)

    def look(self, registry: Registry, roots: dict[str, DeskRoot], envelope: Callable[[str], Envelope]) -> list[Bypass]:
        """What may have to be recorded; `remember` says that it has been, or need not be."""
        found: list[Bypass] = []
        for project in registry.projects.values():
            for worktree in project.worktrees:
                for made in self._commits.fresh(Path(worktree)):
                    if made.guarded and not made.passed:
                        agent = _only_agent(roots.get(str(Path(worktree) / ".gitmaild")))
                        found.append(Bypass(envelope(project.slug), made.oid, made.at, made.paths, agent, worktree))
        return found

    def remember(self) -> None:
        if self._commits.marks != self._stored:
            self._store(self._commits.marks)
            self._stored = dict(self._commits.marks)

    def forget(self) -> None:
        """Look at the same commits again: what was found could not be recorded."""
        self._commits.marks.clear()
        self._commits.marks.update(self._stored)


def _only_agent(root: DeskRoot | None) -> str:
    """The agent of a worktree with one desk: nobody else is likely to commit there. '' where there are several, or none."""
    desks = [name for name in root.desks() if is_agent_name(name)] if root else []
    return desks[0] if len(desks) == 1 else ""
