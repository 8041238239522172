"""The Ralph loop with real processes: fifty iterations that share nothing but mail, ten more killed while they ran.

An iteration is a shell script. It reads the newest hand-off and quotes the token in it, reserves, works, leaves a hand-off with a
token of its own, and releases. It is killed with all its children, at a moment that chance has chosen. For half of the
time no daemon runs; then one does, and in two iterations of seven it is stopped, so that the script has files alone.
"""

import os
import random
import re
import signal
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gitmaild.model.message import Message
from tests.soak.yard import Yard, say, stop

pytestmark = pytest.mark.soak

SEED = 20260107
FINISHED, KILLED = 50, 10
WORKER = "RalphWorker"

ITERATION = r"""
set -eu
by_files() { # what an agent does that has no client, or whose daemon does not answer
    outbox=.gitmaild/agents/RalphWorker/outbox
    printf -- '---\nkind: handoff\niteration: %s\ncompleted: quoted %s\nnext: quote %s\n---\n' "$1" "$2" "$3" > "$outbox/.$3.md"
    mv "$outbox/.$3.md" "$outbox/$3.md"
}
[ -n "$STOPPED" ] || gitmaild register RalphWorker --program 'Ralph Loop' --model Sonnet
last=$(gitmaild handoff --last | sed -n 's/^- quote //p')
if [ -n "$STOPPED" ]; then
    by_files "$ITERATION" "${last:-start}" "$TOKEN"
    exit 0
fi
gitmaild reserve 'src/**' --reason "iteration $ITERATION"
mkdir -p src && echo "$TOKEN" >> src/work.txt
gitmaild handoff --completed "quoted ${last:-start}" --next "quote $TOKEN" --iteration "$ITERATION"
gitmaild release
"""


@dataclass
class Loop:
    yard: Yard
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))
    tokens: list[str] = field(default_factory=list)  # of the iterations that ended well
    took: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        place = self.yard.top / "bin"
        place.mkdir()
        (place / "gitmaild").write_text(f'#!/bin/sh\nexec {" ".join(self.yard.python)} "$@"\n')
        (place / "gitmaild").chmod(0o755)
        self.path = f"{place}{os.pathsep}{os.environ['PATH']}"

    def run(self, *, stopped: bool = False, kill: bool = False) -> bool:
        """One iteration. False where it was killed; an iteration may be over before its time has come."""
        token = f"{self.chance.getrandbits(48):012x}"
        environment = self.yard.environment() | {
            **{"PATH": self.path, "GITMAILD_AGENT": WORKER, "TOKEN": token},
            **{"ITERATION": str(len(self.tokens) + 1), "STOPPED": "yes" if stopped else ""},
        }
        began = time.monotonic()
        child = subprocess.Popen(
            ["sh", "-c", ITERATION],
            cwd=self.yard.top / "shop",
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            said, _ = child.communicate(timeout=self.chance.uniform(0, 1) * statistics.median(self.took) if kill else 120)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            assert kill, "an iteration does not come to an end"
            return False
        assert child.returncode == 0, said.decode()
        if not stopped:
            self.took.append(time.monotonic() - began)
        self.tokens.append(token)
        return True


def _chain(yard: Yard) -> list[tuple[str, str]]:
    """(quoted, token) of every hand-off, in the order of the thread."""
    found: list[Message] = [message for _, message in yard.messages(yard.tree()) if message.thread_id == "continuity"]
    found.sort(key=lambda message: message.created)
    said = [re.search(r"- quoted (\w+)\n(?s:.*)- quote (\w+)\n", message.body) for message in found]
    return [(match[1], match[2]) for match in said if match]


def test_fifty_iterations_quote_the_one_before_though_ten_more_were_killed(tmp_path: Path) -> None:
    """Rows 225 to 232."""
    yard = Yard(tmp_path / "yard")
    yard.prepare({"shop": [WORKER]})
    loop = Loop(yard)
    daemon: subprocess.Popen[bytes] | None = None
    kills = held = 0
    try:
        while len(loop.tokens) < FINISHED:
            done = len(loop.tokens)
            if done >= FINISHED // 2 and daemon is None:
                daemon = yard.daemon()
            while kills < min(KILLED, KILLED * done // 40) and len(loop.tokens) < FINISHED - 1:
                if not loop.run(kill=True):
                    kills += 1
                    held += len(list((yard.root("shop") / "leases").glob("lease_*.yaml")))
            # Two in a row: the second finds the word of the first in the outbox.
            stopped = daemon is not None and len(loop.tokens) % 7 < 2
            if daemon and stopped:
                daemon.send_signal(signal.SIGSTOP)
            try:
                loop.run(stopped=stopped)
            finally:
                if daemon and stopped:
                    daemon.send_signal(signal.SIGCONT)
    finally:
        if daemon:
            stop(daemon)
    yard.serve_once()
    chain = _chain(yard)
    handed = len(chain) - len(loop.tokens)
    say(f"{len(loop.tokens)} iterations, {kills} killed: {handed} after their hand-off, {held} with a lease")
    say(f"an iteration takes {statistics.median(loop.took):.2f} s")
    assert kills == KILLED
    assert [quoted for quoted, _ in chain] == ["start", *(token for _, token in chain[:-1])]
    assert [token for _, token in chain if token in loop.tokens] == loop.tokens
    leases = yard.cli("--project", "shop", "--as", WORKER, "leases", "--mine", "--json").stdout
    assert leases.strip() == "[]", leases
    assert yard.cli("verify").returncode == 0
    assert yard.problems() == []
