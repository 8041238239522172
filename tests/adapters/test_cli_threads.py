"""thread: a conversation, and what belongs to it."""

import json

import pytest

from tests.adapters.runner import Terminal, git


def test_messages_of_a_thread_come_in_the_order_of_time(crew: Terminal) -> None:
    """Row 53."""
    ids = [crew.mail(name, "--to", "BlueLake", "--thread", "br-123", "-s", name) for name in ("GreenCastle", "RedCat")]
    assert [row["id"] for row in crew.ok("thread", "br-123", "--json").json] == ids


def test_a_tree_shows_who_answered_what(crew: Terminal) -> None:
    """Row 54."""
    first = crew.mail("GreenCastle", "--to", "RedCat,BlueLake", "--thread", "br-123", "-s", "[br-123] Start")
    answer = str(crew.ok("--json", "--as", "RedCat", "reply", first, stdin="Yes.\n").json["id"])
    other = crew.mail("BlueLake", "--to", "RedCat", "--thread", "br-123", "-s", "aside")
    told = crew.ok("thread", "br-123", "--tree", "--json").json
    assert [(row["depth"], row["id"], row["in_reply_to"]) for row in told["messages"]] == [
        (0, first, ""),
        (1, answer, first),
        (0, other, ""),
    ]
    lines = crew.ok("thread", "br-123", "--tree").out.splitlines()
    assert lines[1].startswith(f"  {answer}") and lines[1].endswith("RE: [br-123] Start")


def test_the_last_message_of_a_busy_thread_is_one_line(crew: Terminal) -> None:
    """Row 74."""
    crew.join("OpusOrchestrator")
    for number in range(3):
        crew.mail("GreenCastle", "--to", "OpusOrchestrator", "--thread", "progress", "-s", f"step {number}")
    said = crew.ok("thread", "progress", "--last").out
    assert (said.count("\n"), "step 2" in said) == (1, True)
    assert crew.ok("thread", "progress", "--last", "2").out.count("-------- msg_") == 2


def test_leases_issue_and_commits_stand_beside_the_messages(crew: Terminal) -> None:
    """Rows 242 to 244."""
    crew.mail("GreenCastle", "--to", "RedCat", "--thread", "bd-a3f8.1", "-s", "x")
    crew.ok("--as", "GreenCastle", "reserve", "src/**", "--reason", "bd-a3f8.1")
    crew.ok("--as", "GreenCastle", "release")
    crew.ok("--as", "RedCat", "reserve", "docs/**", "--reason", "bd-a3f8.1: docs")
    crew.ok("--as", "RedCat", "reserve", "web/**", "--reason", "bd-a3f8.10")
    git(crew.here, "commit", "-q", "--allow-empty", "-m", "Add routes (bd-a3f8.1)")
    git(crew.here, "commit", "-q", "--allow-empty", "-m", "Another (bd-a3f8.11)")
    (crew.here / ".beads").mkdir()
    issues = crew.here / ".beads/issues.jsonl"
    issues.write_text(json.dumps({"id": "bd-a3f8.1", "title": "Routes", "status": "open"}) + "\n")
    issues.chmod(0o444)
    told = crew.ok("thread", "bd-a3f8.1", "--tree", "--json").json
    assert told["issue"] == {"id": "bd-a3f8.1", "title": "Routes", "status": "open"}
    assert [(row["pattern"], row["state"]) for row in told["leases"]] == [("docs/**", "active"), ("src/**", "released")]
    assert [row["subject"] for row in told["commits"]] == ["Add routes (bd-a3f8.1)"]
    assert [path.name for path in (crew.here / ".beads").iterdir()] == ["issues.jsonl"]
    said = crew.ok("thread", "bd-a3f8.1").out
    assert said.startswith("issue bd-a3f8.1: Routes (open)\n")
    assert "RedCat  docs/**  until " in said and "GreenCastle  src/**  released " in said
    assert "Test: Add routes (bd-a3f8.1)" in said and "Another" not in said


def test_a_thread_that_only_leases_or_commits_name_is_shown_too(crew: Terminal) -> None:
    crew.ok("--as", "GreenCastle", "reserve", "src/**", "--reason", "br-9")
    assert "GreenCastle  src/**" in crew.ok("thread", "br-9").out
    none = crew("thread", "br-8")
    assert (none.status, "no messages in thread br-8" in none.err) == (1, True)


@pytest.mark.parametrize("command", ["thread", "summarize"])
@pytest.mark.parametrize("name", ["", ".", "/dev/zero", "../tip", "a/../../tip", "a" * 300])
def test_what_cannot_name_a_thread_names_no_file_either(crew: Terminal, command: str, name: str) -> None:
    said = crew(command, name)
    assert (said.status, "no messages in thread" in said.err) == (1, True)
