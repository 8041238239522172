"""events: what programs ask of the record."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.runner import Result, Terminal, git
from tests.adapters.test_cli_mail import inbox


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.out.splitlines()]


# --- events


def test_events_are_the_commits_as_lines_oldest_first(crew: Terminal, home: Path) -> None:
    mail = crew.mail("GreenCastle", "--to", "RedCat", "--thread", "br-123", "-s", "lunch?")
    crew.ok("--as", "RedCat", "ack", mail)
    told = lines(crew.ok("events"))
    commits = git(home / "mailbox.git", "log", "--reverse", "--format=%H", "main").split()
    assert [event["commit"] for event in told] == commits
    assert [event["kind"] for event in told] == ["found", "register", "register", "register", "message", "ack"]
    assert told[-1]["message_ids"] == told[-2]["message_ids"] == [mail]
    assert (told[-2]["from"], told[-2]["to"], told[-2]["thread_id"]) == ("GreenCastle", ["RedCat"], "br-123")


def test_each_line_holds_the_cursor_for_the_next_look(crew: Terminal) -> None:
    [last] = lines(crew.ok("events", "--last", "1"))
    assert crew.ok("events", "--since", last["commit"]).out == ""
    mail = crew.mail("GreenCastle", "--to", "RedCat", "-s", "lunch?")
    [event] = lines(crew.ok("events", "--since", last["commit"], "--json"))
    assert event["message_ids"] == [mail]
    assert crew.ok("events", "--since", event["commit"]).out == ""


def test_a_cursor_that_is_no_longer_in_the_history_is_refused_with_the_way_out(crew: Terminal, home: Path) -> None:
    crew.mail("GreenCastle", "--to", "RedCat", "-s", "x")
    [last] = lines(crew.ok("events", "--last", "1"))
    git(home / "mailbox.git", "update-ref", "refs/heads/main", "main~1")
    refused = crew("events", "--since", last["commit"])
    assert refused.status == 65
    assert "does not lead through" in refused.err and "without --since" in refused.err and "unknown-cursor" in refused.err
    assert crew("events", "--since", "f" * 40).status == 65
    for cursor in ("main", "HEAD~1", last["commit"][:10], "--all", "x\ny"):
        assert "not a cursor" in crew("events", f"--since={cursor}").err


def test_blind_recipients_are_in_no_event(crew: Terminal) -> None:
    [last] = lines(crew.ok("events", "--last", "1"))
    crew.mail("GreenCastle", "--to", "RedCat", "--bcc", "BlueLake", "-s", "x")
    [mail] = inbox(crew, "BlueLake")
    assert "BlueLake" not in crew.ok("events", "--since", last["commit"]).out
    [last] = lines(crew.ok("events", "--last", "1"))
    crew.ok("--as", "BlueLake", "ack", mail["id"])
    [acked] = lines(crew.ok("events", "--since", last["commit"]))
    assert acked["from"] == "BlueLake" and mail["id"] not in str(acked)
    assert mail["id"] not in crew.ok("log", "-1").out
    assert crew.ok("verify", "--json").json["problems"] == []


def test_events_are_of_this_project_unless_all_are_asked_for(crew: Terminal, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    crew.ok("init", str(other))
    assert {event["project"] for event in lines(crew.ok("events"))} == {"shop"}
    assert {event["project"] for event in lines(crew.ok("events", "--all-projects"))} == {"shop", "other"}


def test_following_goes_on_as_things_happen(crew: Terminal) -> None:
    [last] = lines(crew.ok("events", "--last", "1"))
    command = [sys.executable, "-m", "gitmaild", "events", "--follow", "--since", last["commit"]]
    with subprocess.Popen(command, cwd=crew.here, stdout=subprocess.PIPE, text=True) as follower:
        assert follower.stdout
        try:
            for subject in ("one", "two"):
                crew.mail("GreenCastle", "--to", "RedCat", "-s", subject)
                assert json.loads(follower.stdout.readline())["subject"].endswith(subject)
        finally:
            follower.terminate()


def test_what_a_subject_holds_cannot_make_a_line_of_its_own(crew: Terminal, home: Path) -> None:
    tree = git(home / "mailbox.git", "rev-parse", "main^{tree}").strip()
    made = git(home / "mailbox.git", "commit-tree", tree, "-p", "main", "-m", "\x1b[2Jü\u2028x\n\nCommand: \n").strip()
    git(home / "mailbox.git", "update-ref", "refs/heads/main", made)
    told = crew.ok("events", "--last", "1").out
    assert (told.count("\n"), "\x1b" in told, json.loads(told)["kind"]) == (1, False, "foreign")


# --- audit


def test_acknowledging_twice_changes_nothing(crew: Terminal) -> None:
    """Row 61."""
    mail = crew.mail("GreenCastle", "--to", "RedCat", "--ack", "-s", "stop")
    crew.ok("--as", "RedCat", "ack", mail)
    first = crew.ok("audit", mail, "--json").json
    crew.ok("--as", "RedCat", "ack", mail)
    again = crew.ok("audit", mail, "--json").json
    assert first["participants"] == again["participants"]


def test_the_history_of_a_message_is_told_by_git_itself(crew: Terminal, home: Path) -> None:
    """Row 66."""
    mail = crew.mail("GreenCastle", "--to", "RedCat", "-s", "x")
    for verb in ("read", "ack"):
        crew.ok("--as", "RedCat", verb, mail)
    path = f"shop/agents/RedCat/**/*_{mail.rpartition('_')[2]}.md"
    told = git(home / "mailbox.git", "log", "--reverse", "--stat", "--format=%s", "main", "--", f":(glob){path}")
    subjects = [line.partition(":")[0] for line in told.splitlines() if line and not line.startswith(" ")]
    assert (subjects, told.count("1 file changed")) == (["deliver", "read", "ack"], 3)


def test_an_audit_says_who_had_received_and_read_what_by_then(crew: Terminal) -> None:
    """Row 72."""
    first = crew.mail("GreenCastle", "--to", "RedCat,BlueLake", "--thread", "br-123", "-s", "Start")
    crew.ok("--as", "RedCat", "read", first)
    [then] = lines(crew.ok("events", "--last", "1"))
    crew.ok("--as", "RedCat", "ack", first)
    answer = str(crew.ok("--json", "--as", "BlueLake", "reply", first, stdin="No.\n").json["id"])
    told = crew.ok("audit", "br-123", "--at", then["at"], "--json").json
    assert [row["id"] for row in told["messages"]] == [first]
    states = {row["agent"]: [(mail["id"], mail["state"]) for mail in row["received"]] for row in told["participants"]}
    assert states == {"GreenCastle": [], "RedCat": [(first, "read")], "BlueLake": [(first, "received")]}
    assert told["participants"][1]["received"][0]["read"] == then["at"]
    now = {row["agent"]: row for row in crew.ok("audit", "br-123", "--json").json["participants"]}
    assert now["RedCat"]["received"][0]["state"] == "acked"
    assert now["BlueLake"]["sent"] == [answer]
    assert now["GreenCastle"]["received"][0]["id"] == answer
    assert f"acked     {first}  Start (received " in crew.ok("audit", "br-123").out


def test_a_blind_recipient_is_in_no_audit(crew: Terminal) -> None:
    mail = crew.mail("GreenCastle", "--to", "RedCat", "--bcc", "BlueLake", "--thread", "br-123", "-s", "x")
    crew.ok("--as", "BlueLake", "ack", mail)
    assert "BlueLake" not in crew.ok("audit", "br-123", "--json").out


def test_an_audit_of_what_was_not_there_yet_says_so(crew: Terminal) -> None:
    crew.mail("GreenCastle", "--to", "RedCat", "--thread", "br-123", "-s", "x")
    for options in (("br-124",), ("br-123", "--at", "1d")):
        none = crew("audit", *options, "--json")
        assert (none.status, none.json["messages"], none.json["participants"]) == (1, [], [])
    assert crew("audit", "br-123", "--at", "yesterday").status == 65


# --- verify


def test_a_mailbox_that_nobody_touched_is_as_gitmaild_wrote_it(crew: Terminal) -> None:
    crew.mail("GreenCastle", "--to", "RedCat", "-s", "x")
    said = crew.ok("verify")
    assert "5 commits" in said.out and "as gitmaild wrote them" in said.out
    assert crew.ok("verify", "--json").json == {"success": True, "commits": 5, "problems": []}


def test_what_was_done_by_hand_is_named_with_status_1(crew: Terminal, home: Path) -> None:
    mail = crew.mail("GreenCastle", "--to", "RedCat", "-s", "x")
    clone = home.parent / "clone"
    git(home, "clone", "-q", "mailbox.git", str(clone))
    [file] = clone.glob(f"shop/messages/*/*/*/*/{mail}.md")
    file.write_text("other words\n")
    git(clone, "commit", "-q", "-a", "-m", "tidy up")
    git(clone, "push", "-q", "origin", "main")
    path, commit = str(file.relative_to(clone)), git(clone, "rev-parse", "HEAD").strip()
    said = crew("verify", "--json")
    assert said.status == 1
    assert [(row["commit"], row["path"], row["code"]) for row in said.json["problems"]] == [
        (commit, path, "foreign"),
        (commit, path, "message-changed"),
    ]
    shown = crew("verify")
    assert f"{commit[:12]}  {path}: a message file changed after its creation (message-changed)" in shown.out
    assert "git show" in shown.err


# --- numbers that no answer is as large as


@pytest.mark.parametrize(
    "asked", [["events", "--last"], ["verify", "--limit"], ["leases", "--limit"], ["search", "lunch", "--offset"]]
)
def test_a_number_that_is_too_large_is_a_usage_error_and_no_bug(crew: Terminal, asked: list[str]) -> None:
    said = crew(*asked, str(10**20))
    assert (said.status, "is not in the range" in said.err) == (64, True)
