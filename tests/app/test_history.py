"""Commits that somebody else made, and a history that somebody else rewrote."""

import os
import subprocess

from tests.post import Post


def _foreign_commit(post: Post, path: str, data: str, subject: str = "by hand") -> str:
    """A commit by plain git, in the mailbox itself, as a person with a clone would push it."""
    environment = os.environ | {"GIT_INDEX_FILE": str(post.top / "index")}

    def git(*arguments: str, stdin: str = "") -> str:
        command = ["git", f"--git-dir={post.home.mailbox}", *arguments]
        return subprocess.run(
            command, input=stdin, env=environment, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("read-tree", "main")
    blob = git("hash-object", "-w", "--stdin", stdin=data)
    git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
    commit = git("commit-tree", git("write-tree"), "-p", "main", "-m", subject)
    git("update-ref", "refs/heads/main", commit)
    return commit


def _mail(message_id: str, stamp: str, subject: str) -> str:
    return (
        f"---\nid: {message_id}\nthread_id: br-9\nfrom: BlueLake\nto: [RedCat]\ncreated: {stamp}\nimportance: normal\n"
        f"ack_required: false\nsubject: {subject}\n---\nby hand\n"
    )


def test_a_commit_made_behind_the_daemons_back_is_mirrored_and_not_fought(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    name = "20260101T000000.500000Z_normal_BlueLake_byhand_0badcafe.md"
    text = _mail("msg_20260101_0badcafe", "2026-01-01T00:00:00.500000Z", "byhand")
    _foreign_commit(post, f"shop/agents/RedCat/inbox/2026/01/01/00/{name}", text)
    tip = _foreign_commit(post, "shop/messages/2026/01/01/00/msg_20260101_0badcafe.md", text)
    post.scan()
    assert post.names("RedCat") == [name]
    assert "by hand" in (post.worktree / ".gitmaild" / "threads" / "br-9.md").read_text()
    assert post.git("rev-parse", "main").strip() == tip
    post.drop("GreenCastle", to="RedCat", subject="on top")
    post.turn()
    assert post.inbox("RedCat") == ["BlueLake: byhand", "GreenCastle: on top"]
    assert post.git("merge-base", "--is-ancestor", tip, "main") == ""


def test_a_foreign_commit_writes_only_what_a_mirror_shows(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    for path in (
        "shop/agents/RedCat/inbox/2026/01/01/00/../../../../../../evil.md",
        "shop/agents/RedCat/inbox/2026/01/01/00/evil.sh",
        "shop/agents/Overseer/../../evil",
        "../evil",
    ):
        try:
            _foreign_commit(post, path, "evil\n")
        except subprocess.CalledProcessError:
            continue  # git itself refuses the path
    post.scan()
    assert not [path for path in post.top.rglob("*evil*") if "mailbox.git" not in path.parts]
    post.drop("GreenCastle", to="RedCat", subject="still here")
    post.turn()
    assert post.inbox("RedCat") == ["GreenCastle: still here"]


def test_a_rewritten_history_is_an_alarm_and_nothing_is_accepted_until_a_person_decides(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    post.drop("GreenCastle", to="RedCat", subject="one")
    post.turn()
    before = post.git("rev-parse", "main").strip()
    orphan = post.git("commit-tree", "main^{tree}", "-m", "rewritten").strip()
    post.git("update-ref", "refs/heads/main", orphan)
    post.drop("GreenCastle", to="RedCat", subject="two")
    post.turn()
    assert any("history rewritten" in text and orphan[:12] in text and before[:12] in text for text in post.alarm_texts())
    assert post.inbox("RedCat") == ["GreenCastle: one"]
    assert post.git("rev-parse", "main").strip() == orphan


def test_a_ref_that_is_put_back_ends_the_alarm_and_the_mail_goes_on(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    before = post.git("rev-parse", "main").strip()
    post.git("update-ref", "refs/heads/main", post.git("commit-tree", "main^{tree}", "-m", "rewritten").strip())
    post.drop("GreenCastle", to="RedCat", subject="waits")
    post.turn()
    post.git("update-ref", "refs/heads/main", before)
    post.settle(400)
    assert post.inbox("RedCat") == ["GreenCastle: waits"]
    assert post.alarm_texts() == []


def test_rebuild_accepts_the_history_that_is_there(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    kept = post.git("rev-parse", "main").strip()
    post.drop("GreenCastle", to="RedCat", subject="to be forgotten")
    post.turn()
    post.git("update-ref", "refs/heads/main", kept)
    post.drop("GreenCastle", to="RedCat", subject="after")
    post.turn()
    (post.home.state / "rebuild").touch()
    post.settle(400)
    assert post.inbox("RedCat") == ["GreenCastle: after"]
    assert post.alarm_texts() == []


def test_history_rewritten_while_the_daemon_was_down_is_noticed_at_the_start(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    post.stop()
    post.git("update-ref", "refs/heads/main", post.git("commit-tree", "main^{tree}", "-m", "rewritten").strip())
    post.drop("GreenCastle", to="RedCat", subject="waits")
    post.turn()
    assert any("history rewritten" in text for text in post.alarm_texts())
    assert post.inbox("RedCat") == []


def test_a_torn_ref_is_put_back_to_the_last_known_tip(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    tip = post.git("rev-parse", "main").strip()
    post.stop()
    (post.home.mailbox / "refs" / "heads" / "main").write_text("")
    post.drop("GreenCastle", to="RedCat", subject="on")
    post.turn()
    assert post.git("merge-base", "--is-ancestor", tip, "main") == ""
    assert post.inbox("RedCat") == ["GreenCastle: on"]
    assert any("put back" in text for text in post.alarm_texts())


def test_a_ref_that_is_gone_is_not_taken_for_a_new_mailbox(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    commits = len(post.log())
    post.stop()
    (post.home.mailbox / "refs" / "heads" / "main").unlink()
    post.drop("GreenCastle", to="RedCat", subject="on")
    post.turn()
    assert len(post.log()) == commits + 1
