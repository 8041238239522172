"""A mailbox with many messages already in it, and a daemon process to measure."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gitmaild.edges.home import Home
from gitmaild.edges.maintenance import Maintenance
from gitmaild.edges.repo import Repo
from gitmaild.model.commands import Envelope, Found, Register
from gitmaild.model.ids import mint
from gitmaild.model.settings import Settings
from gitmaild.rules import roots as roots_file
from gitmaild.rules.mailbox import Mailbox
from gitmaild.rules.parse import parse
from gitmaild.rules.plan import plan
from gitmaild.wiring.office import NoHints, open_office

SENDER, RECIPIENTS = "GreenCastle", ("RedCat", "BlueLake", "SwiftFalcon")
PER_DAY = 1000
BODY = "The token check runs before the cache is warm, so the first request after a deploy fails. " * 10


def message(number: int, to: tuple[str, ...] = RECIPIENTS) -> bytes:
    """A message of about 1 KB."""
    head = f"---\nto: {', '.join(to)}\nsubject: [br-{number % 500}] Start: Auth API, part {number}\nthread_id: br-{number % 500}\n---\n"
    return (head + BODY).encode()


class Place:
    """A throw-away home and worktree on the disk that $BENCH_DIR, or the temporary directory, lies on."""

    def __init__(self, roots: int = 1) -> None:
        self.top = Path(tempfile.mkdtemp(prefix="gitmaild-bench-", dir=os.environ.get("BENCH_DIR", "/tmp")))
        self.home = Home(self.top / "home")
        self.home.make()
        self.worktrees = [self.top / f"shop{n or ''}" for n in range(roots)]
        for worktree in self.worktrees:
            (worktree / ".gitmaild").mkdir(parents=True)
            for name in (SENDER, *RECIPIENTS):
                (worktree / ".gitmaild" / "agents" / name / "outbox").mkdir(parents=True)
            self.home.change_registry(
                lambda data, w=worktree: roots_file.render(
                    roots_file.parse(data).enrol("shop", str(self.worktrees[0]), str(w))
                )
            )
        self.desks = self.worktrees[0] / ".gitmaild" / "agents"
        self.daemon: subprocess.Popen[str] | None = None

    def fill(self, count: int) -> None:
        """Plan and commit `count` messages, a thousand a day, in batches; the mirrors catch up when the daemon starts."""
        repo, settings, taken = Repo.create(self.home.mailbox), Settings(), set[str]()
        now = datetime.now(UTC) - timedelta(days=count / PER_DAY + 1)
        step = timedelta(days=1) / PER_DAY

        def envelope(agent: str, drop: str = "") -> Envelope:
            command_id = mint(now, os.urandom, taken)
            taken.add(command_id[4:])
            return Envelope(command_id, "shop", agent, drop)

        batch = repo.batch("")
        mailbox = Mailbox(batch.tree, "shop")
        batch.add(plan(Found(envelope("Overseer")), mailbox, now, settings))  # type: ignore[arg-type]
        for name in (SENDER, *RECIPIENTS):
            batch.add(plan(Register(envelope(name), program="bench"), mailbox, now, settings))  # type: ignore[arg-type]
        batch.land()
        for start in range(0, count, 256):
            batch = repo.batch(repo.tip())
            mailbox = Mailbox(batch.tree, "shop")
            for number in range(start, min(start + 256, count)):
                now += step
                command = parse(message(number), envelope(SENDER, f"m{number}"), settings)
                batch.add(plan(command, mailbox, now, settings))  # type: ignore[arg-type]
            batch.land()
            if start // 256 % 100 == 99:
                self.repack()
        self.repack()

    def repack(self) -> None:
        """As the daemon does once there are packs enough."""
        upkeep = Maintenance(self.home.mailbox, lambda: 1, packs=1, seconds=1e9)
        upkeep.poll()
        upkeep.finish()
        upkeep.stop()

    def start(self) -> float:
        """Start the daemon; seconds until it says that it serves."""
        began = time.perf_counter()
        self.daemon = subprocess.Popen(
            [sys.executable, "-m", "gitmaild", "--home", str(self.home.path), "serve", "--no-http"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.daemon.stdout
        self.daemon.stdout.readline()
        return time.perf_counter() - began

    def stop(self) -> None:
        if self.daemon:
            self.daemon.send_signal(signal.SIGTERM)
            self.daemon.wait(60)
            self.daemon = None

    def drop(self, name: str, data: bytes, agent: str = SENDER) -> None:
        outbox = self.desks / agent / "outbox"
        draft = outbox / f".{name}"
        draft.write_bytes(data)
        draft.rename(outbox / name)

    def packed(self) -> tuple[int, int]:
        """(bytes, files) of the object store."""
        files = list((self.home.mailbox / "objects").rglob("*"))
        return sum(f.stat().st_size for f in files if f.is_file()), len(files)

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.top, ignore_errors=True)


def registered(place: Place) -> None:
    """Let the daemon's first start bring the desks up: a mailbox of a few agents and no mail."""
    place.fill(0)
    office = open_office(place.home, {}, watcher=NoHints())
    office.daemon.turn([])
    office.close()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss(pid: int) -> int:
    """Resident bytes of a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = next(
        int(line.split()[1]) * 1024 for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmRSS" in line
    )
    total = own
    for child in children:
        try:
            total += rss(int(child))
        except (OSError, StopIteration):
            continue
    return total
