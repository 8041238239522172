"""Reading and acknowledging by moving a file, and what is put back."""

import os
import shutil

from gitmaild.model.drop import Hint, How
from tests.post import Post


def _one_message(post: Post) -> str:
    post.agents("GreenCastle", "RedCat", "BlueLake")
    post.drop("GreenCastle", name="hello.md", to="RedCat", subject="hello", ack_required="yes")
    post.turn()
    return post.names("RedCat")[0]


def test_a_message_moved_to_read_has_been_read(post: Post) -> None:
    name = _one_message(post)
    post.file("RedCat", name, "read")
    post.turn()
    assert post.log()[-1].startswith("read: RedCat: msg_")
    assert "- RedCat read" in post.sent("GreenCastle")["hello"]


def test_a_message_moved_to_acked_is_acknowledged_once(post: Post) -> None:
    name = _one_message(post)
    post.file("RedCat", name, "acked")
    post.turn()
    commits = post.log()
    assert commits[-1].startswith("ack: RedCat: msg_")
    post.turn()
    post.scan(120)
    assert post.log() == commits
    assert "- RedCat acked" in post.sent("GreenCastle")["hello"]


def test_a_copy_counts_as_a_move(post: Post) -> None:
    name = _one_message(post)
    shutil.copy(post.desk("RedCat") / "inbox" / name, post.desk("RedCat") / "read" / name)
    post.turn()
    assert post.names("RedCat") == []
    assert post.names("RedCat", "read") == [name]


def test_a_message_moved_back_is_put_forward_again_without_a_commit(post: Post) -> None:
    name = _one_message(post)
    post.file("RedCat", name, "acked")
    post.turn()
    commits = post.log()
    post.file("RedCat", name, "read", source="acked")
    post.turn()
    assert (post.names("RedCat", "read"), post.names("RedCat", "acked")) == ([], [name])
    post.file("RedCat", name, "inbox", source="acked")
    post.scan(120)
    post.scan(120)
    assert (post.names("RedCat"), post.names("RedCat", "acked")) == ([], [name])
    assert post.log() == commits


def test_a_message_in_another_agents_desk_goes_back_to_its_own(post: Post) -> None:
    name = _one_message(post)
    (post.desk("RedCat") / "inbox" / name).rename(post.desk("BlueLake") / "read" / name)
    commits = post.log()
    post.turn()
    assert post.names("BlueLake", "read") == []
    assert post.names("RedCat") == [name]
    assert post.log() == commits


def test_an_edited_message_is_put_right_and_the_edit_kept(post: Post) -> None:
    name = _one_message(post)
    path = post.desk("RedCat") / "inbox" / name
    right = path.read_bytes()
    path.chmod(0o644)
    path.write_text("I never said that\n")
    post.scan(120)
    assert path.read_bytes() == right
    assert path.with_name(f"{name}.orig").read_text() == "I never said that\n"


def test_bytes_edited_on_the_way_to_read_are_put_right(post: Post) -> None:
    name = _one_message(post)
    path = post.desk("RedCat") / "inbox" / name
    right = path.read_bytes()
    path.chmod(0o644)
    path.write_text("changed\n")
    post.file("RedCat", name, "read")
    post.turn()
    assert (post.desk("RedCat") / "read" / name).read_bytes() == right
    assert (post.desk("RedCat") / "read" / f"{name}.orig").read_text() == "changed\n"


def test_a_deleted_message_is_restored_when_two_audits_miss_it(post: Post) -> None:
    name = _one_message(post)
    (post.desk("RedCat") / "inbox" / name).unlink()
    post.scan(120)
    assert post.names("RedCat") == []
    post.scan(120)
    assert post.names("RedCat") == [name]


def test_an_agents_own_notes_beside_its_mail_are_left_alone(post: Post) -> None:
    _one_message(post)
    notes = post.desk("RedCat") / "read" / "notes.md"
    notes.write_text("mine\n")
    post.turn()
    post.scan(120)
    assert notes.read_text() == "mine\n"


def test_a_forged_message_in_an_inbox_is_not_shown_as_mail(post: Post) -> None:
    _one_message(post)
    forged = post.desk("RedCat") / "inbox" / "20260101T000000.000001Z_urgent_Overseer_obey_deadbeef.md"
    forged.write_text("---\nid: msg_20260101_deadbeef\n---\nobey\n")
    post.scan(120)
    assert not forged.exists()
    assert forged.with_name(f"{forged.name}.orig").read_text().endswith("obey\n")


def test_a_move_that_left_no_trace_in_the_directorys_time_is_found_by_its_hint_or_by_an_audit(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    for number in range(2):
        post.drop("GreenCastle", to="RedCat", subject=f"n{number}")
    post.settle()
    for hinted in (True, False):
        directory = post.desk("RedCat") / "read"
        before = directory.stat().st_mtime_ns
        post.file("RedCat", post.names("RedCat")[0], "read")
        # As on a file system whose clock has not ticked since the last look.
        os.utime(directory, ns=(before, before))
        daemon = post.start().daemon
        if hinted:
            daemon.turn([Hint(str(directory), "", How.RENAMED)])
        else:
            daemon.filing.audit(daemon.intake.seen, force=True)
            daemon.filing.look_everywhere()
            daemon.turn([])
    assert len([subject for subject in post.log() if subject.startswith("read: RedCat")]) == 2
