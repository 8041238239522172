"""The page behind the real HTTP door: the link of `gitmaild web`, the cookie, the form's token, the strict policy."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitmaild import wiring
from gitmaild.wiring.access import login_link
from tests.adapters.behind_http import URL, Served
from tests.adapters.runner import Terminal


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path)
    yield served
    served.close()


def browser(served: Served) -> Any:
    """A browser that has followed the link of `gitmaild web`."""
    client = served.client()
    link = login_link(served.home, {})
    assert client.get(link.removeprefix(URL)).status_code in (200, 302, 303)
    return client


def test_a_stranger_sees_nothing(served: Served) -> None:
    for path in ("/mail/", "/mail/shop", "/mail/agents", "/mail/shop/log"):
        answer = served.client().get(path)
        assert answer.status_code in (401, 403)
        assert "GreenCastle" not in answer.text


def test_an_agent_is_not_the_overseer(served: Served) -> None:
    token, _ = served.tokens.give(wiring.wall_clock(), agent="GreenCastle", project="shop")
    answer = served.client(token=token).get("/mail/shop")
    assert answer.status_code in (401, 403)


def test_the_overseer_reads_and_writes_with_the_token_of_the_form_and_not_without(served: Served) -> None:
    client = browser(served)
    page = client.get("/mail/shop/compose")
    assert page.status_code == 200
    assert "default-src" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    (csrf,) = set(re.findall(r'name="csrf" value="([^"]+)"', page.text))
    form = {"to": "RedCat", "subject": "Hello", "body": "x"}
    mail = served.lobby.for_agent("shop", "RedCat")
    for wrong in ({}, {"csrf": "guessed"}):
        assert client.post("/mail/shop/send", data=form | wrong, headers={"Origin": URL}).status_code == 403
    assert mail.inbox() == []
    answer = client.post("/mail/shop/send", data=form | {"csrf": csrf}, headers={"Origin": URL})
    assert answer.status_code == 303
    assert [(m.from_, m.subject, m.importance) for m in mail.inbox()] == [("Overseer", "Hello", "high")]
    elsewhere = {"Origin": "https://evil.example"}
    assert client.post("/mail/shop/send", data=form | {"csrf": csrf}, headers=elsewhere).status_code == 403


def test_static_files_are_served_to_who_is_in(served: Served) -> None:
    client = browser(served)
    assert client.get("/mail/_/app.css").headers["content-type"].startswith("text/css")
    assert "javascript" in client.get("/mail/_/app.js").headers["content-type"]
    assert client.get("/mail").status_code in (200, 307)


def test_the_command_prints_the_link_that_works_once(terminal: Terminal) -> None:
    link = terminal.ok("web").out.strip()
    assert re.fullmatch(r"http://127\.0\.0\.1:8765/login\?code=[\w-]+", link)
    assert terminal.ok("web", "--json").json["url"] != link
