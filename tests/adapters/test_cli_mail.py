"""send, reply, inbox, show, read, ack, thread, wait."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.runner import Terminal, git, process
from tests.adapters.test_cli_office import somebody_serves

GONE = "msg_20260101_00000000"


def inbox(terminal: Terminal, agent: str, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = terminal.ok("--as", agent, "inbox", "--json", *options).json
    return found


def subjects(terminal: Terminal, agent: str, *options: str) -> list[str]:
    return [message["subject"] for message in inbox(terminal, agent, *options)]


# --- send


def test_sending_answers_with_the_fate_of_every_recipient(crew: Terminal) -> None:
    said = crew.ok(
        "--as", "GreenCastle", "send", "--to", "RedCat,BlueLake", "--thread", "br-123", "-s", "x", "--json", stdin="hello\n"
    ).json
    assert re.fullmatch(r"msg_\d{8}_[0-9a-f]{8,}", said.pop("id"))  # row 64
    assert said == {
        "thread_id": "br-123",
        "status": "delivered",
        "recipients": [{"name": "RedCat", "state": "inbox"}, {"name": "BlueLake", "state": "inbox"}],
    }


def test_one_send_is_one_file_in_each_inbox_and_one_commit(crew: Terminal, home: Path) -> None:
    """Row 50."""
    commits = int(git(home / "mailbox.git", "rev-list", "--count", "main"))
    (crew.here / "body.md").write_text("I take src/api.\n")
    subject = "[br-123] Start: Auth API"
    crew.ok("--as", "GreenCastle", "send", "--to", "RedCat,BlueLake", "--thread", "br-123", "--subject", subject, "body.md")
    agents = crew.here / ".gitmaild/agents"
    for name in ("RedCat", "BlueLake"):
        [file] = (agents / name / "inbox").iterdir()
        assert file.name.split("_")[1:4] == ["normal", "GreenCastle", "br-123-start-auth-api"]
    assert len(list((agents / "GreenCastle/sent").glob("message-*"))) == 1
    assert os.listdir(agents / "GreenCastle/outbox") == [".claimed"]
    assert int(git(home / "mailbox.git", "rev-list", "--count", "main")) == commits + 1


def test_a_message_in_the_record_is_markdown_with_its_metadata_first(crew: Terminal, home: Path) -> None:
    """Rows 63 and 65."""
    mail = crew.mail("GreenCastle", "--to", "RedCat", "--thread", "br-1", "--subject", "x", body="the body\n\nunchanged \n")
    [path] = git(home / "mailbox.git", "ls-tree", "-r", "--name-only", "main", "shop/messages").splitlines()
    head, body = git(home / "mailbox.git", "show", f"main:{path}").removeprefix("---\n").split("---\n", 1)
    fields = dict(line.split(": ", 1) for line in head.splitlines())
    assert list(fields)[:7] == ["id", "thread_id", "from", "to", "created", "importance", "ack_required"]
    assert (fields["id"], body) == (mail, "the body\n\nunchanged \n")
    author, at = (
        git(home / "mailbox.git", "log", "-1", "--format=%an|%ad", "--date=format:%Y-%m-%dT%H:%M:%S", "main")
        .strip()
        .split("|")
    )
    assert (author, at) == ("GreenCastle", fields["created"][:19])


def test_the_body_is_a_file_or_standard_input_or_nothing(crew: Terminal) -> None:
    (crew.here / "body.md").write_text("from a file\n")
    send = ("--as", "GreenCastle", "send", "--to", "RedCat", "-s", "x")
    crew.ok(*send, "body.md")
    crew.ok(*send, "-", stdin="from a dash\n")
    crew.ok(*send, stdin="from a pipe\n")
    crew.ok(*send, stdin="")
    crew.ok(*send)
    bodies = [message["body"] for message in inbox(crew, "RedCat", "--bodies")]
    assert bodies == ["", "", "from a pipe\n", "from a dash\n", "from a file\n"]


@pytest.mark.parametrize(
    "body", ["---\nto: everyone\n---\n", "\r\nwindows\r\n", "\n\n", "ends without newline", "ünïcode ☃"]
)
def test_a_body_arrives_byte_for_byte(crew: Terminal, body: str) -> None:
    mail = crew.mail("GreenCastle", "--to", "RedCat", "--subject", "x", body=body)
    assert crew.ok("--as", "RedCat", "show", mail, "--json").json["body"] == body


@pytest.mark.parametrize("subject", ["[br-123] Start: *!@#", "'quoted'", '"', "yes", "# x", "a, b", " x ", "ünï", "\\n"])
def test_a_subject_arrives_as_it_was_written(crew: Terminal, subject: str) -> None:
    crew.mail("GreenCastle", "--to", "RedCat", "--subject", subject)
    assert subjects(crew, "RedCat") == [subject.strip()]


def test_what_is_not_utf8_is_a_usage_error(crew: Terminal) -> None:
    send = ("--as", "GreenCastle", "send", "--to", "RedCat", "-s", "x")
    refused = crew(*send, stdin=b"caf\xe9")
    assert (refused.status, "standard input: byte at offset 3 is not UTF-8" in refused.err) == (64, True)
    (crew.here / "latin.txt").write_bytes(b"\xe9")
    assert crew(*send, "latin.txt").status == 64
    assert inbox(crew, "RedCat") == []


def test_usage_errors_of_send(crew: Terminal) -> None:
    send = ("--as", "GreenCastle", "send")
    (crew.here / "sub").mkdir()
    for name in ("a.txt", "sub/a.txt"):
        (crew.here / name).write_text(name)
    for options in (
        ("-s", "x"),
        ("--to", "RedCat", "no-such-file.md"),
        ("--to", "RedCat", "--attach", "no-such-file"),
        ("--to", "RedCat", "--attach", "a.txt", "--attach", "sub/a.txt"),
        ("--to", "RedCat", "--importance", "hot"),  # row 58
        ("--to", "RedCat", "--no-such-option"),
    ):
        assert crew(*send, *options, stdin="").status == 64, options
    assert not list((crew.here / ".gitmaild/agents/GreenCastle/sent").glob("message-*"))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--to", "GreenCastel"), "did you mean GreenCastle?"),  # row 78
        (("--to", "../RedCat"), "bad agent name"),
        (("--to", "RedCat", "--thread", "a/b"), "cannot name a thread"),
        (("--to", "RedCat", "-s", "x" * 201), "201 characters; limit 200"),
    ],
)
def test_refusals_come_back_at_once(crew: Terminal, options: tuple[str, ...], why: str) -> None:
    refused = crew("--as", "GreenCastle", "send", *options, stdin="")
    assert refused.status == 65
    assert why in refused.err
    assert len(list((crew.here / ".gitmaild/agents/GreenCastle/rejected").glob("message-*.why.md"))) == 1


def test_who_is_unknown_bounces_and_the_others_get_their_mail(crew: Terminal) -> None:
    """Row 78."""
    said = crew.ok("--as", "RedCat", "send", "--to", "GreenCastel,BlueLake", "-s", "x", "--json", stdin="").json
    assert said["status"] == "partly"
    assert said["recipients"][0] == {"name": "BlueLake", "state": "inbox"}
    assert "did you mean GreenCastle?" in said["recipients"][1]["state"]
    assert subjects(crew, "BlueLake") == ["x"]
    assert subjects(crew, "RedCat") == ["not delivered to GreenCastel: x"]


def test_a_message_to_oneself(terminal: Terminal) -> None:
    """Row 56."""
    terminal.join("TestAgent")
    terminal.mail("TestAgent", "--to", "TestAgent", "--thread", "test", "--subject", "Test message")
    assert [(m["subject"], m["thread_id"]) for m in inbox(terminal, "TestAgent")] == [("Test message", "test")]


def test_blind_copies_are_seen_by_nobody_else(crew: Terminal) -> None:
    said = crew.ok("--as", "GreenCastle", "send", "--to", "RedCat", "--bcc", "BlueLake", "-s", "x", "--json", stdin="").json
    assert [row["name"] for row in said["recipients"]] == ["RedCat", "BlueLake"]
    assert subjects(crew, "BlueLake") == ["x"]
    assert "BlueLake" not in crew.ok("--as", "RedCat", "show", said["id"], "--json").out
    assert "BlueLake" not in crew.ok("log", "-1").out


def test_a_note_that_names_a_blind_recipient_is_shown_to_its_reader_alone(crew: Terminal) -> None:
    crew.mail("GreenCastle", "--to", "RedCat", "--bcc", "NoBody", "-s", "x")
    [note] = [message for message in inbox(crew, "GreenCastle") if message["from"] == "Postmaster"]
    assert "NoBody" in crew.ok("--as", "GreenCastle", "show", note["id"]).out
    for command in ("show", "thread", "reply", "summarize"):
        said = crew("--as", "RedCat", command, note["id"], stdin="")
        assert (said.status, "NoBody" in said.out + said.err) == (1, False), command


def attached(home: Path, name: str) -> str:
    """The text of an attachment as the record has it."""
    sha256 = name.partition("/")[0]
    return git(home / "mailbox.git", "show", f"main:shop/attachments/{sha256[:2]}/{name}")


def test_attachments_are_kept_in_the_record(crew: Terminal, home: Path) -> None:
    (crew.here / "re port.txt").write_text("numbers\n")
    mail = crew.mail("GreenCastle", "--to", "RedCat", "--subject", "x", "--attach", "re port.txt")
    [name] = crew.ok("--as", "RedCat", "show", mail, "--json").json["attachments"]
    assert (name.partition("/")[2], attached(home, name)) == ("re port.txt", "numbers\n")
    assert not list((crew.here / ".gitmaild/agents/GreenCastle/outbox/files").iterdir())


def test_a_refused_message_leaves_no_attachment_behind(crew: Terminal) -> None:
    (crew.here / "a.txt").write_text("one\n")
    assert crew("--as", "GreenCastle", "send", "--to", "ZedWolf", "--attach", "a.txt", stdin="").status == 65
    (crew.here / "a.txt").write_text("two\n")
    crew.mail("GreenCastle", "--to", "RedCat", "--subject", "x", "--attach", "a.txt")


def test_an_attachment_never_replaces_one_that_waits(crew: Terminal, home: Path) -> None:
    (crew.here / "a.txt").write_text("one\n")
    send = ("--as", "GreenCastle", "send", "--to", "RedCat", "--attach", "a.txt")
    with somebody_serves(home):
        assert crew(*send, stdin="").status == 3
        (crew.here / "a.txt").write_text("two\n")
        refused = crew(*send, stdin="")
    assert (refused.status, "still waits for another message" in refused.err) == (75, True)
    crew.ok("serve", "--once")
    [message] = inbox(crew, "RedCat")
    [name] = crew.ok("show", message["id"], "--json").json["attachments"]
    assert attached(home, name) == "one\n"


def test_the_same_request_gets_the_first_answer_again(crew: Terminal) -> None:
    first, second = (
        crew.mail("GreenCastle", "--to", "RedCat", "--subject", "x", "--request-id", "r-1", body="b") for _ in range(2)
    )
    assert first == second
    assert len(inbox(crew, "RedCat")) == 1
    other = crew("--as", "GreenCastle", "send", "--to", "RedCat", "-s", "x", "--request-id", "r-1", stdin="other")
    assert (other.status, "request-id-used" in other.err) == (65, True)


def test_a_send_that_nobody_answers_is_queued_and_not_lost(crew: Terminal, home: Path) -> None:
    send = ("--as", "GreenCastle", "send", "--to", "RedCat", "-s", "x", "--json")
    with somebody_serves(home):
        queued = crew(*send, stdin="")
    assert queued.status == 3
    assert "do not repeat it" in queued.err
    assert queued.json["status"] == "queued"
    assert (crew.here / ".gitmaild/agents/GreenCastle/outbox" / queued.json["file"]).exists()
    crew.mail("RedCat", "--to", "BlueLake", "--subject", "the next command's pass takes it too")
    crew.ok("serve", "--once")
    assert subjects(crew, "RedCat") == ["x"]


def test_a_mailbox_that_cannot_be_served_leaves_the_message_queued(crew: Terminal, home: Path) -> None:
    (home / "config.yaml").write_text("batch_files: none\n")
    queued = crew("--as", "GreenCastle", "send", "--to", "RedCat", "-s", "x", stdin="")
    assert queued.status == 3
    assert "batch_files" in queued.err
    (home / "config.yaml").unlink()
    crew.ok("serve", "--once")
    assert subjects(crew, "RedCat") == ["x"]


# --- reply


def test_a_reply_keeps_the_thread(crew: Terminal) -> None:
    """Row 54."""
    mail = crew.mail("GreenCastle", "--to", "RedCat", "--thread", "br-123", "--subject", "[br-123] Start: Auth API")
    said = crew.ok("--as", "RedCat", "reply", mail, "--json", stdin="I take the tests.\n").json
    assert (said["thread_id"], said["recipients"]) == ("br-123", [{"name": "GreenCastle", "state": "inbox"}])
    [answer] = crew.ok("thread", "br-123", "--json").json[1:]
    assert (answer["subject"], answer["in_reply_to"]) == ("RE: [br-123] Start: Auth API", mail)
    again = crew.ok("--as", "GreenCastle", "reply", said["id"], "--json", stdin="").json
    assert inbox(crew, "RedCat")[0]["subject"] == "RE: [br-123] Start: Auth API"
    assert again["thread_id"] == "br-123"


def test_a_reply_to_all_leaves_out_who_replies(crew: Terminal) -> None:
    crew.join("SwiftFalcon")
    mail = crew.mail("GreenCastle", "--to", "RedCat,BlueLake", "--cc", "SwiftFalcon", "--subject", "x")
    crew.ok("--as", "RedCat", "reply", "--all", mail, "--subject", "y", stdin="")
    [answer] = [m for m in inbox(crew, "BlueLake") if m["from"] == "RedCat"]
    assert (answer["to"], answer["cc"], answer["subject"]) == (["GreenCastle", "BlueLake"], ["SwiftFalcon"], "y")
    assert subjects(crew, "RedCat") == ["x"]


def test_a_reply_takes_a_file_and_the_end_of_an_id(crew: Terminal) -> None:
    mail = crew.mail("GreenCastle", "--to", "RedCat", "--subject", "x")
    (crew.here / "answer.md").write_text("yes\n")
    crew.ok("--as", "RedCat", "reply", mail.rpartition("_")[2], "--ack", "--importance", "high", "answer.md")
    [answer] = inbox(crew, "GreenCastle", "--bodies")
    assert (answer["body"], answer["ack_required"], answer["importance"]) == ("yes\n", True, "high")


def test_a_reply_to_nothing_is_status_1(crew: Terminal) -> None:
    assert crew("--as", "RedCat", "reply", GONE, stdin="").status == 1


# --- inbox


def test_the_inbox_in_json(crew: Terminal) -> None:
    mail = crew.mail("GreenCastle", "--to", "RedCat", "--cc", "BlueLake", "--thread", "br-1", "--ack", "--subject", "x")
    [message] = inbox(crew, "RedCat")
    path = Path(message.pop("path"))
    assert path.parent == crew.here / ".gitmaild/agents/RedCat/inbox"
    assert path.read_text().startswith(f"---\nid: {mail}\n")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", message.pop("created"))
    assert message == {
        "id": mail,
        "thread_id": "br-1",
        "from": "GreenCastle",
        "to": ["RedCat"],
        "cc": ["BlueLake"],
        "subject": "x",
        "tags": [],
        "importance": "normal",
        "ack_required": True,
        "state": "inbox",
    }
    [with_body] = inbox(crew, "RedCat", "--bodies")
    assert with_body["body"] == "hello\n"


def test_the_inbox_is_newest_first_and_limited(crew: Terminal) -> None:
    """Row 55."""
    for number in range(3):
        crew.mail("GreenCastle", "--to", "RedCat", "--subject", f"n{number}")
    assert subjects(crew, "RedCat") == ["n2", "n1", "n0"]
    [newest] = inbox(crew, "RedCat", "--limit", "1")
    assert newest["id"].startswith("msg_")
    assert newest["subject"] == "n2"


def test_the_inbox_by_importance(crew: Terminal) -> None:
    """Rows 58 and 59."""
    for importance in ("low", "normal", "high", "urgent"):
        crew.mail("GreenCastle", "--to", "RedCat", "--importance", importance, "--subject", importance)
    assert [m["importance"] for m in inbox(crew, "RedCat")] == ["urgent", "high", "normal", "low"]
    assert subjects(crew, "RedCat", "--urgent") == ["urgent"]
    assert subjects(crew, "RedCat", "--min", "high") == ["urgent", "high"]


def test_the_inbox_by_time(crew: Terminal) -> None:
    crew.mail("GreenCastle", "--to", "RedCat", "--subject", "x")
    for early in ("1h", "999999w", "2020-01-01", "0001-01-01T00:00:00+14:00", "2020-01-01T00:00:00Z"):
        assert subjects(crew, "RedCat", "--since", early) == ["x"], early
    for late in ("0s", "2999-01-01", "2998-12-31T23:00:00-05:00"):
        assert subjects(crew, "RedCat", "--since", late) == [], late
    assert crew("--as", "RedCat", "inbox", "--since", "yesterday").status == 65


def test_a_time_with_an_offset_is_the_time_it_means(crew: Terminal) -> None:
    from datetime import datetime, timedelta, timezone

    crew.mail("GreenCastle", "--to", "RedCat", "--subject", "x")
    [message] = inbox(crew, "RedCat")
    just_before = datetime.fromisoformat(message["created"]) - timedelta(seconds=1)
    for hours in (-11, 0, 13):
        there = just_before.astimezone(timezone(timedelta(hours=hours))).isoformat()
        assert subjects(crew, "RedCat", "--since", there) == ["x"]


def test_the_inbox_by_thread_shows_what_was_read_too(crew: Terminal) -> None:
    first = crew.mail("GreenCastle", "--to", "RedCat", "--thread", "continuity", "--subject", "one")
    crew.mail("GreenCastle", "--to", "RedCat", "--subject", "other")
    crew.ok("--as", "RedCat", "read", first)
    assert subjects(crew, "RedCat", "--thread", "continuity", "--limit", "1") == ["one"]
    assert subjects(crew, "RedCat") == ["other"]
    assert subjects(crew, "RedCat", "--all") == ["other", "one"]


def test_the_inbox_for_people(crew: Terminal) -> None:
    assert crew.ok("--as", "RedCat", "inbox").out == "no mail\n"
    mail = crew.mail("GreenCastle", "--to", "RedCat", "--ack", "--importance", "urgent", "--subject", "main is broken")
    crew.mail("GreenCastle", "--to", "RedCat")
    newest, oldest = crew.ok("--as", "RedCat", "inbox").out.splitlines()
    assert oldest.startswith(mail)
    assert oldest.endswith("GreenCastle  urgent ack!  main is broken")
    assert newest.endswith("(no subject)")


def test_a_damaged_file_in_an_inbox_hides_nothing_else(crew: Terminal) -> None:
    crew.mail("GreenCastle", "--to", "RedCat", "--subject", "x")
    desk = crew.here / ".gitmaild/agents/RedCat/inbox"
    (desk / "20990101T000000.000000Z_normal_BlueLake_y_0123abcd.md").write_text("torn")
    (desk / "20990101T000000.000000Z_normal_BlueLake_y_0123abce.md").symlink_to("/etc/passwd")
    (desk / "notes.md").write_text("mine")
    assert subjects(crew, "RedCat") == ["x"]


# --- show, read, ack


def test_show_prints_a_message_and_files_nothing(crew: Terminal) -> None:
    mail = crew.mail("GreenCastle", "--to", "RedCat", "--subject", "x", body="\nhello\n")
    for args in (("--as", "RedCat", "show", mail), ("show", mail), ("--as", "BlueLake", "show", mail)):
        assert "subject: x\n\nhello\n" in crew.ok(*args).out
    assert inbox(crew, "RedCat")[0]["state"] == "inbox"
    assert crew.ok("show", mail, "--json").json["path"] == ""


def test_show_of_nothing_is_status_1(crew: Terminal) -> None:
    for an_id in (GONE, "msg_99999999_00000000", "../../etc/passwd", ""):
        gone = crew("--as", "RedCat", "show", an_id)
        assert (gone.status, gone.out) == (1, "")
        assert "there is no message" in gone.err


def test_inbox_read_and_acknowledged_are_three_states(crew: Terminal) -> None:
    """Row 79."""
    mail = crew.mail("GreenCastle", "--to", "RedCat", "--ack", "--subject", "x")
    for command, state in (("", "inbox"), ("read", "read"), ("ack", "acked")):
        if command:
            assert crew.ok("--as", "RedCat", command, mail, "--json").json == {"status": "done", "ids": [mail]}
        [message] = inbox(crew, "RedCat", "--all")
        assert message["state"] == state == Path(message["path"]).parent.name
        said = crew.ok("--as", "RedCat", "inbox", "--all").out
        assert ("ack!" in said, state in said.split()) == (state != "acked", state != "inbox")
    assert crew.ok("--as", "RedCat", "read", mail).out == f"read: {mail}\n"
    assert inbox(crew, "RedCat", "--all")[0]["state"] == "acked"


def test_a_second_acknowledgement_changes_nothing(crew: Terminal, home: Path) -> None:
    """Row 61."""
    mail = crew.mail("GreenCastle", "--to", "RedCat", "--ack", "--subject", "x")
    crew.ok("--as", "RedCat", "ack", mail)
    before = git(home / "mailbox.git", "rev-parse", "main:shop")
    assert crew.ok("--as", "RedCat", "ack", mail).out == f"acknowledged: {mail}\n"
    assert git(home / "mailbox.git", "rev-parse", "main:shop") == before
    [sent] = (crew.here / ".gitmaild/agents/GreenCastle/sent").glob("message-*")
    assert "- RedCat acked\n" in sent.read_text()


def test_only_own_mail_can_be_filed(crew: Terminal) -> None:
    mail = crew.mail("GreenCastle", "--to", "RedCat", "--subject", "x")
    assert crew("--as", "BlueLake", "ack", mail).status == 65
    assert crew("--as", "RedCat", "read", "nonsense").status == 65
    assert crew("--as", "RedCat", "read").status == 64


# --- thread


def test_a_thread_is_in_the_order_of_time(crew: Terminal) -> None:
    """Row 53."""
    first = crew.mail("GreenCastle", "--to", "RedCat", "--thread", "br-123", "--subject", "one")
    second = crew.mail("RedCat", "--to", "GreenCastle", "--thread", "br-123", "--subject", "two")
    crew.mail("RedCat", "--to", "GreenCastle", "--thread", "br-12", "--subject", "other")
    said = crew.ok("thread", "br-123", "--json").json
    assert [message["id"] for message in said] == [first, second]
    assert set(said[0]) == {
        *("id", "thread_id", "from", "to", "cc", "subject", "tags", "created", "importance", "ack_required", "body"),
        *("facts", "in_reply_to"),
    }
    assert [message["id"] for message in crew.ok("thread", "br-123", "--last", "1", "--json").json] == [second]
    assert crew.ok("thread", "br-123", "--since", "1h").out.count("-------- msg_") == 2
    assert crew("thread", "br-123", "--since", "2999-01-01").status == 1


def test_a_thread_without_messages_is_status_1(crew: Terminal) -> None:
    gone = crew("thread", "no-such-thread", "--json")
    assert (gone.status, gone.json) == (1, [])


# --- wait


def test_wait_lists_what_is_there(crew: Terminal) -> None:
    crew.mail("GreenCastle", "--to", "RedCat", "--subject", "x")
    assert [m["subject"] for m in crew.ok("--as", "RedCat", "wait", "--json").json] == ["x"]


def test_wait_gives_up_with_status_1(crew: Terminal) -> None:
    assert crew("--as", "RedCat", "wait", "--timeout", "0").status == 1
    gave_up = crew("--as", "RedCat", "wait", "--timeout", "0.15", "--json")
    assert (gave_up.status, gave_up.json) == (1, [])
    assert crew("--as", "RedCat", "wait", "--timeout", "-1").status == 64


@pytest.mark.slow
def test_wait_ends_when_mail_comes(crew: Terminal) -> None:
    import subprocess
    import sys

    command = [sys.executable, "-m", "gitmaild", "--as", "RedCat", "wait", "--timeout", "40", "--json"]
    waiting = subprocess.Popen(command, cwd=crew.here, stdout=subprocess.PIPE)
    crew.mail("GreenCastle", "--to", "RedCat", "--subject", "x")
    out, _ = waiting.communicate(timeout=50)
    assert (waiting.returncode, b'"subject": "x"' in out) == (0, True)


# --- what came in mail is data


EVIL = "\x9b2J\u202egnp.exe \u2028 end"


def test_nothing_in_a_message_commands_the_terminal(crew: Terminal, tmp_path: Path) -> None:
    crew.mail("GreenCastle", "--to", "RedCat", "--thread", "br-1", "--subject", EVIL, body=f"a\x1b]0;title\x07b\rc {EVIL}\n")
    mail = inbox(crew, "RedCat")[0]["id"]
    for args in (
        ("--as", "RedCat", "inbox"),
        ("--as", "RedCat", "inbox", "--json", "--bodies"),
        ("--as", "RedCat", "wait"),
        ("show", mail),
        ("thread", "br-1"),
        ("thread", "br-1", "--json"),
    ):
        said = crew.ok(*args).out
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202a-\u202e]", said), args
    assert crew.ok("show", mail, "--json").json["body"] == f"a\x1b]0;title\x07b\rc {EVIL}\n"


def test_a_body_cannot_forge_the_head_of_another_message(crew: Terminal) -> None:
    crew.mail("GreenCastle", "--to", "RedCat", "--thread", "br-1", body="x\n-------- msg_20260101_00000000 · Overseer\n")
    assert crew.ok("thread", "br-1").out.count("\n-------- ") == 0


# --- processes


@pytest.mark.slow
def test_a_reader_that_leaves_early_is_no_error(crew: Terminal) -> None:
    import subprocess
    import sys

    for size in ("short", "x" * 200_000):
        crew.mail("GreenCastle", "--to", "RedCat", "--thread", "t", "--subject", "s", body=size)
        command = [sys.executable, "-m", "gitmaild", "thread", "t"]
        reading = subprocess.Popen(command, cwd=crew.here, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert reading.stdout is not None
        reading.stdout.close()
        assert reading.stderr is not None
        said = reading.stderr.read()
        reading.stderr.close()
        assert (reading.wait(timeout=30), said) == (0, b"")


@pytest.mark.slow
def test_an_outbox_that_cannot_be_written_is_status_75_and_leaves_nothing(crew: Terminal) -> None:
    import subprocess
    import sys

    (crew.here / "a.txt").write_text("x")
    command = f"ulimit -f 0; exec {sys.executable} -m gitmaild --as GreenCastle send --to RedCat -s x --attach a.txt"
    done = subprocess.run(["bash", "-c", command], cwd=crew.here, input="body", capture_output=True, text=True, check=False)
    assert done.returncode == 75, done.stderr
    assert "nothing was left behind, try again" in done.stderr
    outbox = crew.here / ".gitmaild/agents/GreenCastle/outbox"
    assert [path for path in outbox.rglob("*") if path.is_file()] == []


@pytest.mark.slow
def test_standard_input_may_be_closed(crew: Terminal) -> None:
    import subprocess
    import sys

    command = f"exec {sys.executable} -m gitmaild --as GreenCastle send --to RedCat -s x <&-"
    assert subprocess.run(["bash", "-c", command], cwd=crew.here, capture_output=True, check=False).returncode == 0


@pytest.mark.slow
def test_an_answer_survives_a_terminal_that_knows_ascii_alone(crew: Terminal) -> None:
    crew.mail("GreenCastle", "--to", "RedCat", "--subject", "ünïcode ☃")
    ascii_alone = {"PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0"}
    done = process("--as", "RedCat", "inbox", here=crew.here, environment=ascii_alone)
    assert (done.returncode, "\\u2603" in done.stdout) == (0, True)


# --- tags


def test_mail_is_chosen_by_a_tag_of_its_subject(crew: Terminal) -> None:
    """Row 75."""
    for subject in ("[HANDOFF] [br-123] Auth", "[DELEGATE] Tests", "no [HANDOFF]", "RE: [handoff] x"):
        crew.mail("GreenCastle", "--to", "RedCat", "-s", subject)
    assert subjects(crew, "RedCat", "--tag", "HANDOFF") == ["RE: [handoff] x", "[HANDOFF] [br-123] Auth"]
    assert subjects(crew, "RedCat", "--tag", "[br-123]", "--limit", "1") == ["[HANDOFF] [br-123] Auth"]
    assert inbox(crew, "RedCat", "--tag", "br-123")[0]["tags"] == ["HANDOFF", "br-123"]
    assert subjects(crew, "RedCat", "--tag", "none") == []


def test_tags_are_in_the_front_matter_of_what_arrives(crew: Terminal) -> None:
    """Row 75. What says the same in both places is one thing: the mailbox stays as it was written, and can be made anew."""
    crew.mail("GreenCastle", "--to", "RedCat", "-s", "[HANDOFF] [br-123] Auth")
    crew.mail("GreenCastle", "--to", "RedCat", "-s", "no [tag] here")
    [plain, tagged] = [Path(message["path"]).read_text() for message in inbox(crew, "RedCat")]
    assert 'subject: "[HANDOFF] [br-123] Auth"\ntags: [HANDOFF, br-123]\n---\n' in tagged
    assert "tags:" not in plain
    assert subjects(crew, "RedCat", "--tag", "handoff") == ["[HANDOFF] [br-123] Auth"]
    assert crew.ok("verify", "--json").json["problems"] == []
    before = [message["path"] for message in inbox(crew, "RedCat")]
    crew.ok("rebuild")
    assert [message["path"] for message in inbox(crew, "RedCat")] == before
    assert Path(before[1]).read_text() == tagged
