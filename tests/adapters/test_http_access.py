"""Who may come in by the HTTP door: tokens, cookies, names, origins; and what hostile requests get."""

import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gitmaild.adapters.http.gate import Place
from gitmaild.model.settings import Settings
from gitmaild.wiring.access import login_link
from tests.adapters.served import Served

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path)
    yield served
    served.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """For tests that only look."""
    served = Served(tmp_path_factory.mktemp("shared"))
    yield served
    served.close()


def serving(top: Path, place: Place | None = None, **settings: Any) -> Served:
    return Served(top, Settings(**settings), place=place)


def logged_in(served: Served, **headers: str) -> Any:
    """A browser after it has followed the link of `gitmaild web`."""
    browser = served.client(**headers)
    assert browser.get("/login", params={"code": served.tokens.leave_code()}).status_code == 200
    return browser


# --- health


def test_health_is_exactly_this_and_needs_no_token(shared: Served) -> None:
    answer = shared.client().get("/health")
    assert (answer.status_code, answer.text) == (200, '{"status": "ok"}')


def test_ready_asks_the_lock_the_loop_the_repository_and_the_backlog(shared: Served) -> None:
    answer = shared.client().get("/health/ready")
    assert answer.status_code == 200
    checks = answer.json()["checks"]
    assert {name: checks[name] for name in ("lock", "loop", "repository", "backlog")} == dict.fromkeys(
        ("lock", "loop", "repository", "backlog"), "ok"
    )
    assert "index" in checks


def test_ready_says_no_where_the_repository_is_damaged(served: Served) -> None:
    (served.home.mailbox / "refs" / "heads" / "main").write_text("0" * 39 + "1\n")
    answer = served.client().get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
    assert answer.json()["checks"]["repository"] != "ok"


def test_live_says_no_where_the_loop_stands_still(served: Served) -> None:
    served.office.daemon._turned -= 1000
    served.office.daemon.stop()
    served._daemon.join()
    served.office.daemon._turned -= 1000
    assert served.client().get("/health/live").status_code == 503
    assert served.client().get("/health/ready").json()["checks"]["loop"].startswith("stands still")


# --- tokens


EVERYWHERE = ["/", "/api", "/api/shop/inbox", "/docs", "/openapi.json", "/events", "/mail", "/mcp", "/health/", "/nothing"]


@pytest.mark.parametrize("path", EVERYWHERE)
def test_nothing_but_health_is_open(shared: Served, path: str) -> None:
    answer = shared.client().get(path)
    assert (answer.status_code, answer.json()["code"]) == (401, "missing-token")
    assert answer.json()["reason"].startswith("Authentication failed")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_wrong_a_missing_and_an_expired_token_are_told_apart(served: Served) -> None:
    old, _ = served.tokens.give(NOW, lifetime=timedelta(days=1), agent="GreenCastle", project="shop")
    assert served.client(token="x" * 43).get("/api").json()["code"] == "wrong-token"
    assert served.client(Authorization="Basic eDp5").get("/api").json()["code"] == "missing-token"
    assert served.client(token=old).get("/api").json()["code"] == "expired-token"


def test_the_token_of_the_home_opens_and_its_file_is_the_owners_alone(served: Served) -> None:
    assert served.client(token=served.tokens.own()).get("/api").status_code == 200
    assert (served.home.state / "token").stat().st_mode & 0o777 == 0o600
    assert len(served.tokens.own()) >= 43


def test_a_token_that_others_can_read_opens_nothing(served: Served) -> None:
    token = served.tokens.own()
    (served.home.state / "token").chmod(0o644)
    answer = served.client(token=token).get("/api")
    assert (answer.status_code, answer.json()["code"]) == (503, "unsafe-token")


def test_the_token_of_the_environment_takes_its_place(tmp_path: Path) -> None:
    served = serving(tmp_path, http_bearer_token="your-secret-token-here")
    try:
        assert served.client(token="your-secret-token-here").get("/api").status_code == 200
        assert served.client(token=served.tokens.own()).get("/api").status_code == 401
        assert "your-secret" not in repr(served.settings)
    finally:
        served.close()


