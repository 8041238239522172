"""Crash points: the daemon dies at every system call in turn, or every one of them is refused, and nothing shows of it.

One working day is prepared: everything that agents do without a daemon. Then a daemon takes it up with a fuse in its system
calls, blown one call later in every run, until a run gets through without blowing.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitmaild.model import leaseview
from gitmaild.rules.holdings import parse_lease
from tests.fakes import FakeClock, SeededEntropy
from tests.fuse import Blown, Fuse
from tests.post import Post

# Runs are dealt out to this many tests, so that several processes may share them.
LANES = 4
# What costs more, or follows from the rest, is done at every so many calls; every call has its turn in the long run.
STRIDE = 1 if os.environ.get("HYPOTHESIS_PROFILE") == "soak" else 3
BEYOND = 5000


class Day:
    """A prepared working day, laid out anew for every run."""

    def __init__(self, top: Path) -> None:
        self.post, self.saved = Post(top / "post"), top / "saved"
        self._prepare()
        self.post.stop()
        self._act()
        self.keep()

    def _prepare(self) -> None:
        post = self.post
        post.agents("GreenCastle", "RedCat", "BlueLake")
        post.drop(
            "GreenCastle", name="first.md", to="RedCat, BlueLake", thread_id="br-1", subject="First", ack_required="yes"
        )
        post.drop("GreenCastle", name="mine.md", kind="reserve", paths="src/**", ttl_seconds="1d")
        post.drop("BlueLake", name="short.md", kind="reserve", paths="lib", ttl_seconds="60")
        post.settle()
        post.drop("RedCat", name="wait.md", kind="reserve", paths="src/a, src/b", ttl_seconds="1d", wait_seconds="1d")
        post.settle()
        first = post.names("RedCat")[0]
        self.first = f"msg_20260101_{first.rsplit('_', 1)[1].removesuffix('.md')}"

    def _act(self) -> None:
        post = self.post
        post.file("RedCat", post.names("RedCat")[0], "read")
        post.drop("BlueLake", name="seen.md", kind="ack", ids=self.first)
        post.drop("QuietOtter", name="join.md", kind="register", program="Codex CLI", model="gpt-5")
        files = post.desk("GreenCastle") / "outbox" / "files"
        files.mkdir()
        (files / "plan.txt").write_text("one, two, three\n")
        post.drop(
            "GreenCastle",
            name="plan.md",
            to="RedCat, BlueLake",
            cc="GreenCastle, NoBody",
            subject="Plan",
            attachments="plan.txt",
        )
        post.drop("RedCat", "Yes.\n", name="answer.md", in_reply_to=self.first)
        post.drop("BlueLake", name="mistake.md", subject="to whom?")
        post.drop("BlueLake", name="docs.md", kind="reserve", paths="docs/**", slots="build", ttl_seconds="1d")
        post.drop("GreenCastle", name="free.md", kind="release", paths="src/**")
        post.clock.advance(60)

    def keep(self) -> None:
        """What every run begins with from now on."""
        self.now = self.post.clock.now
        shutil.rmtree(self.saved, ignore_errors=True)
        shutil.copytree(self.post.top, self.saved, symlinks=True)

    def again(self) -> Post:
        post = self.post
        shutil.rmtree(post.top)
        shutil.copytree(self.saved, post.top, symlinks=True)
        post.office = None
        post.clock, post.entropy = FakeClock(), SeededEntropy("again")
        post.clock.now = self.now
        return post

    def check(self) -> None:
        """Every command of the day was answered once, and everything shows it."""
        post = self.post
        done = sorted(trailers["Command"].partition(" ")[0] for _, trailers, _ in post.commits()[8:])
        by_leases = ["expire", "grant", "release", "reserve"]
        assert done == sorted(["ack", "message", "message", "read", "refuse", "register", *by_leases])
        assert sorted(post.sent("GreenCastle")) == ["first", "free", "join", "mine", "plan"]
        assert "status: partly" in post.sent("GreenCastle")["plan"]
        assert "- RedCat read\n- BlueLake acked\n" in post.sent("GreenCastle")["first"]
        assert sorted(post.sent("RedCat")) == ["answer", "join", "wait"]
        assert sorted(post.sent("BlueLake")) == ["docs", "join", "seen", "short"]
        assert sorted(post.sent("QuietOtter")) == ["join"]
        assert post.rejected("BlueLake") == {"mistake.md": "no-recipient"}
        assert (post.desk("BlueLake") / "rejected" / "mistake.md").read_text() == "---\nsubject: to whom?\n---\nhello\n"
        assert sorted(post.inbox("RedCat")) == ["GreenCastle: Plan", "Postmaster: granted: src/a, src/b"]
        assert post.inbox("RedCat", "read") == ["GreenCastle: First"]
        assert sorted(post.inbox("BlueLake")) == ["GreenCastle: Plan", "Postmaster: refused: mistake.md"]
        assert post.inbox("BlueLake", "acked") == ["GreenCastle: First"]
        told = ["GreenCastle: Plan", "Postmaster: not delivered to NoBody: Plan", "RedCat: RE: First"]
        assert sorted(post.inbox("GreenCastle")) == told
        assert [post.waiting(agent) for agent in ("GreenCastle", "RedCat", "BlueLake", "QuietOtter")] == [[], [], [], []]
        assert self.held() == ["BlueLake: docs/**", "BlueLake: slot build", "RedCat: src/a", "RedCat: src/b"]
        post.check_nothing_left()
        post.check_exactly_once()
        post.fsck()

    def held(self) -> list[str]:
        """Who holds what, once tree, root and view say the same."""
        post = self.post
        paths = [path for path in post.tree() if path.startswith("shop/leases/")]
        shown = {path.name: path.read_bytes() for path in (post.worktree / ".gitmaild/leases").glob("lease_*.yaml")}
        assert sorted(shown) == sorted(path.rpartition("/")[2] for path in paths)
        found = [parse_lease(name.removesuffix(".yaml"), data) for name, data in shown.items()]
        view = leaseview.parse((post.home.state / "leases/shop").read_bytes())
        assert {row.lease_id for row in view.rows} == {lease.id for lease in found if lease and lease.thing.pattern}
        return sorted(f"{lease.holder}: {lease.thing}" for lease in found if lease)

    def check_rest(self) -> None:
        """Another start finds nothing to do, and a mirror from nothing shows no more and no less."""
        post = self.post
        log, shown = post.log(), post.snapshot()
        post.crash()
        post.settle()
        assert (post.log(), post.snapshot()) == (log, shown)
        post.check_mirrors()
        assert post.log() == log


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    day = Day(tmp_path)
    yield day
    day.post.stop()


def killed(post: Post, at: int) -> bool:
    """Run with a fuse; True where it blew."""
    with Fuse(at).in_place() as fuse:
        try:
            post.settle()
        except Blown:
            assert fuse.blown
        # A write that was killed in another thread is a killed process as well.
        died = fuse.blown
    if died:
        post.crash()
    return died


@pytest.mark.parametrize("lane", range(LANES))
def test_a_daemon_that_is_killed_at_any_system_call_finishes_its_day_after_a_restart(day: Day, lane: int) -> None:
    for at in range(lane, BEYOND, LANES):
        post = day.again()
        died = killed(post, at)
        try:
            post.settle()
            day.check()
            if at // LANES % STRIDE == 0:
                day.check_rest()
        except Exception as error:
            raise AssertionError(f"killed at call {at}") from error
        if not died:
            assert at > 100
            return
    raise AssertionError("the fuse never held")


@pytest.mark.parametrize("lane", range(LANES))
def test_a_daemon_that_is_killed_while_it_recovers_recovers_all_the_same(day: Day, lane: int) -> None:
    for first in range(50 + lane * 5 * STRIDE, 150, 10 * STRIDE):
        for second in range(lane, BEYOND, 4 * STRIDE):
            post = day.again()
            assert killed(post, first)
            died = killed(post, second)
            try:
                post.settle()
                day.check()
            except Exception as error:
                raise AssertionError(f"killed at call {first}, and at call {second} of its second life") from error
            if not died:
                break


def test_a_desk_that_is_filled_again_is_whole_however_often_the_daemon_is_killed_over_it(day: Day) -> None:
    post = day.again()
    post.settle()
    whole = post.snapshot()
    post.stop()
    day.keep()
    for rebuild in (False, True):
        for at in range(0, BEYOND, STRIDE):
            day.again()
            shutil.rmtree(post.desk("GreenCastle"))
            (post.desk("GreenCastle") / "outbox").mkdir(parents=True)
            if rebuild:
                (post.home.state / "rebuild").touch()
            died = killed(post, at)
            post.settle()
            assert post.snapshot() == whole, f"killed at call {at}"
            if not died:
                break


@pytest.mark.parametrize(
    ("number", "length"),
    [
        pytest.param(errno.ENOSPC, BEYOND, id="no-space"),
        pytest.param(errno.EIO, 1, id="one-io-error"),
        pytest.param(errno.EROFS, BEYOND, id="read-only"),
        pytest.param(errno.EMFILE, 2, id="too-many-files"),
    ],
)
def test_a_daemon_whose_system_calls_are_refused_lives_on_and_finishes_its_day(day: Day, number: int, length: int) -> None:
    for at in range(0, BEYOND, STRIDE):
        post = day.again()
        try:
            office = post.start()
            with Fuse(at, number, length).in_place() as fuse:
                for _ in range(3):
                    post.turn(400)
                failed = fuse.blown
                if failed and length == BEYOND:
                    assert post.alarms() != []
            for _ in range(4):
                post.turn(400)
            assert post.office is office
            assert post.alarms() == []
            post.settle()
            day.check()
            post.check_mirrors()
        except Exception as error:
            raise AssertionError(f"refused at call {at}") from error
        if not failed:
            assert at > 100
            return
    raise AssertionError("nothing was ever refused")
