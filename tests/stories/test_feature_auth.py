"""Three agents agree on a feature in one thread; a fourth person reads it back, and finds each message by its words."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.conftest import bare_terminal, crew, home, terminal
from tests.adapters.runner import Terminal

__all__ = ["bare_terminal", "crew", "home", "terminal"]

STORY = (
    ("GreenCastle", "RedCat,BlueLake", "Auth API: who takes what?", "I take the login endpoint in src/api/auth.py."),
    ("RedCat", "GreenCastle", "Auth API: tests", "I write test_token_expiry; BlueLake has the session store."),
    ("BlueLake", "GreenCastle,RedCat", "Auth API: session_store", "Sessions move to Redis, see src/store/session.py."),
    ("GreenCastle", "RedCat,BlueLake", "Auth API: done", "Decision: JWT, fifteen minutes. Everything is merged."),
)
FINDS = ('"login endpoint"', "test_token_expiry", "path:src/store from:BlueLake", "subject:done body:jwt")


@pytest.fixture(params=["whoosh", "fts5"])
def thread(crew: Terminal, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    monkeypatch.setenv("GITMAILD_SEARCH_ENGINE", request.param)
    yield [
        crew.mail(sender, "--to", to, "--thread", "feature-auth", "--subject", subject, body=f"{body}\n")
        for sender, to, subject, body in STORY
    ]


def test_the_thread_is_read_in_order_and_each_message_is_found(crew: Terminal, thread: list[str]) -> None:
    said = crew.ok("thread", "feature-auth").out
    places = [said.index(body) for _, _, _, body in STORY]
    assert places == sorted(places)
    assert [message["id"] for message in crew.ok("thread", "feature-auth", "--json").json] == thread
    page = (Path(crew.here) / ".gitmaild" / "threads" / "feature-auth.md").read_text()
    assert page.startswith("thread feature-auth: 4 messages")
    for _ in range(2):
        for query, message in zip(FINDS, thread, strict=True):
            assert [row["id"] for row in crew.ok("search", query, "--json").json] == [message], query
        assert [row["id"] for row in crew.ok("search", "thread:feature-auth", "--json").json] == thread[::-1]
        crew.ok("rebuild", "--index")  # found by the index as it was found without one
