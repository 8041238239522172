"""From the outbox to the inbox, told from the agents' side."""

from typing import Any

import pytest

from gitmaild.app.tip import Tip
from tests.post import Post


def test_a_dropped_file_becomes_mail_and_comes_back_to_its_sender(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    post.drop("GreenCastle", "Who takes the tests?\n", name="start.md", to="RedCat", subject="[br-123] Start: Auth API")
    post.turn()
    assert post.inbox("RedCat") == ["GreenCastle: [br-123] Start: Auth API"]
    assert "status: delivered" in post.sent("GreenCastle")["start"]
    assert post.waiting("GreenCastle") == []
    assert post.log()[-1] == "deliver: GreenCastle -> RedCat: [br-123] Start: Auth API"


def test_an_unknown_recipient_bounces_and_the_rest_get_their_mail(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    post.drop("GreenCastle", name="lunch.md", to="RedCat, RedCatt", subject="lunch?")
    post.turn()
    assert post.inbox("RedCat") == ["GreenCastle: lunch?"]
    assert post.inbox("GreenCastle") == ["Postmaster: not delivered to RedCatt: lunch?"]
    assert "RedCatt bounced: no agent 'RedCatt'; did you mean RedCat?" in post.sent("GreenCastle")["lunch"]


def test_a_mirror_that_was_kept_up_equals_one_made_from_nothing(post: Post) -> None:
    post.agents("GreenCastle", "RedCat", "BlueLake")
    for number in range(5):
        post.drop("GreenCastle", to="RedCat", cc="BlueLake", thread_id="br-1", subject=f"n{number}", ack_required="yes")
        post.turn()
    post.file("RedCat", post.names("RedCat")[0], "read")
    post.file("RedCat", post.names("RedCat")[0], "acked")
    post.turn()
    kept_up = post.snapshot()
    post.stop()
    (post.home.state / "rebuild").touch()
    for path in post.worktree.glob(".gitmaild/agents/*/*/*.md"):
        path.unlink()
    for path in post.worktree.glob(".gitmaild/threads/*"):
        path.unlink()
    post.turn()
    assert post.snapshot() == kept_up


def test_an_attachment_reaches_every_root_under_its_name_and_a_rebuild_shows_it_again(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    files = post.desk("GreenCastle") / "outbox" / "files"
    files.mkdir()
    (files / "report.txt").write_bytes(b"all green\n")
    post.drop("GreenCastle", to="RedCat", subject="see the report", attachments="report.txt")
    post.turn()
    shown = list(post.worktree.glob(".gitmaild/files/*/report.txt"))
    assert [path.read_bytes() for path in shown] == [b"all green\n"]
    assert f"attachments: [{shown[0].parent.name}/report.txt]" in (
        post.desk("RedCat") / "inbox" / post.names("RedCat")[0]
    ).read_text().replace('"', "")
    assert list(files.iterdir()) == []
    before = post.snapshot()
    shown[0].unlink()
    (post.home.state / "rebuild").touch()
    post.scan()
    assert post.snapshot() == before


def test_an_attachment_that_was_replaced_while_its_message_was_accepted_stays(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.agents("GreenCastle", "RedCat")
    files = post.desk("GreenCastle") / "outbox" / "files"
    files.mkdir()
    (files / "report.txt").write_bytes(b"first\n")
    show = Tip.show

    def replaced(self: Tip, *arguments: Any) -> None:
        show(self, *arguments)
        (files / "report.txt").write_bytes(b"second\n")

    monkeypatch.setattr(Tip, "show", replaced)
    post.drop("GreenCastle", to="RedCat", attachments="report.txt")
    post.turn()
    assert (files / "report.txt").read_bytes() == b"second\n"
    assert [path.read_bytes() for path in post.worktree.glob(".gitmaild/files/*/report.txt")] == [b"first\n"]
