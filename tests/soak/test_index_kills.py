"""kill -9 in the middle of indexing: what was committed is there, what was not is not, and nothing needs a command."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gitmaild.app.ports import SearchIndex
from gitmaild.edges.fts_index import FtsIndex
from gitmaild.edges.whoosh_index import WhooshIndex
from gitmaild.model.search import ANYWHERE, Document, Term

KILLS, BATCH = 30, 20


def an_index(engine: str, directory: Path) -> SearchIndex:
    # Few segments and no second process: so merging is killed as well.
    return FtsIndex(directory) if engine == "fts5" else WhooshIndex(directory, segments=5, apart=False)


def write_for_ever(engine: str, directory: Path) -> None:
    index = an_index(engine, directory)
    index.open(writing=True)
    number = int(index.checkpoint() or 0)
    print("open", flush=True)
    while True:
        rows = range(number * BATCH, (number + 1) * BATCH)
        body = ("token", *(f"w{n}" for n in range(150)))
        index.add(
            [Document(f"shop/m{n}", "0" * 40, n, (f"s{n % 7}",), (*body, f"only{n}"), ()) for n in rows], str(number + 1)
        )
        number += 1
        index.tend()


@pytest.mark.soak
@pytest.mark.parametrize("engine", ["fts5", "whoosh"])
def test_thirty_kills_lose_nothing_and_damage_nothing(engine: str, tmp_path: Path) -> None:
    directory = tmp_path / "index" / engine
    chance = random.Random(5)
    reached = kill = 0
    # On a slow machine a child may be killed before it has written anything: then more are killed.
    while kill < KILLS or reached <= KILLS:
        kill += 1
        child = subprocess.Popen([sys.executable, __file__, engine, str(directory)], stdout=subprocess.PIPE)
        assert child.stdout and child.stdout.readline() == b"open\n"
        time.sleep(chance.random() * 0.25)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        index = an_index(engine, directory)
        index.open(writing=True)
        checkpoint = int(index.checkpoint() or 0)
        assert checkpoint >= reached, kill
        assert index.size() == checkpoint * BATCH, kill
        found = [hit.created for hit in index.newest(Term(ANYWHERE, "token"))]
        assert found == list(range(checkpoint * BATCH - 1, -1, -1)), kill
        reached = checkpoint
        index.close()


if __name__ == "__main__":
    write_for_ever(sys.argv[1], Path(sys.argv[2]))
