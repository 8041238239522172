"""Where somebody stands: which home, project and desk, and who is asking. What a door asks and drops goes through it."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitmaild import wiring
from gitmaild.adapters.client.rows import Row, rows
from gitmaild.app.reading import check_desk, desk_of
from gitmaild.app.submit import Receipt, submit
from gitmaild.model.drop import Hint
from gitmaild.model.errors import Refused, refuse
from gitmaild.model.names import OVERSEER, check_name, is_desk_name
from gitmaild.model.registry import Project, Registry

if TYPE_CHECKING:
    from gitmaild.app.ports import DeskRoot
    from gitmaild.app.queries import Reader
    from gitmaild.app.submit import Pause


class Whereabouts:
    """Lazily finds what is asked for, so that each request pays only for what it needs. For one thread; close it.

    `here` is the current directory of who asks; None for a door whose own directory and environment say nothing about who
    asks. `patience` is how many seconds a write waits for a running daemon before the answer is "queued".
    """

    def __init__(
        self,
        *,
        home: str | None = None,
        project: str | None = None,
        identity: str | None = None,
        patience: float = 10.0,
        here: Path | None,
        environment: Mapping[str, str],
    ) -> None:
        self._home, self._project, self.identity, self.patience = home, project, identity, patience
        self.here, self.environment = here, environment
        self._opened: dict[Path, DeskRoot] = {}

    # --- home and project

    @cached_property
    def git_settings(self) -> dict[str, str]:
        return wiring.git_settings(self.here, self.environment) if self.here else {}

    @cached_property
    def home(self) -> wiring.Home:
        given = self._home or self.environment.get("GITMAILD_HOME") or self.environment.get("STORAGE_ROOT")
        path = given or self.git_settings.get("home") or "~/.gitmaild"
        return wiring.Home(Path(path).expanduser().absolute())

    @cached_property
    def registry(self) -> Registry:
        return wiring.registry(self.home)

    @cached_property
    def _named(self) -> str:
        return self._project or (self.environment.get("GITMAILD_PROJECT") if self.here else "") or ""

    @cached_property
    def place(self) -> Path | None:
        """The directory that is stood in: the one that the project was named by, else the current one."""
        if not self._named or self._named in self.registry.projects:
            return self.here
        try:
            named = Path(self._named).expanduser()
            # A slug that nobody has is not a path below this worktree.
            is_place = (self.here is not None or named.is_absolute()) and named.is_dir()
        except (OSError, RuntimeError, ValueError):  # too long for a name; the home of a user that is not there; a NUL
            return None
        return named.resolve() if is_place else None

    @cached_property
    def project(self) -> Project:
        """The project that was named, or the one that is stood in. Raises `Refused`."""
        known, named = self.registry, self._named
        if named in known.projects:
            return known.projects[named]
        found = known.of_worktree(self.place) if self.place else None
        if found is None and not named:
            found = known.projects.get(self.git_settings.get("project", ""))
        alone = self.here is None or not wiring.is_in_repository(self.here)
        if found is None and not named and len(known.projects) == 1 and alone:
            found = next(iter(known.projects.values()))
        if found is None:
            raise self._no_project(named)
        return found

    def _no_project(self, named: str) -> Refused:
        known = ", ".join(self.registry.projects) or "none yet"
        at = self.place or named
        return refuse(
            "no-project",
            "which project?" if not at else f"no project at {at}" if not named or "/" in named else f"no project {named!r}",
            f"run gitmaild init there, or name one with --project (known: {known})",
        )

    # --- desks

    @cached_property
    def worktree_root(self) -> "DeskRoot":
        """The desk root of the worktree that is stood in; the project's root in the home where there is none."""
        worktree = self.registry.worktree_of(self.place) if self.place else ""
        if worktree and worktree in self.project.worktrees and (Path(worktree) / ".gitmaild").is_dir():
            return self._open(Path(worktree) / ".gitmaild", at_home=False)
        return self.home_root

    @cached_property
    def home_root(self) -> "DeskRoot":
        return self._open(self.home.post / self.project.slug, at_home=True)

    def _open(self, path: Path, *, at_home: bool) -> "DeskRoot":
        if path not in self._opened:
            self._opened[path] = wiring.open_root(path, self.project.slug, at_home=at_home)
        return self._opened[path]

    def close(self) -> None:
        """Let go of every desk root."""
        for root in self._opened.values():
            root.close()
        self._opened.clear()

    def __enter__(self) -> "Whereabouts":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

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

    @property
    def worktrees(self) -> list[Path]:
        """The project's, where this is one of them this one first."""
        here = [] if self.worktree_root.at_home else [self.worktree_root.path.parent]
        return list(dict.fromkeys([*here, *map(Path, self.project.worktrees)]))

    # --- who is asking

    @cached_property
    def chosen_name(self) -> str:
        """The identity that was said in words: an option, the environment, git's configuration. '' where none was."""
        if self.identity or self.here is None:
            return self.identity or ""
        said = self.environment.get("GITMAILD_AGENT") or self.environment.get("AGENT_NAME")
        return said or self.git_settings.get("agent", "")

    @cached_property
    def _known_name(self) -> str:
        if self.chosen_name or self.here is None or self.worktree_root.at_home:
            return self.chosen_name
        return desk_of(self.worktree_root)

    @property
    def agent(self) -> str:
        """Who is asking. Raises `Refused` where that is not known, or can be nobody's name."""
        if not self._known_name:
            raise refuse("no-identity", "who are you?", "say --as NAME, or set GITMAILD_AGENT (people: --as Overseer)")
        if not is_desk_name(self._known_name):
            raise refuse(
                "bad-name",
                f"{self._known_name[:60]!r} is not an agent's name",
                "use two or more capitalised words, e.g. GreenCastle",
            )
        return self._known_name

    @property
    def known_agent(self) -> str:
        """Who is asking, '' for somebody who is not known to be an agent."""
        return self._known_name if is_desk_name(self._known_name) else ""

    # --- asking

    @contextmanager
    def reader(self) -> Iterator["Reader"]:
        """The mailbox, for questions."""
        yield wiring.open_reader(self.home)

    def nap(self, seconds: float) -> None:
        """Sleep, for no longer than until there may be mail."""
        time.sleep(seconds)

    def ask(self, name: str, given: Mapping[str, Any]) -> Any:
        """The answer to a query. Raises `Refused`."""
        from gitmaild.adapters.client.queries import QUERIES  # noqa: PLC0415 - its functions are given this class
        from gitmaild.adapters.client.vocabulary import understood  # noqa: PLC0415

        query = QUERIES[name]
        return rows(query.ask(self, **understood(query, given)))

    # --- writing

    def order(
        self, name: str, given: Mapping[str, Any], *, agent: str = "", attach: Iterable[tuple[str, bytes]] = ()
    ) -> Row:
        """Drop a command and wait for its answer: its shape is the command's, or `{"status": "queued", "file": ...}`.

        `agent`: whose desk, where it is not that of who asks. `attach`: files to attach, (name, bytes) each. Raises
        `Refused`; OSError and `MailError` where nothing was left behind.
        """
        from gitmaild.adapters.client.commands import COMMANDS  # noqa: PLC0415
        from gitmaild.adapters.client.vocabulary import check_names, items, written  # noqa: PLC0415

        command, files, told = COMMANDS[name], list(attach), dict(given)
        check_names(command, told)
        for parameter in command.parameters:
            value = told.get(parameter.name)
            if parameter.type == "text" and isinstance(value, Mapping) and "id" in value:
                told[parameter.name] = value["id"]
            if parameter.type == "list" and (parameter.required or value is not None):
                told[parameter.name] = items(() if value is None else value)
        if command.prepare:
            told = command.prepare(self, told)
        if files:
            told["attachments"] = (*(told.get("attachments") or ()), *(file for file, _ in files))
        lines, body = written(command, told)
        agent = self._joining(agent) if command.kind == "register" else agent or self.agent
        receipt = self.submit(command.kind, lines, body, agent=agent, attachments=files)
        if receipt.refusal is not None:
            raise Refused(receipt.refusal)
        if receipt.is_queued:
            trouble = {"trouble": receipt.trouble} if receipt.trouble else {}
            return Row({"status": "queued", "file": f"{receipt.stem}.md"} | trouble)
        return Row(rows(command.answer(receipt, told, f"{self.root_of(agent).path}/agents/{agent}")))

    def _joining(self, agent: str) -> str:
        """The name to register: the one that was said, or a free one. Refused here, before a desk of that name is made."""
        name = agent or self.chosen_name
        if not name:
            with self.reader() as reader:
                name = reader.free_name(self.project.slug)
        check_name(name)
        return name

    def submit(
        self, kind: str, lines: str, body: str, *, agent: str, attachments: Iterable[tuple[str, bytes]] = ()
    ) -> Receipt:
        """Drop a command at `agent`'s desk, and wait for the answer."""
        root, stem = self.root_of(agent), f"{kind}-{os.urandom(4).hex()}"
        # A desk that nobody has seen yet is found by a scan alone.
        everywhere = [] if root.has_desk(agent) else [Hint("")]
        with self.expecting(root, agent, f"{stem}.md") as pause:
            return submit(
                root,
                agent,
                stem,
                lines,
                body,
                serve=lambda hints: self.serve([*everywhere, *hints]),
                pause=pause,
                patience=self.patience,
                attachments=attachments,
                is_joining=kind == "register",
            )

    def serve(self, hints: list[Hint]) -> bool:
        """Run one pass here, where nobody serves the home; False where somebody does."""
        return wiring.serve_once(self.home, self.environment, hints)

    @contextmanager
    def expecting(self, root: "DeskRoot", agent: str, name: str) -> Iterator["Pause"]:
        """How to wait for the answer to a file that is about to be dropped."""
        yield time.sleep
