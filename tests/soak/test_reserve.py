"""Many processes ask for one path at once, over and over; one of them has it each time."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitmaild.model.leaseview import parse
from gitmaild.rules.holdings import parse_lease
from tests.soak.yard import Drop, Yard, say, stop, wait_until

pytestmark = pytest.mark.soak

WORDS = "Green Red Blue Brown Gold Silver Amber Coral Ivory Olive Pearl Ruby Slate Teal Umber Violet".split()
AGENTS = [f"{word}{noun}" for word in WORDS for noun in ("Castle", "Otter")]
ROUNDS = 100

# One agent as a process: it waits for a line, drops a reserve, waits for the answer, and says what it was.
RACER = """
import os, sys, time
from pathlib import Path
desk = Path(sys.argv[1])
for line in sys.stdin:
    number, kind, paths = line.split()
    draft, name = desk / "outbox" / f".r{number}.md", f"r{number}.md"
    draft.write_text(f"---\\nkind: {kind}\\npaths: {paths}\\n---\\n")
    draft.rename(desk / "outbox" / name)
    until = time.monotonic() + 60
    answer = []
    while not answer:
        assert time.monotonic() < until, "no answer"
        time.sleep(0.002)
        answer = [n for n in os.listdir(desk / "sent") if n.startswith(f"r{number}.")]
    text = (desk / "sent" / answer[0]).read_text()
    print(next(line for line in text.splitlines() if line.startswith("status: "))[8:], flush=True)
"""


class Racer:
    def __init__(self, yard: Yard, agent: str) -> None:
        self.agent = agent
        words = [sys.executable, "-c", RACER, str(yard.desk("shop", agent))]
        self.child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def begin(self, number: int, kind: str, paths: str = "src/api/routes.py") -> None:
        assert self.child.stdin
        self.child.stdin.write(f"{number} {kind} {paths}\n")
        self.child.stdin.flush()

    def answer(self) -> str:
        assert self.child.stdout
        return self.child.stdout.readline().strip()

    def end(self) -> None:
        stop(self.child)
        for pipe in (self.child.stdin, self.child.stdout):
            if pipe:
                pipe.close()


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    yard = Yard(tmp_path / "yard")
    yard.prepare({"shop": AGENTS})
    yield yard
    yard.remove()


def test_of_many_processes_that_reserve_one_path_at_once_one_has_it_in_each_round(yard: Yard) -> None:
    daemon = yard.daemon()
    racers = [Racer(yard, agent) for agent in AGENTS]
    winners: list[str] = []
    try:
        for number in range(ROUNDS):
            # The same path in other words: what counts is what they mean.
            for racer, paths in zip(
                racers, ["src/api/routes.py", "src/api/**", "src/**/*.py", "**/routes.py"] * 8, strict=True
            ):
                racer.begin(number, "reserve", paths)
            said = {racer.agent: racer.answer() for racer in racers}
            won = [racer for racer in racers if said[racer.agent] == "granted"]
            assert len(won) == 1, f"round {number}: {said}"
            assert sorted(set(said.values())) == ["conflict", "granted"]
            view = yard.home.state / "leases" / "shop"
            assert [row.holder for row in parse(view.read_bytes()).rows] == [won[0].agent]
            won[0].begin(
                number + ROUNDS,
                "release",
                ["src/api/routes.py", "src/api/**", "src/**/*.py", "**/routes.py"][racers.index(won[0]) % 4],
            )
            assert won[0].answer() == "released"
            winners.append(won[0].agent)
        say(f"{ROUNDS} rounds of {len(racers)} processes, {len(set(winners))} different winners")
        daemon.terminate()
        assert daemon.wait(30) == 0
    finally:
        for racer in racers:
            racer.end()
        stop(daemon)
    paths = yard.git("ls-tree", "-r", "--name-only", "main", "shop/leases", "shop/leases-ended").decode().splitlines()
    found = [parse_lease(Path(path).stem, yard.git("show", f"main:{path}")) for path in paths]
    assert [lease.holder for lease in sorted((x for x in found if x), key=lambda x: x.fence)] == winners
    assert sorted(lease.fence for lease in found if lease) == list(range(1, ROUNDS + 1))
    drops = [Drop("shop", agent, f"r{number}.md") for agent in AGENTS for number in range(ROUNDS)]
    drops += [Drop("shop", agent, f"r{number + ROUNDS}.md") for number, agent in enumerate(winners)]
    assert yard.problems(must=drops) == []


def test_a_waiter_has_the_lease_within_a_second_of_the_end_of_a_holder_that_died(yard: Yard) -> None:
    daemon = yard.daemon()
    try:
        yard.drop(Drop("shop", "GreenCastle", "mine.md"), "---\nkind: reserve\npaths: src\nttl_seconds: 2\n---\n")
        wait_until(lambda: any(yard.desk("shop", "GreenCastle").glob("sent/mine.*")), seconds=10, what="a grant")
        yard.drop(Drop("shop", "RedCastle", "wait.md"), "---\nkind: reserve\npaths: src/a\nwait_seconds: 60\n---\n")
        wait_until(
            lambda: any(yard.desk("shop", "RedCastle").glob("inbox/*granted*")), seconds=3, what="the lease passes on"
        )
    finally:
        stop(daemon)
