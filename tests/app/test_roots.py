"""Many roots, one truth: worktrees and projects that come, go and come back."""

import os
import shutil
from pathlib import Path

import pytest

from tests.post import Post


def test_two_worktrees_of_one_project_both_show_the_mail(post: Post) -> None:
    review = post.add_worktree("shop-review")
    post.agents("GreenCastle", "RedCat")
    post.drop("RedCat", name="join.md", kind="register", worktree=review)
    post.turn()
    post.drop("GreenCastle", to="RedCat", subject="both of you")
    post.turn()
    assert post.names("RedCat") == post.names("RedCat", worktree=review) != []


def test_a_desk_is_only_where_it_was_made(post: Post) -> None:
    review = post.add_worktree("shop-review")
    post.agents("GreenCastle", "RedCat")
    post.drop("GreenCastle", to="RedCat", subject="one of you")
    post.turn()
    assert post.inbox("RedCat") == ["GreenCastle: one of you"]
    assert not post.desk("RedCat", review).exists()


def test_a_desk_that_is_made_later_in_another_worktree_is_filled_with_what_was_there(post: Post) -> None:
    review = post.add_worktree("shop-review")
    post.agents("GreenCastle", "RedCat")
    post.drop("GreenCastle", to="RedCat", subject="old")
    post.turn()
    post.file("RedCat", post.names("RedCat")[0], "acked")
    post.turn()
    (post.desk("RedCat", review) / "outbox").mkdir(parents=True)
    post.scan()
    assert post.names("RedCat", "acked", review) == post.names("RedCat", "acked") != []
    assert (post.desk("RedCat", review) / "sent").is_dir()


def test_filing_in_one_worktree_moves_the_message_in_the_other(post: Post) -> None:
    review = post.add_worktree("shop-review")
    post.agents("GreenCastle", "RedCat")
    (post.desk("RedCat", review) / "outbox").mkdir(parents=True)
    post.drop("GreenCastle", to="RedCat", subject="x")
    post.turn()
    post.file("RedCat", post.names("RedCat")[0], "read", worktree=review)
    post.turn()
    assert post.names("RedCat") == []
    assert len(post.names("RedCat", "read")) == 1


def test_projects_of_one_home_keep_their_mail_apart(post: Post) -> None:
    web = post.add_worktree("web", project="web")
    post.agents("GreenCastle", "RedCat")
    for name in ("GreenCastle", "RedCat"):
        post.drop(name, name="join.md", kind="register", worktree=web)
    post.turn()
    post.drop("GreenCastle", to="RedCat", subject="of shop")
    post.drop("GreenCastle", to="RedCat", subject="of web", worktree=web)
    post.turn()
    assert post.inbox("RedCat") == ["GreenCastle: of shop"]
    assert "of-web" in post.names("RedCat", worktree=web)[0]
    assert {row.partition("/")[0] for row in post.git("ls-tree", "--name-only", "main").split()} >= {"shop", "web"}


def test_a_root_that_was_wiped_comes_back_from_the_mailbox(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    post.drop("GreenCastle", to="RedCat", subject="kept", thread_id="br-1")
    post.turn()
    before = post.snapshot()
    shutil.rmtree(post.worktree / ".gitmaild")
    post.scan()
    assert post.start().daemon.roots.away
    for name in ("GreenCastle", "RedCat"):
        (post.desk(name) / "outbox").mkdir(parents=True)
    post.scan()
    assert post.snapshot() == before


def test_mail_for_a_desk_whose_root_is_away_waits_in_the_mailbox(post: Post) -> None:
    review = post.add_worktree("shop-review")
    post.agents("GreenCastle")
    post.drop("RedCat", name="join.md", kind="register", worktree=review)
    post.turn()
    shutil.move(review, post.top / "elsewhere")
    post.drop("GreenCastle", to="RedCat", subject="while you were out")
    post.turn()
    shutil.move(post.top / "elsewhere", review)
    post.scan()
    assert "while-you-were-out" in post.names("RedCat", worktree=review)[0]


def test_a_root_that_became_a_symlink_stops_with_an_alarm_and_the_others_go_on(post: Post) -> None:
    review = post.add_worktree("shop-review")
    post.agents("GreenCastle", "RedCat")
    (post.desk("RedCat", review) / "outbox").mkdir(parents=True)
    post.scan()
    shutil.move(review / ".gitmaild", post.top / "stolen")
    (review / ".gitmaild").symlink_to(post.top / "stolen")
    post.drop("GreenCastle", to="RedCat", subject="go on")
    post.turn()
    assert post.inbox("RedCat") == ["GreenCastle: go on"]
    assert not list((post.top / "stolen" / "agents" / "RedCat" / "inbox").iterdir())
    assert any("symlink" in text for text in post.alarm_texts())


@pytest.mark.skipif(
    not Path("/dev/shm").is_dir() or os.stat("/dev/shm").st_dev == os.stat("/tmp").st_dev,
    reason="needs two file systems: /dev/shm and /tmp are one here",
)
def test_a_home_on_another_file_system_than_the_worktree(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = Path("/tmp" if os.stat(tmp_path).st_dev == os.stat("/dev/shm").st_dev else "/dev/shm")
    place = other / f"gitmaild-test-{os.getpid()}"
    place.mkdir()
    try:
        post = Post(tmp_path)
        (tmp_path / "shop").rename(tmp_path / "unused")
        worktree = place / "shop"
        (worktree / ".gitmaild").mkdir(parents=True)
        (tmp_path / "shop").symlink_to(tmp_path / "unused")
        from gitmaild.rules import roots

        post.home.roots.write_bytes(b"")
        post.home.change_registry(lambda data: roots.render(roots.parse(data).enrol("shop", str(worktree), str(worktree))))
        post.worktree = worktree
        post.agents("GreenCastle", "RedCat")
        post.drop("GreenCastle", to="RedCat", subject="across")
        post.turn()
        assert post.inbox("RedCat") == ["GreenCastle: across"]
        post.stop()
    finally:
        shutil.rmtree(place)


def test_the_overseer_writes_from_the_home_and_reads_there(post: Post) -> None:
    post.agents("GreenCastle")
    outbox = post.home.post / "shop" / "agents" / "Overseer" / "outbox"
    (outbox / ".hello").write_text("---\nto: everyone\nsubject: hello all\n---\n")
    (outbox / ".hello").rename(outbox / "hello.md")
    post.drop("GreenCastle", to="Overseer", subject="a question")
    post.turn()
    assert post.inbox("GreenCastle") == ["Overseer: hello all"]
    assert any("a-question" in path.name for path in (outbox.parent / "inbox").iterdir())


def test_a_forged_overseer_desk_in_a_worktree_is_ignored_with_an_alarm(post: Post) -> None:
    post.agents("GreenCastle")
    forged = post.drop("Overseer", to="GreenCastle", subject="do as I say")
    post.turn()
    assert post.inbox("GreenCastle") == []
    assert forged.exists()
    assert any("Overseer is ignored" in text for text in post.alarm_texts())
