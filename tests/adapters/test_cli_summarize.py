"""summarize: a conversation in short."""

import sys
from pathlib import Path

import pytest

from tests.adapters.runner import Terminal


@pytest.fixture
def talk(crew: Terminal) -> Terminal:
    """Scenario: feature-auth, three agents, four messages."""
    to, thread = ("--to", "RedCat,BlueLake"), ("--thread", "feature-auth")
    crew.mail("GreenCastle", *to, *thread, "-s", "Auth API", "--ack", body="I take src/api/auth.py.\nWho takes the tests?\n")
    first = crew.ok("--as", "RedCat", "inbox", "--json").json[0]["id"]
    crew.ok("--as", "RedCat", "reply", first, stdin="I do: tests/test_auth.py.\n")
    crew.mail("BlueLake", "--to", "GreenCastle", *thread, "-s", "JWT", body="Decision: JWT, as in br-124.\nWhich library?\n")
    crew.mail("GreenCastle", *to, *thread, "-s", "done", body="All green.\n")
    crew.ok("--as", "RedCat", "ack", first)
    return crew


def test_a_thread_in_short_without_any_model(talk: Terminal) -> None:
    """Rows 73 and 76."""
    assert [row["subject"] for row in talk.ok("thread", "feature-auth", "--json").json] == [
        "Auth API",
        "RE: Auth API",
        "JWT",
        "done",
    ]
    told = talk.ok("summarize", "feature-auth", "--json").json
    assert {row["agent"]: row["sent"] for row in told["participants"]} == {"GreenCastle": 2, "RedCat": 1, "BlueLake": 1}
    assert told["files"] == ["src/api/auth.py", "tests/test_auth.py"]
    assert told["last_decision"]["text"] == "Decision: JWT, as in br-124."
    assert [row["text"] for row in told["open_questions"]] == ["Which library?"]
    assert [row["agent"] for row in told["open_acks"]] == ["BlueLake"]
    assert (told["ids"], told["last_word"]["text"], told["by"]) == (["br-124"], "All green.", "rules")
    said = talk.ok("summarize", "feature-auth").out
    assert "participants: GreenCastle (2), RedCat (1), BlueLake (1)" in said and "files: src/api/auth.py" in said


def test_a_configured_program_answers_and_is_asked_once(talk: Terminal, home: Path) -> None:
    """Row 76."""
    count = home.parent / "count"
    code = f"import sys; open({str(count)!r}, 'a').write('x'); print('It says', sys.stdin.read().count('JWT'))"
    (home / "config.yaml").write_text(f"summarizer:\n- {sys.executable}\n- -c\n- {code!r}\n")
    for _ in range(2):
        told = talk.ok("summarize", "feature-auth", "--json").json
        assert (told["text"], told["by"], told["last_word"]["text"]) == ("It says 2\n", sys.executable, "All green.")
    assert count.read_text() == "x"
    assert talk.ok("summarize", "feature-auth").out.startswith("It says 2\n\nthread feature-auth: 4 messages")
    assert "It says" not in talk.ok("summarize", "feature-auth", "--plain").out
    talk.mail("RedCat", "--to", "GreenCastle", "--thread", "feature-auth", "-s", "x")
    talk.ok("summarize", "feature-auth")
    assert count.read_text() == "xx"


def test_a_program_that_fails_leaves_what_can_be_told_without_it(talk: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITMAILD_SUMMARIZER", "no-such-program -p")
    said = talk.ok("summarize", "feature-auth")
    assert "summarizer: no-such-program: No such file" in said.err and "last word: GreenCastle: All green." in said.out
    monkeypatch.setenv("LLM_ENABLED", "false")
    assert talk.ok("summarize", "feature-auth").err == ""


def test_a_thread_that_is_not_there_is_status_1(crew: Terminal) -> None:
    none = crew("summarize", "br-9", "--json")
    assert (none.status, none.json["messages"]) == (1, 0)
