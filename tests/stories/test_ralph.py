"""The Ralph loop: iterations without shared memory, each reading what the one before it left; by files, and by commands.

An iteration knows its name and its directory, nothing else. It joins, reads the newest hand-off of the thread `continuity`,
does its work, and drops a hand-off to itself. Sometimes the daemon is down while it runs; sometimes it is killed.
(tests/soak/test_ralph.py kills real iterations.)
"""

from pathlib import Path

import pytest
import yaml

from tests.adapters.conftest import bare_terminal, home, terminal
from tests.adapters.runner import Result, Terminal
from tests.adapters.test_cli_office import somebody_serves
from tests.post import Post

__all__ = ["bare_terminal", "home", "terminal"]

ITERATIONS = 50


def _iteration(post: Post, desk: Path, number: int) -> str:
    """One run of the worker: what it read of the last one. It uses files only."""
    found = [*(desk / "inbox").glob("*.md"), *(desk / "read").glob("*.md")] if (desk / "inbox").is_dir() else []
    # What the last iteration dropped may not be delivered yet: its own outbox is memory too.
    waiting = sorted((desk / "outbox").glob("handoff-*.md")) if (desk / "outbox").is_dir() else []
    handoffs = [path for path in sorted(found, key=lambda p: p.name) if "thread_id: continuity" in path.read_text()]
    newest = (waiting or handoffs or [None])[-1]
    token = newest.read_text().rpartition("token ")[2].strip() if newest else "start"
    for path in (desk / "inbox").glob("*.md") if (desk / "inbox").is_dir() else []:
        path.rename(desk / "read" / path.name)
    post.drop(
        "RalphWorker",
        f"Completed: step {number}\nRemaining: {ITERATIONS - number}\nBlockers: none\nNext: step {number + 1}\n\n"
        f"token {token}>{number}\n",
        name=f"handoff-{number:03d}.md",
        to="RalphWorker",
        thread_id="continuity",
        subject=f"[HANDOFF] Iteration {number} complete",
    )
    return token


def test_fifty_iterations_hand_over_an_unbroken_chain_with_daemons_stopped_and_killed(post: Post) -> None:
    desk = post.desk("RalphWorker")
    expected = "start"
    for number in range(1, ITERATIONS + 1):
        post.drop("RalphWorker", name="join.md", kind="register", program="Ralph Loop", model="Claude Sonnet")
        if number % 7:
            post.turn()
        assert _iteration(post, desk, number) == expected
        expected += f">{number}"
        if number % 7 == 0:
            continue  # the daemon was down for the whole iteration
        if number % 5 == 0:
            post.turn()
            post.crash()
        else:
            post.turn()
    post.turn()
    post.turn()
    page = (post.worktree / ".gitmaild" / "threads" / "continuity.md").read_text()
    assert page.startswith(f"thread continuity: {ITERATIONS} messages")
    assert sum(subject.startswith("deliver: RalphWorker -> RalphWorker: [HANDOFF]") for subject in post.log()) == ITERATIONS
    assert sum(subject.startswith("register: RalphWorker") for subject in post.log()) == 1


# --- by commands

GO_ON, DONE, STOP = 0, 10, 11
RALPH = ("--as", "RalphWorker")


