"""Who waits in the daemon's process hears of answers and of landings at once, and of nobody else's."""

from gitmaild.app.bell import Bell
from gitmaild.model.drop import Hint
from tests.post import Post


def test_an_answer_is_heard_by_who_waits_for_it_and_by_nobody_else() -> None:
    bell = Bell()
    with bell.expecting("shop", "RedCat", "a.md") as mine, bell.expecting("shop", "RedCat", "b.md") as others:
        bell.answered("shop", "RedCat", "a.md")
        assert mine(0) is True
        assert others(0) is False
        assert mine(0) is False


def test_an_answer_that_nobody_waits_for_is_no_matter() -> None:
    bell = Bell()
    with bell.expecting("shop", "RedCat", "a.md"):
        pass
    bell.answered("shop", "RedCat", "a.md")


def test_a_follower_is_told_of_each_landing_until_it_leaves() -> None:
    bell, told = Bell(), []
    leave = bell.follow(lambda: told.append(1))
    bell.landed()
    leave()
    bell.landed()
    assert told == [1]
    assert bell.wait(0) is False


def test_the_daemon_rings_once_the_answer_is_on_the_disk(post: Post) -> None:
    post.bell = Bell()
    heard: list[list[str]] = []
    post.bell.follow(lambda: heard.append(post.inbox("RedCat")))
    post.agents("GreenCastle", "RedCat")
    root = str(post.worktree / ".gitmaild")
    with (
        post.bell.expecting(root, "GreenCastle", "hello.md") as accepted,
        post.bell.expecting(root, "GreenCastle", "bad.md") as refused,
    ):
        post.drop("GreenCastle", name="hello.md", to="RedCat", subject="lunch?")
        post.drop("GreenCastle", name="bad.md", subject="to nobody")
        post.start().daemon.turn([Hint("")])
        assert not accepted(0)  # neither has been still for long enough
        post.turn()
        assert accepted(0)
        assert refused(0)
    assert heard[-1] == ["GreenCastle: lunch?"]
    assert "hello" in post.sent("GreenCastle")
    assert post.rejected("GreenCastle") == {"bad.md": "no-recipient"}
