"""The daemon reminds in time, once, across restarts."""

from gitmaild import wiring
from tests.post import Post


def asked(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    post.drop("GreenCastle", to="RedCat", subject="stop", ack_within="5m")
    post.settle()


def test_a_daemon_wakes_up_for_what_is_due_and_says_it_once(post: Post) -> None:
    asked(post)
    assert 0 < post.start().daemon.intake.tending.seconds_left() <= 300
    post.turn(290)
    assert post.inbox("RedCat") == ["GreenCastle: stop"]
    post.turn(20)
    assert post.inbox("RedCat") == ["GreenCastle: stop", "Postmaster: please acknowledge: stop"]
    assert post.inbox("GreenCastle") == ["Postmaster: not acknowledged in time: stop"]
    post.turn(5000)
    assert len(post.inbox("RedCat")) == 2
    post.check_mirrors()
    post.check_exactly_once()
    assert list(wiring.open_records(post.home).verify()) == []


def test_what_fell_due_while_nobody_served_is_said_at_the_next_start_and_never_again(post: Post) -> None:
    asked(post)
    for days in (3, 1):
        post.stop()
        post.clock.advance(days * 86_400)
        post.settle()
    assert [subject.partition(":")[0] for subject in post.log()[-2:]] == ["remind", "escalate"]
    assert post.inbox("GreenCastle") == ["Postmaster: not acknowledged in time: stop"]


def test_who_moves_it_to_acked_in_time_hears_nothing(post: Post) -> None:
    asked(post)
    [name] = post.names("RedCat")
    post.file("RedCat", name, "acked")
    post.settle()
    post.turn(400)
    assert (post.inbox("RedCat"), post.inbox("GreenCastle")) == ([], [])
    assert not [path for path in post.tree() if "acks-due" in path]
    assert post.start().daemon.intake.tending.seconds_left() == float("inf")
