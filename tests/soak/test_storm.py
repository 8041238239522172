"""Many agents, one daemon that is killed now and then, and nothing lost; a burst, and a polite end; a long sleep."""

import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.soak.yard import SOURCE, Drop, Yard, say, stop, wait_until

pytestmark = pytest.mark.soak

SEED = 20260103
FIRST = "Green Red Blue Brown Gold Silver Amber Coral Ivory Olive Pearl Ruby Slate Teal Umber Violet".split()
AGENTS = [f"{word}Castle" for word in FIRST]
PROJECTS = {"shop": AGENTS[:6], "shop-web": AGENTS[6:11], "shop-docs": AGENTS[11:]}
SECONDS, KILLS = 30, 5
MOST_MEMORY = 120 << 20
PACKS = 20


class Memory:
    """The largest proportional set size of a process, and of its children together with it."""

    def __init__(self) -> None:
        self.child: subprocess.Popen[bytes] | None = None
        self.alone = self.peak = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            if self.child is not None:
                sizes = [_resident(pid) for pid in _family(self.child.pid)]
                self.alone = max(self.alone, sizes[0])
                self.peak = max(self.peak, sum(sizes))


def _family(pid: int) -> list[int]:
    """A process and its children, without one that still runs in its parent's memory, between fork and exec."""
    found = [pid]
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                if Path(f"/proc/{child}/exe").readlink() != Path(f"/proc/{pid}/exe").readlink():
                    found += _family(int(child))
    except OSError:
        pass
    return found


