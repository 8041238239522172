"""The Ralph loop by files alone: iterations without shared memory, each reading what the one before it left.

An iteration knows its name and its directory, nothing else. It joins, reads the newest hand-off of the thread `continuity`,
does its work, and drops a hand-off to itself. Sometimes the daemon is down while it runs; sometimes it is killed.
"""

from pathlib import Path

from tests.post import Post

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