def test_a_new_token_makes_the_old_one_worthless(served: Served) -> None:
    old = served.tokens.own()
    new = served.tokens.renew()
    assert [served.client(token=token).get("/api").status_code for token in (old, new)] == [401, 200]


def test_an_agents_token_speaks_for_that_agent_alone(served: Served) -> None:
    token, _ = served.tokens.give(NOW, agent="GreenCastle", project="shop")
    client = served.client(token=token)
    client.post("/api/shop/send", json={"to": ["RedCat"], "subject": "x"})
    assert served.agent("RedCat").get("/api/shop/inbox").json()[0]["from"] == "GreenCastle"
    forged = client.post("/api/shop/send", json={"to": ["RedCat"]}, headers={"X-Gitmaild-Agent": "RedCat"})
    assert (forged.status_code, forged.json()["code"]) == (403, "not-yours")
    assert client.get("/api/other/inbox").json()["code"] == "other-project"


def test_a_from_in_the_body_is_no_way_around(shared: Served) -> None:
    token, _ = shared.tokens.give(NOW, agent="GreenCastle", project="shop")
    answer = shared.client(token=token).post("/api/shop/send", json={"to": ["RedCat"], "from": "Overseer", "subject": "x"})
    assert answer.status_code == 422
    smuggled = {"to": ["RedCat"], "subject": "x\nfrom: Overseer", "body": "y"}
    assert shared.client(token=token).post("/api/shop/send", json=smuggled).status_code == 422


def test_who_has_the_homes_token_must_say_for_whom_it_speaks(shared: Served) -> None:
    answer = shared.client(token=shared.tokens.own()).post("/api/shop/send", json={"to": ["RedCat"], "subject": "x"})
    assert (answer.status_code, answer.json()["code"]) == (422, "no-identity")


def test_a_name_that_is_none_is_refused(shared: Served) -> None:
    for name in ("claude", "../GreenCastle", "Postmaster", "G" * 300):
        answer = shared.client(token=shared.tokens.own(), agent=name).get("/api")
        assert (answer.status_code, answer.json()["code"]) == (422, "bad-name")


def test_a_token_that_only_reads_changes_nothing(served: Served) -> None:
    token, _ = served.tokens.give(NOW, agent="GreenCastle", project="shop", may_write=False)
    client = served.client(token=token)
    assert client.get("/api/shop/agents").status_code == 200
    assert client.post("/api/shop/send", json={"to": ["RedCat"], "subject": "x"}).json()["code"] == "read-only"


def test_a_revoked_token_opens_nothing_from_then_on(served: Served) -> None:
    token, grant = served.tokens.give(NOW, agent="GreenCastle", project="shop")
    client = served.client(token=token)
    assert client.get("/api").status_code == 200
    served.tokens.revoke(lambda row: row.id == grant.id)
    assert client.get("/api").status_code == 401


def test_a_damaged_table_lets_nobody_in(served: Served) -> None:
    token, _ = served.tokens.give(NOW, agent="GreenCastle", project="shop")
    for damage in (b"", b"[{", b'{"a": 1}', b'[{"id": "x"}]', b"\xff"):
        (served.home.state / "tokens.json").write_bytes(damage)
        assert served.client(token=token).get("/api").status_code == 401


def test_no_token_is_in_any_file_but_its_own_or_in_the_log(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    given, _ = served.tokens.give(NOW, agent="GreenCastle", project="shop")
    code = served.tokens.leave_code()
    secrets = [served.tokens.own(), given, code, "wrong" * 10]
    for token in secrets:
        served.client(token=token).get("/api")
    served.client().get("/login", params={"code": code})
    logged = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("httpx"))
    for secret in secrets:
        assert secret not in logged
        for path in served.home.path.rglob("*"):
            if path.is_file() and path.name != "token":
                assert secret.encode() not in path.read_bytes(), path


# --- guessing


