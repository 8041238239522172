"""`python -m benchmarks.guard`: what the guard adds to a commit, as Markdown. About a minute.

Each row is the installed hook file as git starts it, whole processes included, in a repository of 2,000 files. The rows take
turns, so that whatever else the machine does falls on all of them alike.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.__main__ import machine, p
from gitmaild import wiring
from gitmaild.adapters.guard.program import stamp
from gitmaild.model import leaseview
from gitmaild.model.leaseview import Row

ME, OTHER = "GreenCastle", "RedCat"
# One of ten: files, directories, wildcards within a directory, at any depth, and in the middle.
PATTERNS = ("src/m{}/a.py", "src/m{}", "src/m{}/*.py", "src/m{}/**", "lib/**/m{}/*.ts", "docs/m{}.md", "m{}.cfg")


def lease(number: int, pattern: str, holder: str) -> Row:
    expires = stamp(time.time() + 3600)  # noqa: TID251
    return Row(
        expires=expires, exclusive=True, holder=holder, fence=number, pattern=pattern, lease_id=f"lease_{number}", reason="b"
    )


class Place:
    """A repository with the hook installed, `staged` files in its index, and a view."""

    def __init__(self, staged: int, rows: list[Row]) -> None:
        self.top = Path(tempfile.mkdtemp(prefix="gitmaild-bench-", dir=os.environ.get("BENCH_DIR", "/tmp")))
        repo, home = self.top / "shop", self.top / "home"
        for number in range(2000):
            path = repo / "base" / f"d{number % 40}" / f"f{number}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{number}\n")
        git = ["git", "-C", str(repo)]
        subprocess.run([*git, "init", "-q"], check=True)
        for key, value in (("home", str(home)), ("project", "shop"), ("agent", ME)):
            subprocess.run([*git, "config", f"gitmaild.{key}", value], check=True)
        subprocess.run([*git, "add", "-A"], check=True)
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run([*git, *identity, "commit", "-q", "-m", "m"], check=True)
        for number in range(staged):
            path = repo / "app" / f"m{number % 100}" / f"f{number}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{number}\n")
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "write-tree"], check=True, stdout=subprocess.DEVNULL)
        view = home / "state" / "leases" / "shop"
        view.parent.mkdir(parents=True)
        view.write_bytes(leaseview.render(rows, [ME, OTHER], "-"))
        self.repo, self.hook = repo, Path(wiring.guard_hooks(repo, os.environ).install().paths[0])

    def run(self, hook: Path | None = None) -> tuple[float, float, int]:
        """Milliseconds of wall and CPU time, and the status."""
        environ = {**os.environ, "GIT_INDEX_FILE": ".git/index"}
        began = time.perf_counter()
        process = subprocess.Popen(
            [hook or self.hook], cwd=self.repo, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        return took * 1000, (usage.ru_utime + usage.ru_stime) * 1000, process.returncode


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guard", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    rounds = parser.parse_args().rounds
    many = [lease(n, PATTERNS[n % len(PATTERNS)].format(n), OTHER) for n in range(1000)]
    hit = [*many[1:], lease(1000, "app/m7/**", OTHER)]
    cases: dict[str, tuple[Place, int]] = {
        "no lease, 1 file": (Place(1, []), 0),
        "own lease, 1 file": (Place(1, [lease(1, "app/**", ME)]), 0),
        "1 foreign lease, 1 file": (Place(1, [lease(1, "src/**", OTHER)]), 0),
        "1 foreign lease, 1 file, blocked": (Place(1, [lease(1, "app/**", OTHER)]), 1),
        "1,000 foreign leases, 1 file": (Place(1, many), 0),
        "1,000 foreign leases, 1,000 files": (Place(1000, many), 0),
        "1,000 foreign leases, 1,000 files, blocked": (Place(1000, hit), 1),
    }
    empty = next(iter(cases.values()))[0].top / "empty"
    empty.write_text("#!/bin/sh\nexit 0\n")
    empty.chmod(0o755)
    runs: dict[str, Callable[[], tuple[float, float, int]]] = {"empty hook": lambda: cases["no lease, 1 file"][0].run(empty)}
    runs |= {name: place.run for name, (place, _) in cases.items()}
    figures: dict[str, list[tuple[float, float, int]]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            figures[name].append(run())
    machine()
    print(
        f"\n## The guard, {rounds} runs each, in turns\n\n| pre-commit | wall p50 | over an empty hook | wall p95 | CPU p50 |"
    )
    print("|---|---|---|---|---|")
    base = statistics.median(wall for wall, _, _ in figures["empty hook"])
    for name, times in figures.items():
        assert {status for _, _, status in times} == {cases[name][1] if name in cases else 0}, name
        walls, cpu = [wall for wall, _, _ in times], statistics.median(cpu for _, cpu, _ in times)
        middle = statistics.median(walls)
        print(f"| {name} | {middle:.1f} ms | +{middle - base:.1f} ms | {p(walls, 95):.1f} ms | {cpu:.1f} ms |")
    for place, _ in cases.values():
        shutil.rmtree(place.top, ignore_errors=True)


if __name__ == "__main__":
    main()
