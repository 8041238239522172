"""The power goes while mail goes round: what anybody saw an answer to is in git afterwards.

An ext4 file system in a file holds the home and the worktree; an ioctl of ext4 stops its writes at a random moment without
flushing its journal, and the next mount sees what was on the disk. The daemon's checkpoints are then made to look as they do
after a reboot: of another boot.
"""

import random
import re
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.soak.disks import LoopDisk, loop_disk, no_loop
from tests.soak.yard import Drop, Yard, say, stop, wait_until

pytestmark = pytest.mark.soak

SEED = 20260102
CUTS, CUTS_WITHOUT_JOURNAL = 16, 4
AGENTS = ["GreenCastle", "RedCat", "BlueLake"]
OTHER_BOOT = "00000000-0000-4000-8000-000000000000"
# A tenth of what fits: the disk is not to fill up here.
MOST_DROPS = 120


class Load:
    """Agents that drop files until the disk refuses, and somebody who watches `sent/` and `rejected/`."""

    def __init__(self, yard: Yard, seed: int) -> None:
        self.yard, self.seed = yard, seed
        self.dropped: set[Drop] = set()
        self.durable: set[Drop] = set()  # fsynced by their writers: not even the disk may lose them
        self.answered: set[Drop] = set()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._drop, args=(agent,)) for agent in AGENTS]
        self._threads.append(threading.Thread(target=self._watch))

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _drop(self, agent: str) -> None:
        dice = random.Random(f"{self.seed} {agent}")
        for number in range(MOST_DROPS):
            if self._over.is_set():
                return
            drop = Drop("shop", agent, f"{agent[0].lower()}{number}.md")
            others = ", ".join(dice.sample([name for name in AGENTS if name != agent], dice.randint(1, 2)))
            to = "Nobody" if dice.random() < 0.1 else others
            text = (
                f"---\nto: {to}\nsubject: number {number}\nthread_id: t-{number % 7}\n---\n{'x' * dice.randint(0, 3000)}\n"
            )
            durably = dice.random() < 0.5
            self.dropped.add(drop)
            try:
                self.yard.drop(drop, text, durably=durably)
            except OSError:
                return
            if durably:
                self.durable.add(drop)
            time.sleep(dice.uniform(0, 0.02))

    def _watch(self) -> None:
        while not self._over.is_set():
            for agent in AGENTS:
                desk = self.yard.desk("shop", agent)
                try:
                    sent = [path.name.rsplit(".", 2)[0] for path in (desk / "sent").glob("[!.]*.md")]
                    refused = [path.name[:-3] for path in (desk / "rejected").glob("[!.]*.md") if ".why" not in path.name]
                except OSError:
                    return
                self.answered |= {Drop("shop", agent, f"{stem}.md") for stem in (*sent, *refused) if stem != "join"}


def cut_once(disk: LoopDisk, yard: Yard, seed: int, log: Path) -> tuple[list[str], Counter[str]]:
    """(what is wrong after a cut, what was counted)."""
    dice = random.Random(seed)
    daemon = yard.daemon(log)
    try:
        with Load(yard, seed) as load:
            time.sleep(dice.uniform(0.05, 1.0))
            answered, durable = set(load.answered), set(load.durable)
            disk.cut()
    finally:
        stop(daemon)
    disk.unmount()
    mended = disk.check() if no_journal(disk) else ""
    disk.mount()
    found = yard.fsck(after_cut=True)
    known = {(d.project, d.agent, d.stem) for d in yard.answered()}
    found += [
        f"P1 broken: {d} was answered, and is not in git" for d in answered if (d.project, d.agent, d.stem) not in known
    ]
    torn = reboot(yard)
    daemon = yard.daemon(log)
    try:
        wait_until(lambda: yard.waiting() == [], seconds=30, what=f"empty outboxes; {yard.waiting()[:3]}")
        daemon.send_signal(signal.SIGTERM)
        status = daemon.wait(20)
    finally:
        stop(daemon)
    found += [f"exit status {status}"] if status else []
    must = answered if no_journal(disk) else answered | durable
    found += yard.problems(must=must, may=load.dropped)
    counts = Counter(answered=len(answered), dropped=len(load.dropped), durable=len(durable), torn=torn, mended=bool(mended))
    return found, counts


def no_journal(disk: LoopDisk) -> bool:
    return "nojournal" in disk.image.name


def reboot(yard: Yard) -> int:
    """Make the checkpoints those of another boot; how many mirror files the cut has torn."""
    paths = [*yard.home.state.rglob("*checkpoint"), *(root / ".checkpoint" for root in yard.roots().values())]
    for path in (path for path in paths if path.exists()):
        # Torn, it vouches for nothing anyway.
        path.write_text(re.sub(r"^(\w+).*", rf"\1 {OTHER_BOOT}", path.read_text(errors="replace").strip()) + "\n")
    return sum(not path.stat().st_size for path in yard.root("shop").glob("agents/*/*/*.md"))


def cut_often(tmp_path: Path, cuts: int, *, journal: bool) -> None:
    if reason := no_loop(journal=journal):
        pytest.skip(f"no power cuts here: {reason}")
    name = "journal" if journal else "nojournal"
    template = Yard(tmp_path / "template")
    template.prepare({"shop": AGENTS}, open_seconds=1.5, scan_seconds=1)
    failures: list[str] = []
    total: Counter[str] = Counter()
    began = time.monotonic()
    for number in range(cuts):
        image, place = tmp_path / f"{name}{number}.img", tmp_path / f"mnt-{name}{number}"
        with loop_disk(image, place, journal=journal) as disk:
            yard = template.copy_to(place / "yard")
            disk.sync()
            found, counts = cut_once(disk, yard, SEED + number, tmp_path / "daemon.log")
            total += counts
            failures += [f"cut {number} (seed {SEED + number}): {problem}" for problem in found]
            if (number + 1) % 4 == 0:
                say(f"power cuts ({name}): {number + 1} of {cuts}, {dict(total)}, {len(failures)} failures")
    say(f"power cuts ({name}): {cuts} in {time.monotonic() - began:.0f} s (seed {SEED}), {dict(total)}")
    assert failures == [], "\n".join(failures[:20])


def test_what_was_answered_before_a_power_cut_is_there_after_it(tmp_path: Path) -> None:
    cut_often(tmp_path, CUTS, journal=True)


def test_what_was_answered_is_there_after_a_cut_without_a_journal(tmp_path: Path) -> None:
    cut_often(tmp_path, CUTS_WITHOUT_JOURNAL, journal=False)
