"""Crash points of a day on which mail is let in, claimed, posted and sent to another project."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gitmaild import wiring
from tests.app.test_crash import BEYOND, LANES, STRIDE, Day, killed
from tests.post import Post


class PeopleDay(Day):
    def _prepare(self) -> None:
        post = self.post
        post.agents("GreenCastle", "RedCat", "BlueLake")
        self.web = post.add_worktree("shop-web", "shop-web")
        post.drop("SwiftFalcon", name="join.md", worktree=self.web, kind="register")
        post.settle()
        self._oversee("queue.md", "kind: queue\nname: reviews\n")
        post.drop("RedCat", name="policy.md", kind="contact-policy", policy="contacts_only")
        post.drop("BlueLake", name="quiet.md", kind="dnd", seconds="1h")
        post.settle()
        post.drop("GreenCastle", name="hello.md", to="RedCat, BlueLake, SwiftFalcon@shop-web", subject="Hello")
        post.drop("GreenCastle", name="look.md", to="reviews", subject="Look")
        post.settle()

    def _act(self) -> None:
        post = self.post
        post.drop("RedCat", name="yes.md", kind="contact-approve", agents="GreenCastle")
        post.drop("SwiftFalcon", name="yes.md", worktree=self.web, kind="contact-approve", agents="GreenCastle@shop")
        post.drop("BlueLake", name="back.md", kind="dnd", on="no")
        post.drop("BlueLake", name="mine.md", kind="claim", queue="reviews")
        post.drop("GreenCastle", name="news.md", to="general", subject="News")
        post.drop("GreenCastle", name="again.md", to="RedCat", subject="Again")
        self._drop_as_overseer("role.md", "kind: role-bind\nrole: Mayor\nagent: RedCat\n")
        post.clock.advance(60)

    def _oversee(self, name: str, lines: str) -> None:
        self._drop_as_overseer(name, lines)
        self.post.settle()

    def _drop_as_overseer(self, name: str, lines: str) -> None:
        outbox = self.post.home.post / "shop" / "agents" / "Overseer" / "outbox"
        (outbox / f".{name}").write_text(f"---\n{lines}---\n")
        (outbox / f".{name}").rename(outbox / name)

    def check(self) -> None:
        post = self.post
        assert sorted(post.inbox("RedCat")) == [
            "GreenCastle: Again",
            "GreenCastle: Hello",
            "Postmaster: GreenCastle wants to write to you",
        ]
        assert sorted(post.inbox("BlueLake")) == ["GreenCastle: Hello", "GreenCastle: Look"]
        there = [name.split("_")[2] for name in post.names("SwiftFalcon", worktree=self.web)]
        assert sorted(there) == ["GreenCastle", "Postmaster"]
        hello = post.sent("GreenCastle")["hello"]
        assert "status: delivered" in hello
        assert "- RedCat inbox\n- BlueLake inbox\n- SwiftFalcon@shop-web inbox\n" in hello
        assert "- BlueLake inbox\n" in post.sent("GreenCastle")["look"]
        root = post.worktree / ".gitmaild"
        assert len(list((root / "boards" / "general").iterdir())) == 1
        assert [path.name for path in (root / "queues").rglob("*.md")] == []
        assert "**Mayor**: RedCat" in (root / "agents.md").read_text()
        assert [path for path in post.tree() if "/held/" in path] == []
        post.check_nothing_left()
        post.check_exactly_once()
        post.fsck()

    def check_rest(self) -> None:
        super().check_rest()
        assert list(wiring.open_records(self.post.home).verify()) == []


@pytest.fixture
def day(tmp_path: Path) -> Iterator[PeopleDay]:
    day = PeopleDay(tmp_path)
    yield day
    day.post.stop()


def _finishes(day: PeopleDay, post: Post, at: int, *, thoroughly: bool) -> None:
    try:
        post.settle()
        day.check()
        if thoroughly:
            day.check_rest()
    except Exception as error:
        raise AssertionError(f"killed at call {at}") from error


@pytest.mark.parametrize("lane", range(LANES))
def test_mail_is_let_in_claimed_and_posted_once_however_the_daemon_dies(day: PeopleDay, lane: int) -> None:
    for at in range(lane, BEYOND, LANES * STRIDE):
        post = day.again()
        died = killed(post, at)
        _finishes(day, post, at, thoroughly=at // LANES % (5 * STRIDE) == 0)
        if not died:
            assert at > 100
            return
    raise AssertionError("the fuse never held")