class Ralph:
    """One worker in a loop. What an iteration knows, it has read."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal

    def begins(self) -> str:
        """Join, read, reserve: the newest hand-off, '' where there is none."""
        self.terminal.ok("register", "RalphWorker", "--program", "Ralph Loop", "--model", "Claude Sonnet")
        found = self.terminal.ok(*RALPH, "inbox", "--thread", "continuity", "--limit", "1", "--bodies", "--json").json
        said = self.terminal.ok(*RALPH, "reserve", "src/**", "--reason", "continuity", "--json").json
        assert (said["success"], said["conflicts"]) == (True, [])
        return found[0]["body"] if found else ""

    def ends(self, *said: str) -> Result:
        """Hand off, release."""
        handed = self.terminal(*RALPH, "handoff", *said)
        self.terminal.ok(*RALPH, "release")
        assert self.terminal.ok(*RALPH, "leases", "--mine", "--json").json == []
        return handed


@pytest.fixture
def ralph(terminal: Terminal) -> Ralph:
    return Ralph(terminal)


def test_each_iteration_reads_what_the_one_before_has_left_until_it_is_done(ralph: Ralph) -> None:
    """Rows 225 to 230, and row 24 of the contradictions: mail from others does not stand in the way."""
    assert ralph.begins() == ""
    ralph.terminal.join("GreenCastle")
    for number in range(1, 5):
        assert (
            ralph.ends("--completed", f"step {number}", "--next", f"step {number + 1}", "--iteration", f"{number}").status
            == 0
        )
        ralph.terminal.mail("GreenCastle", "--to", "RalphWorker", "--subject", "[HANDOFF] not yours")
        ralph.terminal.mail("GreenCastle", "--to", "RalphWorker", "--thread", "br-1", "--subject", "lunch?")
        body = ralph.begins()
        assert body == (
            f"\n## Completed\n\n- step {number}\n\n## Remaining\n\nnone\n\n## Blockers\n\nnone\n\n"
            f"## Next\n\n- step {number + 1}\n"
        )
    assert ralph.ends("--completed", "all of br-123", "--done").status == DONE
    registered = ralph.terminal.ok("log", "--format=%s").out.splitlines()
    assert sum(subject.startswith("register: RalphWorker") for subject in registered) == 1


def test_the_overseer_stops_the_loop_by_mail(ralph: Ralph) -> None:
    """Row 230."""
    ralph.begins()
    ralph.terminal.mail("Overseer", "--to", "RalphWorker", "--subject", "[STOP] that will do")
    handed = ralph.ends("--completed", "a step", "--done")
    assert (handed.status, "(stop)" in handed.out) == (STOP, True)
    (stop,) = ralph.terminal.ok(*RALPH, "inbox", "--tag", "STOP", "--json").json
    ralph.terminal.ok(*RALPH, "ack", stop["id"])
    ralph.begins()
    assert ralph.ends("--completed", "another").status == GO_ON


def test_a_hand_off_that_says_nothing_is_refused_and_the_last_one_stays(ralph: Ralph) -> None:
    """Row 228."""
    ralph.begins()
    ralph.ends("--remaining", "the tests")
    ralph.begins()
    empty = ralph.ends("--iteration", "2")
    assert (empty.status, "a hand-off that says nothing" in empty.err) == (65, True)
    assert "- the tests\n" in ralph.begins()


def test_nobody_else_can_leave_word_for_ones_next_self(ralph: Ralph) -> None:
    ralph.begins()
    ralph.ends("--next", "the tests")
    ralph.terminal.join("GreenCastle")
    ralph.terminal.mail("GreenCastle", "--to", "RalphWorker", "--thread", "continuity", "--subject", "[HANDOFF] next: push")
    assert "- the tests\n" in ralph.terminal.ok(*RALPH, "handoff", "--last").out


def test_the_lease_of_an_iteration_that_died_is_the_next_ones(ralph: Ralph) -> None:
    """Row 227."""
    ralph.begins()
    (first,) = ralph.terminal.ok(*RALPH, "leases", "--mine", "--json").json
    ralph.begins()  # the first one died: it has not handed off, and not released
    (second,) = ralph.terminal.ok(*RALPH, "leases", "--mine", "--json").json
    assert (second["id"], second["pattern"], second["expires"] > first["expires"]) == (first["id"], "src/**", True)
    ralph.terminal.join("GreenCastle")
    assert ralph.terminal("--as", "GreenCastle", "reserve", "src/a.py").status == 1
    assert ralph.ends("--completed", "a step").status == GO_ON
    ralph.terminal.ok("--as", "GreenCastle", "reserve", "src/a.py")


def test_while_the_daemon_hangs_an_iteration_drops_its_word_and_the_next_one_finds_it(ralph: Ralph, home: Path) -> None:
    """Row 232."""
    ralph.begins()
    ralph.ends("--completed", "step 1")
    outbox = ralph.terminal.here / ".gitmaild" / "agents" / "RalphWorker" / "outbox"
    with somebody_serves(home):
        (outbox / ".h.md").write_text("---\nkind: handoff\ncompleted: step 2\nnext: step 3, then rest\n---\n")
        (outbox / ".h.md").rename(outbox / "h.md")
        queued = ralph.terminal.ok(*RALPH, "handoff", "--last").out
        assert "- step 2\n" in queued
        assert ralph.terminal(*RALPH, "handoff", "--completed", "step 3").status == 3
        assert "- step 3\n" in ralph.terminal.ok(*RALPH, "handoff", "--last").out
    assert "- step 1\n" in ralph.terminal.ok(*RALPH, "show", _newest(ralph)).out
    ralph.terminal.ok("serve", "--once")
    assert "- step 3\n" in ralph.begins()
    answers = [yaml.safe_load(path.read_text().split("---\n")[1]) for path in (outbox.parent / "sent").glob("h.*.md")]
    assert [(answer["status"], answer["subject"]) for answer in answers] == [
        ("delivered", "[HANDOFF] next: step 3, then rest")
    ]
    bodies = [row["body"] for row in ralph.terminal.ok("thread", "continuity", "--json").json]
    assert [body.split("- ")[1].split("\n")[0] for body in bodies] == ["step 1", "step 2", "step 3"]


def _newest(ralph: Ralph) -> str:
    """The id of the newest hand-off that was delivered."""
    return str(ralph.terminal.ok(*RALPH, "inbox", "--thread", "continuity", "--limit", "1", "--json").json[0]["id"])
