"""register, agents, whois, retire; who is asking."""

import re
from pathlib import Path

import pytest

from tests.adapters.runner import Terminal, git

# --- register


def test_registering_answers_with_the_profile(terminal: Terminal, home: Path) -> None:
    """Row 1."""
    said = terminal.ok(
        "register", "GreenCastle", "--program", "Claude Code", "--model", "Opus 4.5", "--task", "Backend API", "--json"
    ).json
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", said.pop("registered"))
    assert said == {
        "success": True,
        "agent_name": "GreenCastle",
        "program": "Claude Code",
        "model": "Opus 4.5",
        "task_description": "Backend API",
        "desk": str(terminal.here / ".gitmaild/agents/GreenCastle"),
    }
    profile = git(home / "mailbox.git", "show", "main:shop/agents/GreenCastle/profile.yaml")
    for line in ("agent_name: GreenCastle", "program: Claude Code", "model: Opus 4.5", "task_description: Backend API"):
        assert line in profile.splitlines()


def test_registering_again_changes_the_profile_only_where_it_differs(terminal: Terminal, home: Path) -> None:
    """Row 2."""

    def profiles() -> list[str]:
        return git(
            home / "mailbox.git", "log", "--format=%s", "main", "--", "shop/agents/GreenCastle/profile.yaml"
        ).splitlines()

    for _ in range(2):
        terminal.join("GreenCastle")
    assert profiles() == ["register: GreenCastle (Claude Code Opus 4.5)"]
    terminal.ok("register", "GreenCastle", "--task", "tests")
    assert len(profiles()) == 2
    said = terminal.ok("whois", "GreenCastle", "--json").json
    assert (said["program"], said["task_description"]) == ("Claude Code", "tests")


@pytest.mark.parametrize("name", ["GreenCastle", "RedCat", "BlueLake", "SwiftFalcon"])
def test_names_of_two_words_are_accepted(terminal: Terminal, name: str) -> None:
    """Row 3."""
    assert terminal.ok("register", name, "--json").json["agent_name"] == name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("steve", "Unix user"),  # row 4
        ("claude", "program's name"),  # row 5
        ("codex", "program's name"),
        ("gemini", "program's name"),
        ("opus-4-1", "model's name"),  # row 6
        ("gpt-5", "model's name"),
        ("MyAgent123", "digits"),  # row 7
        ("Overseer", "reserved"),
        ("everyone", "reserved"),
        ("../../tmp", "two or more capitalised words"),
        ("Castle", "two or more capitalised words"),
        ("A" + "a" * 30 + "B" + "b" * 30, "at most 40"),
    ],
)
def test_other_names_are_refused_with_the_rule_and_three_free_ones(
    terminal: Terminal, home: Path, name: str, why: str
) -> None:
    """Rows 4 to 7, 131."""
    before = git(home / "mailbox.git", "rev-parse", "main")
    refused = terminal("register", name)
    assert refused.status == 65
    assert why in refused.err
    free = refused.err.split("free names: ")[1].split(" (")[0].split(", ")
    assert len(free) == 3
    assert terminal.ok("register", free[0]).out.startswith(f"registered: {free[0]}")
    assert git(home / "mailbox.git", "rev-parse", "main~1") == before
    assert sorted(path.name for path in (terminal.here / ".gitmaild/agents").iterdir()) == [free[0]]


def test_a_refusal_in_json(terminal: Terminal) -> None:
    refused = terminal("register", "steve", "--json")
    assert (refused.status, set(refused.json)) == (65, {"status", "code", "reason", "mend"})
    assert (refused.json["status"], refused.json["code"]) == ("refused", "bad-name")


def test_a_name_is_taken_whatever_its_case(terminal: Terminal) -> None:
    terminal.join("GreenCastle")
    refused = terminal("register", "GreEncastle")
    assert (refused.status, "name-taken" in refused.err) == (65, True)


