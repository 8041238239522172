"""A repository with the guard's real hooks in it, and a lease view that a test writes."""

import io
import os
import subprocess
import time
from pathlib import Path

from gitmaild import wiring
from gitmaild.adapters.guard.program import main, stamp
from gitmaild.edges.hooks import Installed
from gitmaild.model import leaseview
from gitmaild.model.leaseview import Row

NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z


def lease(pattern: str, holder: str = "RedCat", *, now: float, left: float = 2700.0, **over: object) -> Row:
    """45 minutes of an exclusive lease."""
    lease_id = f"lease_20260101_{abs(hash((pattern, holder))) % 16**8:08x}"
    fields = {"exclusive": True, "fence": 1, "lease_id": lease_id, "reason": "br-123"}
    return Row(expires=stamp(now + left), holder=holder, pattern=pattern, **(fields | over))  # type: ignore[arg-type]


class Guarded:
    """The repository *shop* of the project *shop*. `now` is the clock of what is asked in this process."""

    def __init__(self, top: Path, home: Path, *, now: float = NOW) -> None:
        self.top, self.home, self.now = top, home, now
        self.view = home / "state" / "leases" / "shop"
        self.agents = ["BlueLake", "GreenCastle", "RedCat"]
        top.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")
        self.git("config", "gitmaild.home", str(home))
        self.git("config", "gitmaild.project", "shop")

    def git(self, *arguments: str, **more: str) -> str:
        done = self.try_git(*arguments, **more)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def try_git(self, *arguments: str, here: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **more}
        return subprocess.run(
            ["git", *arguments], cwd=here or self.top, env=environment, capture_output=True, text=True, check=False
        )

    def held(self, *rows: Row, age: float = 0.0, at: Path | None = None) -> None:
        """What the view says from now on."""
        path = at or self.view
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(leaseview.render(list(rows), self.agents, "5e25f19a"))
        os.utime(path, (self.now - age, self.now - age))

    def lease(self, pattern: str, holder: str = "RedCat", **over: object) -> Row:
        return lease(pattern, holder, now=self.now, **over)  # type: ignore[arg-type]

    def write(self, *names: str, text: str = "new\n") -> None:
        for name in names:
            path = self.top / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def stage(self, *names: str, text: str = "new\n") -> None:
        self.write(*names, text=text)
        self.git("add", "--", *names)

    def commit(self, *names: str, text: str = "new\n") -> None:
        """A commit that no hook sees."""
        self.stage(*names, text=text)
        self.git("-c", "core.hooksPath=/dev/null", "commit", "-q", "-m", "work")

    def ask(self, event: str, *arguments: str, stdin: str = "", here: Path | None = None, **more: str) -> tuple[int, str]:
        """The guard in this process: (status, what it says)."""
        said = io.StringIO()
        status = main(
            [event, *arguments],
            environ={**os.environ, **more},
            cwd=str(here or self.top),
            stdin=io.BytesIO(stdin.encode()),
            stderr=said,
            now=self.now,
        )
        return status, said.getvalue()

    def install(self, **how: bool) -> Installed:
        return wiring.guard_hooks(self.top, os.environ).install(**how)

    def passes(self) -> list[list[str]]:
        path = self.top / ".git" / "gitmaild-passes"
        return [line.split(" ") for line in path.read_text().splitlines()] if path.exists() else []


def present(top: Path, home: Path) -> Guarded:
    """One whose clock is the real one, for hooks that are processes."""
    return Guarded(top, home, now=time.time())
