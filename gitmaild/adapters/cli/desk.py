"""Where a command stands: which home, which project, which desk, and who is asking."""

import os
import time
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitmaild import wiring
from gitmaild.adapters.cli.output import fail, say, say_json
from gitmaild.app.reading import check_desk, desk_of
from gitmaild.app.submit import Receipt, submit
from gitmaild.model.errors import Refused, refuse
from gitmaild.model.names import OVERSEER, is_desk_name
from gitmaild.model.registry import Project
from gitmaild.rules import frontmatter

if TYPE_CHECKING:
    from gitmaild.app.ports import DeskRoot


class Desk:
    """Lazily finds what a command asks for, so that each pays only for what it needs.

    `patience` is how many seconds a command waits for a running daemon before it says "queued".
    """

    def __init__(
        self, *, home: str | None, project: str | None, identity: str | None, as_json: bool, patience: float
    ) -> None:
        self._home, self._project, self.identity, self.as_json = home, project, identity, as_json
        self.patience = patience
        self._opened: list[DeskRoot] = []
        self.environment: Mapping[str, str] = os.environ
        self.here = Path.cwd()

    @cached_property
    def git_settings(self) -> dict[str, str]:
        return wiring.git_settings(self.here, self.environment)

    @cached_property
    def home(self) -> wiring.Home:
        given = self._home or self.environment.get("GITMAILD_HOME") or self.environment.get("STORAGE_ROOT")
        path = given or self.git_settings.get("home") or "~/.gitmaild"
        return wiring.Home(Path(path).expanduser().absolute())

    @cached_property
    def project(self) -> Project:
        """The project that was named, or the one around the current directory. Raises `Refused`."""
        registry = wiring.registry(self.home)
        named = self._project or self.environment.get("GITMAILD_PROJECT") or ""
        if named in registry.projects:
            return registry.projects[named]
        place = Path(named).expanduser().resolve() if named else self.here
        # A slug that nobody has is not a path below this worktree.
        found = None if named and not place.is_dir() else registry.of_worktree(place)
        if found is None and not named:
            found = registry.projects.get(self.git_settings.get("project", ""))
        if found is None and not named and len(registry.projects) == 1 and not wiring.is_in_repository(self.here):
            found = next(iter(registry.projects.values()))
        if found is None:
            known = ", ".join(registry.projects) or "none yet"
            raise refuse(
                "no-project",
                f"no project at {place}" if not named or "/" in named else f"no project {named!r}",
                f"run gitmaild init there, or name one with --project (known: {known})",
            )
        return found

    @cached_property
    def worktree_root(self) -> "DeskRoot":
        """The desk root around the current directory; the project's root in the home where there is none."""
        worktree = wiring.registry(self.home).worktree_of(self.here)
        if worktree and worktree in self.project.worktrees and (Path(worktree) / ".gitmaild").is_dir():
            return self._open(Path(worktree) / ".gitmaild", at_home=False)
        return self.home_root

    @cached_property
    def home_root(self) -> "DeskRoot":
        return self._open(self.home.post / self.project.slug, at_home=True)

    def _open(self, path: Path, *, at_home: bool) -> "DeskRoot":
        root = wiring.open_root(path, self.project.slug, at_home=at_home)
        self._opened.append(root)
        return root

    def close(self) -> None:
        """Let go of every desk root."""
        for root in self._opened:
            root.close()

    def root_of(self, agent: str) -> "DeskRoot":
        """Where `agent`'s desk is: here, else in another worktree of the project, else in the home."""
        if agent == OVERSEER:
            return self.home_root
        if self.worktree_root.has_desk(agent):
            return self.worktree_root
        for worktree in self.project.worktrees:
            path = Path(worktree) / ".gitmaild"
            if (path / "agents" / agent).is_dir():
                return self._open(path, at_home=False)
        return self.worktree_root

    @cached_property
    def own_root(self) -> "DeskRoot":
        """Where the desk of who is asking is. Raises `Refused` where there is none."""
        root = self.root_of(self.agent)
        check_desk(root, self.agent)
        return root

    @cached_property
    def chosen_name(self) -> str:
        """The identity that was said in words: an option, the environment, git's configuration. '' where none was."""
        environment = self.environment
        said = self.identity or environment.get("GITMAILD_AGENT") or environment.get("AGENT_NAME")
        return said or self.git_settings.get("agent", "")

    @cached_property
    def agent(self) -> str:
        """Who is asking. A command that needs to know and cannot is a usage error."""
        named = self.chosen_name or (desk_of(self.worktree_root) if not self.worktree_root.at_home else "")
        if not named:
            raise click.UsageError("who are you? say --as NAME, or set GITMAILD_AGENT (people: --as Overseer)")
        if not is_desk_name(named):
            raise click.UsageError(
                f"--as {named!r}: not an agent's name; use two or more capitalised words, e.g. GreenCastle"
            )
        return named

    @property
    def known_agent(self) -> str:
        """Who is asking, '' for somebody who is not known to be an agent."""
        try:
            return self.agent
        except click.UsageError:
            return ""

    def submit(
        self,
        kind: str,
        lines: str,
        body: str = "",
        *,
        agent: str = "",
        attachments: Iterable[tuple[str, bytes]] = (),
    ) -> Receipt:
        """Drop a command and wait for its answer. Raises `Refused`; a queue ends the process with its status."""
        agent = agent or self.agent
        kind_line = "" if kind == "message" else frontmatter.write([("kind", kind)])
        receipt = submit(
            self.root_of(agent),
            agent,
            f"{kind}-{os.urandom(4).hex()}",
            kind_line + lines,
            body,
            serve=lambda hints: wiring.serve_once(self.home, self.environment, hints),
            pause=time.sleep,
            patience=self.patience,
            attachments=attachments,
            is_joining=kind == "register",
        )
        if receipt.refusal is not None:
            raise Refused(receipt.refusal)
        if receipt.is_queued:
            self.answer({"status": "queued", "file": f"{receipt.stem}.md"}, "")
            because = f" ({receipt.trouble})" if receipt.trouble else ""
            fail(3, f"queued: the file stands in the outbox and will be answered; do not repeat it{because}")
            raise click.exceptions.Exit(3)
        return receipt

    def answer(self, value: Any, text: str) -> None:
        """One answer, for a program or for a person."""
        if self.as_json:
            say_json(value)
        elif text:
            say(text)