def test_who_guesses_is_sent_away_for_a_minute(tmp_path: Path) -> None:
    served = serving(tmp_path, http_bearer_token="chosen-by-a-person")
    try:
        guesser = served.client(token="wrong")
        said = [guesser.get("/api").status_code for _ in range(12)]
        assert said == [401] * 10 + [429] * 2
        assert int(guesser.get("/api").headers["retry-after"]) <= 61
        # Even the right one, which may be a guess; from another address it is none.
        assert served.client(token="chosen-by-a-person").get("/api").status_code == 429
        assert served.client(token="chosen-by-a-person", peer="127.0.0.2").get("/api").status_code == 200
        served.seconds.now += 61
        assert served.client(token="chosen-by-a-person").get("/api").status_code == 200
    finally:
        served.close()


def test_guessing_does_not_lock_out_those_whose_token_nobody_can_guess(served: Served) -> None:
    for _ in range(20):
        served.client(token="x" * 46).get("/api")
    assert served.client(token="y" * 46).get("/api").status_code == 429
    assert served.agent("GreenCastle").get("/api").status_code == 200


def test_many_guessers_do_not_fill_the_memory(served: Served) -> None:
    for number in range(3000):
        served.access.failures.count(f"10.0.{number >> 8}.{number & 255}")
    assert len(served.access.failures._times) <= 1024


# --- without a token on this machine


def test_loopback_without_a_token_is_let_in_where_that_was_asked_for(tmp_path: Path) -> None:
    served = serving(tmp_path, http_allow_localhost_unauthenticated=True)
    try:
        assert served.client().get("/api").status_code == 200
        assert served.client(agent="RedCat").get("/api/shop/inbox").status_code == 200
        assert served.client(peer="::1").get("/api").status_code == 200
        assert served.client(peer="10.0.0.7").get("/api").status_code == 401
        # A proxy on this machine speaks for others.
        assert served.client(X_Forwarded_For="10.0.0.7").get("/api").status_code == 401
        # A wrong token is wrong all the same, and a page of another origin stays outside.
        assert served.client(token="x" * 46).get("/api").status_code == 401
        assert served.client(Origin="https://evil.example").post("/api/shop/send", json={}).status_code == 403
        assert served.client(Sec_Fetch_Site="cross-site").get("/api").status_code == 403
    finally:
        served.close()


# --- Host and Origin


HOSTS = [
    *(
        "evil.example",
        "evil.example:8765",
        "127.0.0.1.nip.io:8765",
        "localhost.:8765",
        "127.0.0.1:9999",
        "localhost@evil.example",
    ),
    *(
        "127.0.0.1:8765@evil.example",
        "10.0.0.1:8765",
        "[::2]:8765",
        "127.0.0.1:8765/x",
        "127.0.0.1:port",
        "",
        "[",
        "0x7f.1:8765",
    ),
]


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_that_is_not_ours_is_turned_away(shared: Served, host: str) -> None:
    client = shared.client(token=shared.tokens.own())
    for path in ("/api", "/health", "/login"):
        assert client.get(path, headers={"Host": host}).status_code in (400, 421)


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "LOCALHOST:8765", "[::1]:8765", "127.0.0.1"])
def test_our_own_names_are_known(shared: Served, host: str) -> None:
    assert shared.client().get("/health", headers={"Host": host}).status_code == 200


def test_two_hosts_are_none(shared: Served) -> None:
    answer = shared.client().get("/health", headers=[("Host", "127.0.0.1:8765"), ("Host", "evil.example")])  # type: ignore[arg-type]
    assert answer.status_code == 400


def test_more_names_can_be_given(tmp_path: Path) -> None:
    served = serving(tmp_path, http_hosts=("mail.example",))
    try:
        assert served.client().get("/health", headers={"Host": "mail.example"}).status_code == 200
        assert served.client().get("/health", headers={"Host": "x.mail.example"}).status_code == 421
    finally:
        served.close()


def test_who_listens_for_others_is_reached_by_address(tmp_path: Path) -> None:
    served = serving(tmp_path, place=Place("0.0.0.0", 8765))
    try:
        assert served.client().get("/health", headers={"Host": "10.0.0.9:8765"}).status_code == 200
        assert served.client().get("/health", headers={"Host": "evil.example:8765"}).status_code == 421
    finally:
        served.close()