def _resident(pid: int) -> int:
    """What a process holds in memory; of what it shares with others (libraries, packs), its part."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))


def droppers(yard: Yard, seconds: float) -> list[subprocess.Popen[bytes]]:
    found = []
    for project, agents in PROJECTS.items():
        for agent in agents:
            others = ",".join(name for name in agents if name != agent)
            arguments = [
                f"{SEED} {agent}",
                str(seconds),
                project,
                agent,
                str(yard.root(project)),
                str(_book(yard, agent)),
                others,
            ]
            command = [sys.executable, "-B", "-m", "tests.soak.dropper", *arguments]
            found.append(subprocess.Popen(command, cwd=SOURCE, env=yard.environment()))
    return found


def _book(yard: Yard, agent: str) -> Path:
    return yard.top / f"{agent}.book"


def manifest(yard: Yard) -> dict[Drop, tuple[str, str]]:
    """Every drop: how it was made, and the sha256 of its body."""
    found = {}
    for project, agents in PROJECTS.items():
        for agent in agents:
            for line in _book(yard, agent).read_text().splitlines():
                how, digits, name = line.split(" ")
                found[Drop(project, agent, name)] = (how, digits)
    return found


def wrong_words(yard: Yard, drops: dict[Drop, tuple[str, str]]) -> list[str]:
    """Messages whose body is not the one that was dropped, and drops that met the wrong fate."""
    from hashlib import sha256

    bodies = {m.id: sha256(m.body.encode()).hexdigest() for _, m in yard.messages(yard.tree())}
    found, delivered = [], set()
    for trailers in yard.trailers():
        if trailers.get("Command", "").startswith("message "):
            drop = Drop(trailers["Project"], trailers["From"], f"{trailers['Drop']}.md")
            delivered.add(drop)
            if bodies[trailers["Message-Id"]] != drops[drop][1]:
                found.append(f"{drop} ({drops[drop][0]}) was delivered with other words")
    for drop, (how, _) in drops.items():
        if (drop in delivered) is (how in ("half", "nobody")):
            found.append(f"{drop} ({how}) was {'delivered' if drop in delivered else 'refused'}")
    return found


def test_a_storm_with_kills_loses_and_doubles_nothing(tmp_path: Path) -> None:
    dice = random.Random(SEED)
    yard = Yard(tmp_path / "yard")
    yard.prepare(PROJECTS, repack_packs=PACKS, repack_seconds=2, open_seconds=3, scan_seconds=1)
    moments = sorted(dice.uniform(2, SECONDS - 1) for _ in range(KILLS))
    say(f"storm: {len(AGENTS)} agents, {SECONDS} s, kills at {', '.join(f'{m:.1f}' for m in moments)} s (seed {SEED})")
    began = time.monotonic()
    daemon = yard.daemon()
    busy = droppers(yard, SECONDS)
    try:
        with Memory() as memory:
            for moment in moments:
                memory.child = daemon
                time.sleep(max(0.0, began + moment - time.monotonic()))
                assert daemon.poll() is None, f"the daemon ended by itself: {daemon.returncode}"
                stop(daemon)
                daemon = yard.daemon()
            memory.child = daemon
            assert [child.wait(SECONDS + 30) for child in busy] == [0] * len(busy)
            stopped = time.monotonic()
            wait_until(lambda: yard.waiting() == [], seconds=90, what="empty outboxes")
            quiet = time.monotonic() - stopped
            wait_until(
                lambda: len(list(yard.home.mailbox.glob("objects/pack/*.pack"))) < 2 * PACKS, seconds=30, what="few packs"
            )
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(20) == 0
    finally:
        for child in (daemon, *busy):
            stop(child)
    drops = manifest(yard)
    packs = len(list(yard.home.mailbox.glob("objects/pack/*.pack")))
    commits = int(yard.git("rev-list", "--count", "main"))
    say(
        f"storm: {len(drops)} drops, {commits} commits, quiet after {quiet:.1f} s, {packs} packs, "
        f"daemon {memory.alone / (1 << 20):.0f} MiB, with its children {memory.peak / (1 << 20):.0f} MiB"
    )
    failures = wrong_words(yard, drops) + yard.problems(must=drops)
    say(f"storm: checked after {time.monotonic() - began:.0f} s, {len(failures)} failures")
    yard_log = (yard.top / "daemon.log").read_text(errors="replace")
    assert failures == [], "\n".join(failures[:20])
    assert "Traceback" not in yard_log, yard_log[yard_log.index("Traceback") :][:3000]
    assert memory.peak < MOST_MEMORY


def test_a_polite_end_in_a_burst_is_quick_and_loses_nothing(tmp_path: Path) -> None:
    """The burst goes on until the daemon has ended: an end that waits for a pause would never come."""
    yard = Yard(tmp_path / "yard")
    yard.prepare({"shop": AGENTS[:4]}, mirror_newest=2000)
    daemon = yard.daemon()
    drops: list[Drop] = []
    over = threading.Event()
    burst = threading.Thread(target=_burst, args=(yard, drops, over))
    try:
        burst.start()
        sent = yard.desk("shop", AGENTS[0]) / "sent"
        wait_until(lambda: len(drops) > 1000 and len(list(sent.glob("b*"))) > 5, seconds=20, what="the first answers")
        began = time.monotonic()
        daemon.send_signal(signal.SIGTERM)
        status = daemon.wait(20)
        took = time.monotonic() - began
    finally:
        over.set()
        burst.join()
        stop(daemon)
    left = len(yard.waiting())
    say(f"SIGTERM in a burst: ended after {took:.2f} s with status {status}, {left} of {len(drops)} were waiting")
    assert status == 0
    yard.serve_once()
    assert yard.problems(must=drops) == []


def _burst(yard: Yard, drops: list[Drop], over: threading.Event) -> None:
    number = 0
    while not over.is_set():
        drop = Drop("shop", AGENTS[number % 4], f"b{number}.md")
        to = next(name for name in AGENTS[number % 3 :] if name != drop.agent)
        drops.append(drop)
        yard.drop(drop, f"---\nto: {to}\nsubject: burst {number}\n---\nhello\n")
        number += 1
        if number > 1000:
            time.sleep(0.001)


def test_a_daemon_that_was_stopped_goes_on(tmp_path: Path) -> None:
    yard = Yard(tmp_path / "yard")
    yard.prepare({"shop": AGENTS[:2]})
    daemon = yard.daemon()
    try:
        daemon.send_signal(signal.SIGSTOP)
        drops = [Drop("shop", AGENTS[0], f"s{n}.md") for n in range(20)]
        for drop in drops:
            yard.drop(drop, f"---\nto: {AGENTS[1]}\nsubject: {drop.stem}\n---\nhello\n")
        time.sleep(5)
        assert len(yard.waiting()) == 20
        daemon.send_signal(signal.SIGCONT)
        began = time.monotonic()
        wait_until(lambda: yard.waiting() == [], seconds=10, what="empty outboxes")
        say(f"SIGSTOP for 5 s: 20 drops answered {time.monotonic() - began:.2f} s after SIGCONT")
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(20) == 0
    finally:
        stop(daemon)
    assert yard.problems(must=drops) == []
