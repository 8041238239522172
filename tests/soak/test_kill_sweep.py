"""kill -9 at every system call that changes a file; refusals of the disk at every one that writes.

`strace` injects both, so nothing in gitmaild knows of it. A plain run under `strace` first lists the calls of one
`serve --once` that meets every kind of drop; then each is hit in turn, and the next run must put everything right.
"""

import os
import random
import re
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.soak.yard import Drop, Yard, say

pytestmark = pytest.mark.soak

SEED = 20260101
STRACE = shutil.which("strace")
CHANGING = (
    "mkdir mkdirat rename renameat renameat2 link linkat unlink unlinkat rmdir symlink symlinkat write pwrite64 writev "
    "fsync fdatasync ftruncate truncate utimensat chmod fchmod fchmodat openat open creat"
).split()
SHOP = {"shop": ["GreenCastle", "RedCat", "BlueLake", "BrownFox"]}


def why_not() -> str:
    """Why nothing can be injected here, or ''."""
    if STRACE is None:
        return "strace is not installed"
    done = subprocess.run([STRACE, "-f", "-qq", "-o", os.devnull, "true"], capture_output=True, text=True, check=False)
    return f"strace may not trace here: {done.stderr.strip()}" if done.returncode else ""


@dataclass(frozen=True, slots=True)
class Point:
    """The `nth` call of that name in any one thread."""

    call: str
    nth: int


@dataclass(slots=True)
class Stage:
    """A post office about to run once, and what lies in its outboxes."""

    yard: Yard
    drops: list[Drop]
    moved: dict[str, str]  # "agent/file name" of messages that were moved, and where to


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """Every kind of drop at once, before any of it was taken."""
    if reason := why_not():
        pytest.skip(reason)
    yard = Yard(tmp_path_factory.mktemp("sweep") / "template")
    yard.prepare(SHOP)
    for number, agent in enumerate(("RedCat", "BlueLake", "BrownFox")):
        text = f"---\nto: {agent}\nsubject: [br-{number}] Start\nack_required: yes\n---\nplease look\n"
        yard.drop(Drop("shop", "GreenCastle", f"before{number}.md"), text)
    yard.serve_once()
    ids = {agent: _newest_id(yard, agent) for agent in ("RedCat", "BlueLake", "BrownFox")}
    everyone = "to: RedCat, BlueLake\ncc: BrownFox, RedCatt\nsubject: [br-9] Plan: all\nimportance: high\n"
    files = yard.desk("shop", "GreenCastle") / "outbox" / "files"
    files.mkdir()
    (files / "report.txt").write_text("numbers\n" * 500)
    texts = {
        Drop("shop", "GoldRiver", "hello.md"): "---\nkind: register\nprogram: Codex\nmodel: GPT-5\n---\n",
        Drop("shop", "GreenCastle", "plan.md"): f"---\n{everyone}---\nfour of you\n",
        Drop(
            "shop", "GreenCastle", "parcel.md"
        ): "---\nto: BlueLake\nsubject: numbers\nattachments: report.txt\n---\nsee file\n",
        Drop("shop", "GreenCastle", "once.md"): "---\nto: RedCat\nsubject: once\nrequest_id: r-1\n---\nonly once\n",
        Drop("shop", "RedCat", "answer.md"): f"---\nin_reply_to: {ids['RedCat']}\n---\nI take it\n",
        Drop("shop", "BlueLake", "seen.md"): f"---\nkind: ack\nids: {ids['BlueLake']}\n---\n",
        Drop("shop", "BlueLake", "bad.md"): "---\nto: ../../etc\nsubject: out\n---\nno\n",
        Drop("shop", "BrownFox", "torn.md"): "---\nto: RedCat\nthis is no header line\n---\nno\n",
    }
    for drop, text in texts.items():
        yard.drop(drop, text)
    name = next(iter(os.listdir(yard.desk("shop", "BrownFox") / "inbox")))
    (yard.desk("shop", "BrownFox") / "inbox" / name).rename(yard.desk("shop", "BrownFox") / "read" / name)
    yard.settle_drops()
    before = [Drop("shop", "GreenCastle", f"before{number}.md") for number in range(3)]
    return Stage(yard, [*before, *texts], {f"BrownFox/{name}": "read"})


def _newest_id(yard: Yard, agent: str) -> str:
    inbox = yard.desk("shop", agent) / "inbox"
    text = (inbox / max(os.listdir(inbox))).read_text()
    return next(line for line in text.splitlines() if line.startswith("id: ")).removeprefix("id: ")