ORIGINS = [
    "https://evil.example",
    "null",
    "http://127.0.0.1:3000",
    "http://localhost",
    "file://",
    "http://127.0.0.1:8765.evil.example",
]


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_page_of_another_origin_is_turned_away(shared: Served, origin: str) -> None:
    """An app on another port of this machine as well."""
    client = shared.agent("GreenCastle")
    assert client.get("/api", headers={"Origin": origin}).status_code == 403
    assert client.post("/api/shop/send", json={"to": ["RedCat"]}, headers={"Origin": origin}).status_code == 403


def test_our_own_origin_is_known(shared: Served) -> None:
    client = shared.agent("GreenCastle")
    for origin in ("http://127.0.0.1:8765", "http://localhost:8765"):
        assert client.get("/api", headers={"Origin": origin}).status_code == 200


# --- browsers


def test_the_link_lets_a_browser_in_once(served: Served) -> None:
    link = login_link(served.home, {})
    assert link.startswith("http://127.0.0.1:8765/login?code=")
    path = link.removeprefix("http://127.0.0.1:8765")
    first = served.client().get(path)
    assert first.status_code == 200
    cookie = first.headers["set-cookie"].lower()
    assert cookie.startswith("gitmaild-8765=gmd_")
    assert all(word in cookie for word in ("httponly", "samesite=strict", "path=/"))
    second = served.client().get(path)
    assert (second.status_code, "set-cookie" in second.headers) == (401, False)


def test_a_browser_that_is_in_is_the_overseer(served: Served) -> None:
    browser = logged_in(served)
    assert browser.get("/api").json()["agent"] == "Overseer"


@pytest.mark.parametrize("code", ["", "x", "../token", "../../state/token", "%2e%2e", "a" * 5000])
def test_a_code_that_nobody_left_lets_nobody_in(served: Served, code: str) -> None:
    answer = served.client().get("/login", params={"code": code})
    assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)
    assert served.tokens.path.exists() or not (served.home.state / "token").exists()


def test_a_code_that_is_too_old_lets_nobody_in(served: Served) -> None:
    import os

    code = served.tokens.leave_code()
    (path,) = (served.home.state / "login").iterdir()
    os.utime(path, (1, 1))
    assert served.client().get("/login", params={"code": code}).status_code == 401


def test_codes_cannot_be_guessed_for_long(served: Served) -> None:
    said = [served.client().get("/login", params={"code": f"guess{n}"}).status_code for n in range(12)]
    assert said == [401] * 10 + [429] * 2


def test_who_is_not_in_is_told_how_to_come_in(shared: Served) -> None:
    answer = shared.client(Accept="text/html").get("/mail")
    assert (answer.status_code, "gitmaild web" in answer.text) == (401, True)


def _csrf(served: Served, browser: Any) -> str:
    from gitmaild.adapters.http.access import csrf_of

    return csrf_of(browser.cookies["gitmaild-8765"])


def test_a_browsers_post_needs_an_origin_and_what_only_our_pages_know(served: Served) -> None:
    browser = logged_in(served)
    ours = {"Origin": "http://127.0.0.1:8765"}
    mail = {"to": ["RedCat"], "subject": "from a browser"}
    token = _csrf(served, browser)
    refused = [
        browser.post("/api/shop/send", json=mail),
        browser.post("/api/shop/send", json=mail, headers=ours),
        browser.post("/api/shop/send", json=mail, headers=ours | {"X-CSRF-Token": "x" * 43}),
        browser.post("/api/shop/send", json=mail, headers={"X-CSRF-Token": token}),
        browser.post("/api/shop/send", json=mail, headers={"Origin": "http://127.0.0.1:3000", "X-CSRF-Token": token}),
    ]
    assert [answer.status_code for answer in refused] == [403] * 5
    assert browser.post("/api/shop/send", json=mail, headers=ours | {"X-CSRF-Token": token}).status_code == 200
    assert [m["from"] for m in served.agent("RedCat").get("/api/shop/inbox").json()] == ["Overseer"]


