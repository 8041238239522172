"""search, `inbox --tag`, `rebuild --index`, and what `status` says of the index."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gitmaild import wiring
from tests.adapters.runner import Terminal, git
from tests.adapters.test_cli_office import somebody_serves


@pytest.fixture(params=["whoosh", "fts5"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("GITMAILD_SEARCH_ENGINE", request.param)
    return str(request.param)


@pytest.fixture
def mailed(crew: Terminal) -> dict[str, str]:
    """Three messages, the oldest first: what they are called, and their ids."""
    expired = "The token expired again: see src/api/routes.py.\n"
    return {
        "auth": crew.mail("GreenCastle", "--to", "RedCat", "--thread", "br-1", "-s", "Auth API", body=expired),
        "lunch": crew.mail("RedCat", "--to", "BlueLake", "-s", "[HANDOFF] Lunch", "--ack", body="a token of thanks\n"),
        "high": crew.mail("BlueLake", "--to", "RedCat", "--importance", "high", "-s", "Cache", body="expired, the token\n"),
    }


def found(terminal: Terminal, *args: str) -> list[str]:
    said = terminal("search", "--json", *args)
    assert said.status == (0 if said.json else 1), said
    return [row["id"] for row in said.json]


def test_what_was_just_sent_is_found_with_and_without_an_index(crew: Terminal, engine: str, mailed: dict[str, str]) -> None:
    everything = [mailed["high"], mailed["lunch"], mailed["auth"]]
    assert found(crew, "token") == everything
    crew.ok("rebuild", "--index")
    assert found(crew, "token") == everything
    newer = crew.mail("RedCat", "--to", "BlueLake", "-s", "x", body="token\n")
    assert found(crew, "token") == [newer, *everything]


def test_serve_once_indexes_what_it_took_and_a_command_of_its_own_does_not(
    crew: Terminal, engine: str, home: Path, mailed: dict[str, str]
) -> None:
    """A command that found no daemon takes its drop and goes; who asks for a pass gets the whole of it."""
    assert not (home / "index").exists()
    crew.ok("serve", "--once")
    assert reached(home, engine) == tip(home)
    crew.mail("RedCat", "--to", "BlueLake", "-s", "x", body="token\n")
    assert reached(home, engine) != tip(home)
    assert crew.ok("serve", "--once", "--json").json == {"answered": 0}
    assert reached(home, engine) == tip(home)
    assert len(found(crew, "token")) == 4


def reached(home: Path, engine: str) -> str:
    """The commit that the index says it reaches to."""
    index = wiring.search_index(wiring.Home(home), engine)
    try:
        index.open(writing=False)
        return index.checkpoint()
    finally:
        index.close()


def tip(home: Path) -> str:
    return git(home / "mailbox.git", "rev-parse", "main").strip()


@pytest.mark.parametrize("made", [False, True])
def test_json_has_the_fields_that_programs_were_promised(
    crew: Terminal, engine: str, mailed: dict[str, str], made: bool
) -> None:
    if made:
        crew.ok("rebuild", "--index")
    said = crew.ok("search", 'subject:auth body:"token expired" from:GreenCastle', "--json")
    [row] = said.json
    assert (list(row), said.err) == (["id", "subject", "from", "created", "thread_id", "score", "snippet"], "")
    assert (row["id"], row["subject"], row["from"], row["thread_id"]) == (mailed["auth"], "Auth API", "GreenCastle", "br-1")
    assert row["snippet"].startswith("The **token expired** again")


def test_people_see_a_line_and_the_hit(crew: Terminal, engine: str, mailed: dict[str, str]) -> None:
    lines = crew.ok("search", "routes.py").out.splitlines()
    assert lines[0].startswith(f"{mailed['auth']}  20")
    assert lines[0].endswith("  GreenCastle  Auth API")
    assert lines[1].strip() == "The token expired again: see src/api/**routes.py**."


def test_a_page_at_a_time(crew: Terminal, engine: str, mailed: dict[str, str]) -> None:
    said = crew.ok("search", "token", "--limit", "2")
    assert said.err == "gitmaild: there are more: --offset 2\n"
    assert found(crew, "token", "--limit", "2", "--offset", "2") == [mailed["auth"]]
    assert found(crew, "token", "--offset", "3") == []


def test_the_better_first_where_that_is_asked_for(crew: Terminal, engine: str) -> None:
    best = crew.mail("GreenCastle", "--to", "RedCat", "-s", "token", body="token token\n")
    last = crew.mail("GreenCastle", "--to", "RedCat", "-s", "x", body="only one token, and many more words " * 9)
    crew.ok("rebuild", "--index")
    assert found(crew, "token", "--sort", "relevance") == [best, last]
    assert found(crew, "token") == found(crew, "token", "--sort", "date") == [last, best]


def test_words_that_the_shell_took_the_quotes_of_are_quoted_again(crew: Terminal, mailed: dict[str, str]) -> None:
    assert found(crew, "subject:auth", "body:token expired", "from:GreenCastle") == [mailed["auth"]]
    assert found(crew, "token expired", "-api") == []
    assert found(crew, "token", "(cache OR lunch)", "-handoff") == [mailed["high"]]
    assert found(crew, "expired", "-routes") == [mailed["high"]]
    assert found(crew, "-handoff token -routes") == [mailed["high"]]
    assert crew("search", "token", "--limt", "3").status == 64


def test_states_are_those_of_who_asks_and_nobody_else_needs_a_name(crew: Terminal, mailed: dict[str, str]) -> None:
    crew.ok("--as", "RedCat", "read", mailed["auth"])
    assert found(crew, "is:unread", "--as", "RedCat") == [mailed["high"]]
    assert found(crew, "token is:read", "--as", "RedCat") == [mailed["auth"]]
    assert found(crew, "--as", "BlueLake", "has:ack is:unread") == [mailed["lunch"]]
    refused = crew("search", "token is:unread")
    assert (refused.status, "who are you? say --as NAME" in refused.err) == (64, True)


def test_nothing_found_is_a_no(crew: Terminal, mailed: dict[str, str]) -> None:
    said = crew("search", "nosuchword")
    assert (said.status, said.out, said.err) == (1, "", "gitmaild: nothing found\n")
    assert crew("search", "nosuchword", "--json").json == []


def test_a_malformed_query_is_refused_with_its_column(crew: Terminal) -> None:
    refused = crew("search", "token form:RedCat")
    assert refused.status == 65
    assert refused.err.startswith("  token form:RedCat\n        ^\n")
    assert "column 7: unknown field 'form'; did you mean from?" in refused.err
    assert crew("search", "(token", "--json").json["code"] == "bad-query"
    assert crew("search").status == 64
    assert crew("search", "x", "--limit", "0").status == 64


def test_an_engine_that_nobody_knows_is_refused(crew: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITMAILD_SEARCH_ENGINE", "lucene")
    refused = crew("search", "token")
    assert (refused.status, "search_engine: 'lucene' is not whoosh or fts5" in refused.err) == (69, True)


def test_without_a_mailbox_there_is_nothing_to_search(terminal: Terminal, home: Path) -> None:
    (home / "mailbox.git").rename(home / "elsewhere.git")
    refused = terminal("search", "token")
    assert (refused.status, "run gitmaild init" in refused.err) == (69, True)


def test_without_an_index_only_the_newest_are_looked_at_and_that_is_said(
    crew: Terminal, mailed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gitmaild.app.answers._UNAIDED", 2)
    said = crew.ok("search", "token")
    assert "there is no search index: only the newest 3 messages were looked at" in said.err
    assert "gitmaild serve" in said.err


def test_a_search_leaves_nothing_behind(crew: Terminal, home: Path, engine: str, mailed: dict[str, str]) -> None:
    crew.ok("search", "token")
    assert not (home / "index").exists()
    crew.ok("rebuild", "--index")
    before = sorted(os.listdir(home / "index" / engine))
    crew.ok("search", "token")
    assert [name for name in sorted(os.listdir(home / "index" / engine)) if not name.endswith(("-shm", "-wal"))] == before


# --- beside it


def test_mail_by_its_tag(crew: Terminal, mailed: dict[str, str]) -> None:
    def tagged(tag: str) -> list[str]:
        return [message["id"] for message in crew.ok("--as", "BlueLake", "inbox", "--tag", tag, "--json").json]

    assert tagged("HANDOFF") == tagged("handoff") == tagged("[HANDOFF]") == [mailed["lunch"]]
    assert tagged("Lunch") == tagged("HAND") == []


def test_status_shows_the_index(crew: Terminal, home: Path, engine: str, mailed: dict[str, str]) -> None:
    assert crew.ok("status", "--json").json["search"]["note"].startswith("not made yet")
    assert f"search    {engine}; not made yet" in crew.ok("status").out
    crew.ok("rebuild", "--index")
    shown = crew.ok("status", "--json").json["search"]
    assert (shown["engine"], shown["messages"], shown["note"], shown["advice"]) == (engine, 3, "", "")
    assert f"search    {engine}, 3 messages, 0." in crew.ok("status").out


def test_rebuilding_the_index_is_left_to_the_daemon_that_runs(crew: Terminal, home: Path) -> None:
    with somebody_serves(home):
        assert crew("rebuild", "--index").status == 3
    assert (home / "state" / "rebuild-index").exists()


@pytest.mark.slow
def test_the_daemon_makes_the_index_while_it_serves(crew: Terminal, home: Path, engine: str, mailed: dict[str, str]) -> None:
    command = [sys.executable, "-m", "gitmaild", "serve", "--no-http"]
    daemon = subprocess.Popen(command, cwd=crew.here, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert daemon.stdout is not None
        daemon.stdout.readline()
        newer = crew.mail("RedCat", "--to", "BlueLake", "-s", "x", body="token\n")
        assert found(crew, "token")[0] == newer
        while crew.ok("status", "--json").json["search"].get("messages") != 4:
            pass  # the daemon writes its state at each scan; the suite's timeout ends this
        assert len(found(crew, "token")) == 4
    finally:
        daemon.terminate()
        daemon.communicate(timeout=20)
    assert daemon.returncode == 0