class Sweep:
    """Runs over copies of a stage, two at a time, each in a directory that goes away."""

    def __init__(self, stage: Stage, top: Path) -> None:
        self.stage, self.top = stage, top
        self._number, self._lock = 0, threading.Lock()

    def copy(self) -> Yard:
        with self._lock:
            self._number += 1
            number = self._number
        return self.stage.yard.copy_to(self.top / f"run{number}")

    def points(self, calls: list[str]) -> list[Point]:
        """Every changing call of one undisturbed run, and one beyond the last of each name."""
        yard = self.copy()
        log = self.top / "calls"
        done = run(yard, "-o", str(log), "-e", f"trace={','.join('?' + call for call in calls)}")
        assert done == 0
        assert self.check(yard) == []
        found: Counter[tuple[str, str]] = Counter()
        points: set[Point] = set()
        for line in log.read_text(errors="replace").splitlines():
            if (m := re.match(r"(\d+) +(\w+)\((.*)", line)) is None:
                continue
            thread, call, arguments = m.groups()
            found[thread, call] += 1
            if not call.startswith("open") or "O_CREAT" in arguments:
                points.add(Point(call, found[thread, call]))
        last = {call: max(p.nth for p in points if p.call == call) for call in {p.call for p in points}}
        points |= {Point(call, nth + 1) for call, nth in last.items() if not call.startswith("open")}
        yard.remove()
        return sorted(points, key=lambda p: (p.call, p.nth))

    def check(self, yard: Yard) -> list[str]:
        """Run once more, undisturbed, and see."""
        yard.serve_once()
        found = yard.problems(must=self.stage.drops)
        tree = yard.tree()
        for moved, folder in self.stage.moved.items():
            agent, _, name = moved.partition("/")
            if name not in tree.folders.get(f"shop/{agent}/{folder}", ()):
                found.append(f"{moved} was moved to {folder}/, and the mailbox does not know")
        return found

    def all(self, points: list[Point], hit: Callable[[Point], list[str]], what: str) -> None:
        """Hit every point; the first failures in words."""
        began = time.monotonic()
        with ThreadPoolExecutor(2) as pool:
            results = list(zip(points, pool.map(hit, points), strict=True))
        failures = [f"{point}: {problem}" for point, problems in results for problem in problems]
        per_call = Counter(point.call for point in points)
        counts = " ".join(f"{call} {count}" for call, count in per_call.items())
        say(f"{what}: {len(points)} points in {time.monotonic() - began:.0f} s, {len(failures)} failures ({counts})")
        assert failures == [], "\n".join(failures[:20])


def run(yard: Yard, *options: str) -> int:
    """`serve --once` under strace; its exit status, negative for a signal."""
    assert STRACE
    command = [STRACE, "-f", "-qq", *options, *yard.command("serve", "--once")]
    done = subprocess.run(command, env=yard.environment(), cwd="/", capture_output=True, timeout=60, check=False)
    return done.returncode if done.returncode < 128 else 128 - done.returncode


def inject(yard: Yard, point: Point, what: str) -> int:
    options = ["-o", os.devnull, "-e", f"trace={point.call}", "-e", f"inject={point.call}:{what}:when={point.nth}"]
    return run(yard, *options)


def test_a_kill_at_any_changing_call_loses_and_doubles_nothing(stage: Stage, tmp_path: Path) -> None:
    sweep = Sweep(stage, tmp_path)
    points = sweep.points(CHANGING)
    killed = Counter[bool]()

    def hit(point: Point) -> list[str]:
        yard = sweep.copy()
        status = inject(yard, point, "signal=SIGKILL")
        killed[status == -9] += 1
        found = [] if status in (0, -9) else [f"exit status {status}"]
        found += sweep.check(yard)
        yard.remove()
        return found

    sweep.all(points, hit, "kill sweep")
    say(f"kill sweep: {killed[True]} runs were killed, {killed[False]} ended before")
    assert killed[True] > len(points) // 2


def test_a_kill_of_the_recovery_as_well_loses_and_doubles_nothing(stage: Stage, tmp_path: Path) -> None:
    sweep = Sweep(stage, tmp_path)
    points = sweep.points(["rename", "renameat", "unlinkat", "fsync", "unlink"])
    dice = random.Random(SEED)
    sample = sorted(dice.sample(points, min(40, len(points))), key=lambda p: (p.call, p.nth))
    second = {
        point: Point(dice.choice(["rename", "renameat", "unlinkat", "fsync"]), dice.randint(1, 12)) for point in sample
    }

    def hit(point: Point) -> list[str]:
        yard = sweep.copy()
        inject(yard, point, "signal=SIGKILL")
        inject(yard, second[point], "signal=SIGKILL")
        found = [f"then {second[point]}: {problem}" for problem in sweep.check(yard)]
        yard.remove()
        return found

    sweep.all(sample, hit, f"double kills (seed {SEED})")


@pytest.mark.parametrize(
    ("error", "calls"),
    [
        ("ENOSPC", "write fsync rename renameat openat mkdir mkdirat unlinkat utimensat"),
        ("EIO", "write fsync rename renameat"),
    ],
)
def test_a_refusal_of_the_disk_at_any_call_loses_and_doubles_nothing(
    stage: Stage, tmp_path: Path, error: str, calls: str
) -> None:
    sweep = Sweep(stage, tmp_path)
    points = sweep.points(calls.split())
    statuses = Counter[int]()

    def hit(point: Point) -> list[str]:
        yard = sweep.copy()
        status = inject(yard, point, f"error={error}")
        statuses[status] += 1
        found = [f"killed by signal {-status}"] if status < 0 else []
        found += sweep.check(yard)
        yard.remove()
        return found

    sweep.all(points, hit, f"{error} sweep")
    say(f"{error} sweep: exit statuses {dict(statuses)}")