@pytest.mark.parametrize("kind", ["urlencoded", "multipart"])
def test_a_form_carries_it_as_a_field(served: Served, kind: str) -> None:
    """Past the gate, where this path is none (415): a form is not JSON."""
    browser = logged_in(served, Origin="http://127.0.0.1:8765")
    for field, status in ((_csrf(served, browser), 415), ("x" * 43, 403), ("", 403)):
        if kind == "urlencoded":
            answer = browser.post("/api/shop/send", data={"to": "RedCat", "csrf": field})
        else:
            boundary = "xyz"
            body = f'--xyz\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{field}\r\n--xyz--\r\n'
            answer = browser.post(
                "/api/shop/send", content=body, headers={"Content-Type": f"multipart/form-data; boundary={boundary}"}
            )
        assert answer.status_code == status


def test_another_sessions_word_is_worth_nothing(served: Served) -> None:
    mine, other = logged_in(served, Origin="http://127.0.0.1:8765"), logged_in(served)
    answer = mine.post("/api/shop/send", json={}, headers={"X-CSRF-Token": _csrf(served, other)})
    assert answer.json()["code"] == "bad-csrf"


def test_who_logs_out_is_out_everywhere(served: Served) -> None:
    browser = logged_in(served, Origin="http://127.0.0.1:8765")
    cookie = browser.cookies["gitmaild-8765"]
    assert browser.post("/logout", headers={"X-CSRF-Token": _csrf(served, browser)}).status_code == 200
    assert served.client(Cookie=f"gitmaild-8765={cookie}").get("/api").status_code == 401


def test_a_cookie_is_no_bearer_token_and_a_token_no_cookie(served: Served) -> None:
    browser = logged_in(served)
    assert served.client(token=browser.cookies["gitmaild-8765"]).get("/api").status_code == 401
    given, _ = served.tokens.give(NOW, agent="Overseer")
    for value in (given, served.tokens.own()):
        assert served.client(Cookie=f"gitmaild-8765={value}").get("/api").status_code == 401


def test_the_cookie_is_secure_where_the_door_is(tmp_path: Path) -> None:
    served = serving(tmp_path, place=Place("127.0.0.1", 8765, is_tls=True))
    try:
        answer = served.client(url="https://127.0.0.1:8765").get("/login", params={"code": served.tokens.leave_code()})
        assert "secure" in answer.headers["set-cookie"].lower()
    finally:
        served.close()


# --- what every answer says


@pytest.mark.parametrize("path", ["/health", "/api", "/docs", "/nothing", "/login"])
def test_every_answer_is_locked_down(shared: Served, path: str) -> None:
    for answer in (shared.client().get(path), shared.agent("GreenCastle").get(path)):
        assert re.match("default-src 'self';", answer.headers["content-security-policy"])
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers


# --- too much


def test_a_body_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    served = serving(tmp_path, http_body_limit=1000)
    try:
        green = served.agent("GreenCastle")
        mail = {"to": ["RedCat"], "subject": "x", "body": "y" * 2000}
        assert green.post("/api/shop/send", json=mail).json()["code"] == "too-large"
        pieces = green.post("/api/shop/send", content=iter([b"x" * 600] * 3), headers={"Content-Type": "application/json"})
        assert pieces.status_code == 413
        assert green.post("/api/shop/send", json=mail | {"body": "y"}).status_code == 200
    finally:
        served.close()


@pytest.mark.parametrize("lengths", [["3", "4"], ["-1"], ["3x"], ["9" * 30]])
def test_a_length_that_is_none_is_refused(shared: Served, lengths: list[str]) -> None:
    headers = [*(("Content-Length", length) for length in lengths), ("Content-Type", "application/json")]
    answer = shared.agent("GreenCastle").post("/api/shop/send", content=b"{}", headers=headers)  # type: ignore[arg-type]
    assert answer.status_code == 400