@pytest.mark.parametrize(
    "name", ["TestAgent", "RalphWorker", "OpusArchitect", "SonnetBuilder", "SilentWorker", "OtherAgent"]
)
def test_two_capitalised_words_are_enough(terminal: Terminal, name: str) -> None:
    """Row 8."""
    assert terminal.ok("register", name, "--json").json["agent_name"] == name


def test_a_home_may_admit_names_of_its_word_list_alone(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 8, the other mode."""
    monkeypatch.setenv("GITMAILD_NAMES", "wordlist")
    refused = terminal("register", "OpusArchitect")
    assert (refused.status, "free names: " in refused.err) == (65, True)
    terminal.ok("register", "GreenCastle")


def test_without_a_name_a_free_one_is_chosen(terminal: Terminal) -> None:
    """Row 10."""
    first, second = (terminal.ok("register", "--json").json["agent_name"] for _ in range(2))
    assert re.fullmatch(r"([A-Z][a-z]+){2}", first)
    assert first != second


def test_without_a_name_one_that_was_said_already_is_taken(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITMAILD_AGENT", "RedCat")
    assert terminal.ok("register", "--json").json["agent_name"] == "RedCat"


# --- agents, whois


def test_agents_lists_who_is_here(crew: Terminal) -> None:
    crew.ok("register", "RedCat", "--task", "line one")
    said = crew.ok("agents", "--json").json
    assert [row["agent_name"] for row in said] == ["BlueLake", "GreenCastle", "Overseer", "RedCat"]
    assert set(said[0]) == {"agent_name", "program", "model", "task_description", "registered", "updated", "state"}
    line = crew.ok("agents").out.splitlines()[3]
    assert line.split() == ["RedCat", "active", "Claude", "Code", "Opus", "4.5", "line", "one"]


def test_a_task_cannot_forge_a_line_of_the_list(crew: Terminal) -> None:
    crew.ok("register", "RedCat", "--task", "x\nZedWolf  active \x9b2J")
    assert len(crew.ok("agents").out.splitlines()) == 4
    assert "\x9b" not in crew.ok("agents").out + crew.ok("whois", "RedCat").out


def test_whois_says_what_is_known(crew: Terminal) -> None:
    said = crew.ok("whois", "RedCat", "--json").json
    assert (said["agent_name"], said["model"], said["state"]) == ("RedCat", "Opus 4.5", "active")
    assert crew.ok("whois", "RedCat").out.startswith("agent_name")


def test_whois_of_a_stranger_is_status_1_with_a_guess(crew: Terminal) -> None:
    stranger = crew("whois", "RedCatt")
    assert (stranger.status, stranger.out) == (1, "")
    assert "did you mean RedCat?" in stranger.err


# --- retire


def test_the_overseer_retires_anybody(crew: Terminal) -> None:
    assert crew.ok("retire", "RedCat", "--reason", "done", "--json").json == {
        "success": True,
        "agent_name": "RedCat",
        "state": "retired",
    }
    said = crew.ok("whois", "RedCat", "--json").json
    assert (said["state"], said["reason"]) == ("retired", "done")
    refused = crew("--as", "GreenCastle", "send", "--to", "RedCat", "-s", "x", stdin="")
    assert (refused.status, "RedCat has retired: done" in refused.err) == (65, True)


def test_an_agent_retires_itself_and_nobody_else(crew: Terminal) -> None:
    crew.ok("--as", "RedCat", "retire", "RedCat")
    refused = crew("--as", "GreenCastle", "retire", "BlueLake")
    assert (refused.status, "cannot retire BlueLake" in refused.err) == (65, True)
    assert crew.ok("whois", "BlueLake", "--json").json["state"] == "active"


def test_who_registers_again_is_back(crew: Terminal) -> None:
    crew.ok("retire", "RedCat")
    crew.join("RedCat")
    crew.mail("GreenCastle", "--to", "RedCat", "--subject", "welcome")
    assert len(crew.ok("--json", "--as", "RedCat", "inbox").json) == 1


def test_retiring_a_stranger_is_refused(crew: Terminal) -> None:
    assert crew("retire", "ZedWolf").status == 65


# --- who is asking


def test_who_is_asking_is_said_before_or_behind_the_command(crew: Terminal) -> None:
    crew.mail("GreenCastle", "--to", "RedCat", "--subject", "x")
    before, behind = crew.ok("--as", "RedCat", "--json", "inbox"), crew.ok("inbox", "--as", "RedCat", "--json")
    assert before == behind
    assert len(before.json) == 1


def test_the_environment_says_who_is_asking(crew: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    crew.mail("GreenCastle", "--to", "RedCat", "--subject", "x")
    git(crew.here, "config", "gitmaild.agent", "BlueLake")
    assert crew.ok("inbox", "--json").json == []
    monkeypatch.setenv("AGENT_NAME", "RedCat")
    assert len(crew.ok("inbox", "--json").json) == 1
    monkeypatch.setenv("GITMAILD_AGENT", "GreenCastle")
    assert crew.ok("inbox", "--json").json == []
    assert len(crew.ok("inbox", "--json", "--as", "RedCat").json) == 1


def test_the_only_desk_of_a_worktree_is_who_is_asking(terminal: Terminal) -> None:
    terminal.join("GreenCastle")
    terminal.mail("GreenCastle", "--to", "GreenCastle", "--subject", "note")
    assert len(terminal.ok("inbox", "--json").json) == 1
    terminal.join("RedCat")
    assert terminal("inbox").status == 64


def test_nobody_in_particular_is_a_usage_error(crew: Terminal) -> None:
    for command in (("inbox",), ("send", "--to", "RedCat", "-s", "x"), ("read", "msg_20260101_00000000"), ("wait",)):
        refused = crew(*command)
        assert (refused.status, "who are you?" in refused.err) == (64, True), command


@pytest.mark.parametrize("name", ["../x", "/etc", ".", "GreenCastle/../RedCat", "Green\nCastle", "overseer", "-"])
def test_an_unsafe_name_never_touches_the_disk(crew: Terminal, home: Path, name: str) -> None:
    def everything() -> list[Path]:
        return sorted(path for top in (home / "post", crew.here / ".gitmaild") for path in top.rglob("*"))

    before = everything()
    for command in (("inbox",), ("send", "--to", "RedCat", "-s", "x"), ("ack", "msg_20260101_00000000"), ("wait",)):
        assert crew("--as", name, *command, stdin="").status == 64
    assert crew("register", "--as", name).status == 65
    assert everything() == before


def test_who_never_registered_is_told_the_command(crew: Terminal) -> None:
    """Rows 12, 126."""
    for command in (("send", "--to", "RedCat", "-s", "x"), ("inbox",), ("wait", "--timeout", "0")):
        refused = crew("--as", "ZedWolf", *command, stdin="")
        assert refused.status == 65
        assert "from_agent not registered: ZedWolf" in refused.err
        assert "gitmaild register ZedWolf" in refused.err
    assert not (crew.here / ".gitmaild/agents/ZedWolf").exists()


def test_a_desk_without_a_registration_is_told_the_command_too(crew: Terminal) -> None:
    (crew.here / ".gitmaild/agents/ZedWolf/outbox").mkdir(parents=True)
    refused = crew("--as", "ZedWolf", "send", "--to", "RedCat", "-s", "x", stdin="")
    assert refused.status == 65
    assert "from_agent not registered: ZedWolf; run gitmaild register ZedWolf" in refused.err


def test_the_overseer_has_a_desk_in_the_home(crew: Terminal, home: Path) -> None:
    crew.mail("GreenCastle", "--to", "Overseer", "--subject", "a question")
    assert [m["subject"] for m in crew.ok("--as", "Overseer", "inbox", "--json").json] == ["a question"]
    crew.mail("Overseer", "--to", "everyone", "--subject", "an answer")
    assert [m["from"] for m in crew.ok("--as", "BlueLake", "inbox", "--json").json] == ["Overseer"]
    assert not (crew.here / ".gitmaild/agents/Overseer").exists()
