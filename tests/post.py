"""A post office in a temporary directory, driven by hand: real git, real files, no watcher, no sleep."""

import os
import subprocess
from pathlib import Path

from gitmaild import wiring
from gitmaild.edges.home import Home
from gitmaild.model.drop import Hint, How
from gitmaild.model.layout import parse_file_name
from gitmaild.model.settings import Settings
from gitmaild.rules import roots as roots_file
from tests.fakes import FakeClock, SeededEntropy, StillWatcher


class Post:
    """`post.drop(...)`, `post.turn()`, `post.inbox(...)`: what agents do and see. The project is *shop*."""

    def __init__(self, top: Path, limits: Settings | None = None) -> None:
        self.top = top
        self.limits = limits or Settings()
        self.clock, self.entropy = FakeClock(), SeededEntropy()
        self.home = Home(top / "home")
        self.home.make()
        self.office: wiring.Office | None = None
        self.worktree = self.add_worktree("shop")

    # --- set-up

    def add_worktree(self, name: str, project: str = "shop") -> Path:
        worktree = self.top / name
        (worktree / ".gitmaild").mkdir(parents=True)
        repository = str(self.top / project)
        self.home.change_registry(
            lambda data: roots_file.render(roots_file.parse(data).enrol(project, repository, str(worktree)))
        )
        return worktree

    def desk(self, agent: str, worktree: Path | None = None) -> Path:
        return (worktree or self.worktree) / ".gitmaild" / "agents" / agent

    def agents(self, *names: str) -> None:
        """Register these agents in the first worktree."""
        for name in names:
            self.drop(name, name="join.md", kind="register", program="Claude Code", model="Opus 4.5")
        self.turn()

    # --- the daemon

    def start(self) -> wiring.Office:
        if self.office is None:
            self.office = wiring.open_office(
                self.home,
                {},
                wall=self.clock.wall,
                monotonic=self.clock.monotonic,
                entropy=self.entropy,
                limits=self.limits,
                watcher=StillWatcher(),
            )
        return self.office

    def turn(self, seconds: float = 1.0) -> int:
        """Let time pass, hint at everything, and let the daemon go round once; how many commands it answered."""
        office = self.start()
        self.clock.advance(seconds)
        found = [p for w in self._worktrees() for p in w.glob("agents/*/outbox/*") if not p.name.startswith(".")]
        hints = [Hint(str(path.parent), path.name, How.RENAMED) for path in found]
        return office.daemon.turn([Hint(""), *hints])

    def scan(self, seconds: float = 1.0) -> int:
        """Go round without any hint of a rename: files must have been still for long enough."""
        office = self.start()
        self.clock.advance(seconds)
        return office.daemon.turn([Hint("")])

    def stop(self) -> None:
        """A clean end."""
        if self.office:
            self.office.close()
            self.office = None

    def crash(self) -> None:
        """An end without farewell: nothing is flushed, only what the kernel frees is freed."""
        if self.office:
            self.office.lock.release()
            for root in self.office.daemon.intake.roots.values():
                root.close()
            self.office = None

    def _worktrees(self) -> list[Path]:
        registry = wiring.registry(self.home)
        roots = [Path(w) / ".gitmaild" for p in registry.projects.values() for w in p.worktrees]
        return [*roots, *(self.home.post / slug for slug in registry.projects)]

    # --- what agents do

    def drop(
        self, agent: str, body: str = "hello\n", *, name: str = "", worktree: Path | None = None, **fields: str
    ) -> Path:
        """Write a file beside the outbox and rename it in, as a careful agent does."""
        lines = "".join(f"{key}: {value}\n" for key, value in fields.items())
        return self.drop_text(agent, f"---\n{lines}---\n{body}", name=name, worktree=worktree)

    def drop_text(self, agent: str, text: str | bytes, *, name: str = "", worktree: Path | None = None) -> Path:
        outbox = self.desk(agent, worktree) / "outbox"
        outbox.mkdir(parents=True, exist_ok=True)
        name = name or f"m{len(os.listdir(outbox)) + self.entropy.count}.md"
        draft = outbox / f".{name}"
        draft.write_bytes(text.encode() if isinstance(text, str) else text)
        draft.rename(outbox / name)
        return outbox / name

    def file(self, agent: str, name: str, folder: str, source: str = "inbox") -> None:
        """Move a message to `read/` or `acked/`."""
        (self.desk(agent) / source / name).rename(self.desk(agent) / folder / name)

    # --- what agents see

    def names(self, agent: str, folder: str = "inbox", worktree: Path | None = None) -> list[str]:
        """The message files in a folder, oldest first."""
        directory = self.desk(agent, worktree) / folder
        return sorted(n for n in os.listdir(directory) if parse_file_name(n)) if directory.is_dir() else []

    def inbox(self, agent: str, folder: str = "inbox") -> list[str]:
        """`Sender: subject` of what lies in a folder, oldest first."""
        found = []
        for name in self.names(agent, folder):
            text = (self.desk(agent) / folder / name).read_text()
            subject = next(line for line in text.splitlines() if line.startswith("subject: "))
            found.append(name.split("_")[2] + ": " + subject.removeprefix("subject: ").strip('"'))
        return found

    def sent(self, agent: str) -> dict[str, str]:
        """The answers in `sent/`: stem of the dropped file to text."""
        files = sorted((self.desk(agent) / "sent").glob("[!.]*"))
        return {path.name.rsplit(".", 2)[0]: path.read_text() for path in files}

    def rejected(self, agent: str) -> dict[str, str]:
        """Refused files: name to the code of the refusal."""
        found = {}
        for path in sorted((self.desk(agent) / "rejected").glob("*.why.md")):
            lines = path.read_text().splitlines()
            found[path.name.removesuffix(".why.md")] = next(x[6:] for x in lines if x.startswith("code: "))
        return found

    def waiting(self, agent: str) -> list[str]:
        outbox = self.desk(agent) / "outbox"
        return sorted(p.name for p in outbox.iterdir() if not p.name.startswith(".") and p.name != "files")

    # --- the mailbox

    def git(self, *arguments: str) -> str:
        command = ["git", f"--git-dir={self.home.mailbox}", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def log(self) -> list[str]:
        """The subjects of all commits, oldest first."""
        return self.git("log", "--reverse", "--format=%s", "main").splitlines()

    def snapshot(self) -> dict[str, bytes]:
        """Every mirrored file of every worktree, for comparing a mirror that was kept up with one made from nothing."""
        found = {}
        for root in self._worktrees():
            for path in sorted(root.rglob("*")):
                relative = path.relative_to(root).as_posix()
                ours = not any(part in ("outbox", "rejected") for part in path.parts[len(root.parts) :])
                if path.is_file() and ours and relative != ".checkpoint":
                    found[f"{root.name if root.name != '.gitmaild' else root.parent.name}/{relative}"] = path.read_bytes()
        return found
