"""The JSON API: each command and query of the vocabulary, its answers and its refusals."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from gitmaild.adapters.client.commands import COMMANDS
from gitmaild.adapters.client.mailbox import Mailbox
from gitmaild.adapters.client.queries import QUERIES
from gitmaild.model.settings import Settings
from tests.adapters.served import Served


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path)
    yield served
    served.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """For tests that change nothing."""
    served = Served(tmp_path_factory.mktemp("shared"))
    yield served
    served.close()


_JSON = {"Content-Type": "application/json"}


def _green(served: Served) -> Any:
    """One client for many examples."""
    if not hasattr(served, "green"):
        served.green = served.agent("GreenCastle")  # type: ignore[attr-defined]
    return served.green  # type: ignore[attr-defined]


def send(client: Any, **given: Any) -> Any:
    answer = client.post("/api/shop/send", json={"to": ["RedCat"], "subject": "Start", "body": "x"} | given)
    assert answer.status_code == 200, answer.text
    return answer.json()


# --- what is asked is done


def test_a_message_goes_out_is_read_and_acknowledged(served: Served) -> None:
    green, red = served.agent("GreenCastle"), served.agent("RedCat")
    sent = send(green, subject="[br-123] Start: 'x'", thread_id="br-123", ack_required=True)
    assert sent["recipients"] == [{"name": "RedCat", "state": "inbox"}]
    (mail,) = red.get("/api/shop/inbox", params={"limit": 5}).json()
    assert (mail["id"], mail["subject"], mail["body"]) == (sent["id"], "[br-123] Start: 'x'", "x")
    assert red.post("/api/shop/ack", json={"ids": [mail["id"]]}).json() == {"status": "done", "ids": [mail["id"]]}
    assert red.get("/api/shop/inbox").json() == []
    assert red.get("/api/shop/show", params={"id": mail["id"]}).json()["state"] == "acked"


def test_an_answer_is_what_the_client_gives(served: Served) -> None:
    green = served.agent("GreenCastle")
    send(green, thread_id="br-1")
    mailbox = Mailbox("shop", "RedCat", lobby=served.lobby)
    red = served.agent("RedCat")
    for name, asked in {
        "inbox": {},
        "agents": {},
        "thread": {"thread_id": "br-1"},
        "log": {},
        "events": {},
        "leases": {},
    }.items():
        assert red.get(f"/api/shop/{name}", params=asked).json() == mailbox.call(name, asked), name


def test_a_reserve_that_meets_a_conflict_is_an_answer(served: Served) -> None:
    green, red = served.agent("GreenCastle"), served.agent("RedCat")
    granted = green.post("/api/shop/reserve", json={"paths": ["src/**"]})
    assert (granted.status_code, granted.json()["status"]) == (200, "granted")
    refused = red.post("/api/shop/reserve", json={"paths": ["src/api.py"]})
    assert (refused.status_code, refused.json()["status"]) == (200, "conflict")
    assert refused.json()["conflicts"][0]["holder"] == "GreenCastle"


def test_files_are_attached_by_their_bytes(served: Served) -> None:
    sent = send(served.agent("GreenCastle"), attach={"note.txt": base64.b64encode(b"hello").decode()})
    shown = served.agent("RedCat").get("/api/shop/show", params={"id": sent["id"]}).json()
    assert [Path(one).name for one in shown["attachments"]] == ["note.txt"] or "note.txt" in str(shown["attachments"])


def test_waiting_ends_when_mail_comes(served: Served) -> None:
    """A wait of a minute, which the test's own time limit would not survive."""
    import threading

    red, green = served.agent("RedCat"), served.agent("GreenCastle")
    found: list[Any] = []
    waiting = threading.Thread(target=lambda: found.append(red.get("/api/shop/wait", params={"timeout": 50}).json()))
    waiting.start()
    sent = send(green)
    waiting.join(40)
    assert [mail["id"] for mail in found[0]] == [sent["id"]]


def test_waiting_for_nothing_is_an_empty_list(shared: Served) -> None:
    assert shared.agent("RedCat").get("/api/shop/wait", params={"timeout": 0}).json() == []


def test_a_found_page_says_whether_there_is_more(served: Served) -> None:
    green = served.agent("GreenCastle")
    for number in range(3):
        send(green, subject=f"token {number}")
    answer = green.get("/api/shop/search", params={"query": "subject:token", "limit": 2})
    assert (len(answer.json()), answer.headers["x-gitmaild-more"]) == (2, "true")


def test_a_write_that_nobody_answers_is_queued(served: Served) -> None:
    """202: it will be answered, and must not be repeated."""
    green = served.agent("GreenCastle")
    served.office.daemon.stop()
    served._daemon.join()
    original = served.lobby.for_agent
    served.lobby.for_agent = lambda project, agent: original(project, agent, patience=0.05)  # type: ignore[method-assign]
    answer = green.post("/api/shop/send", json={"to": ["RedCat"], "subject": "later"})
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")


# --- what is refused


def test_a_refusal_is_422_with_code_reason_and_mend(shared: Served) -> None:
    answer = shared.agent("GreenCastle").post("/api/shop/send", json={"to": ["RedCat"], "subject": "x\ny"})
    assert answer.status_code == 422
    assert sorted(answer.json()) == ["code", "mend", "reason"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/nothere/inbox", "no-project"),
        ("/api/shop/inbux", "unknown-call"),
        ("/api/shop/show?id=msg_20260101_00000000", "no-message"),
        ("/api/shop/whois?name=NobodyHere", "no-agent"),
        ("/nothing", "no-page"),
    ],
)
def test_what_is_not_there_is_404(shared: Served, path: str, code: str) -> None:
    answer = shared.agent("GreenCastle").get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, code)


def test_a_slip_of_the_pen_is_answered_with_what_may_be_meant(shared: Served) -> None:
    assert "inbox" in shared.agent("GreenCastle").get("/api/shop/inbux").json()["reason"]


def test_commands_are_posted_and_queries_are_got(shared: Served) -> None:
    green = shared.agent("GreenCastle")
    for answer, allowed in ((green.get("/api/shop/send"), "POST"), (green.post("/api/shop/inbox", json={}), "GET, HEAD")):
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"to": NaN}', 400),
        (b'{"to": ["RedCat"], "to": []}', 400),
        (b"\xff", 400),
        (b"[" * 100_000, 400),
        (b'{"subject": "\\ud800", "to": ["RedCat"]}', 422),
        (b'{"to": {"a": {"b": 1}}, "subject": "x"}', 422),
        (b'{"no_such": 1}', 422),
        (b'{"attach": {"a": "%%%"}}', 422),
        (b'{"attach": ["a"]}', 422),
        (b'{"to": ["RedCat"], "subject": "x", "attach": {"../../x": "aGVsbG8="}}', 422),
        (b'{"to": ["RedCat"], "subject": "x", "attach": {"": "aGVsbG8="}}', 422),
        (b'{"to": ["RedCat"], "subject": "x", "attach": {"a\\u0000b": "aGVsbG8="}}', 422),
        (b'{"to": ["RedCat"], "subject": "x", "attachments": ["../../../etc/passwd"]}', 422),
        (b"{}", 422),
        (b"", 422),
    ],
)
def test_a_body_that_is_none_is_refused(shared: Served, body: bytes, status: int) -> None:
    answer = shared.agent("GreenCastle").post("/api/shop/send", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, "code" in answer.json()) == (status, True), answer.text
    assert shared.post.waiting("GreenCastle") == []


def test_only_json_is_read(shared: Served) -> None:
    """A form of another page may send text/plain, and never application/json."""
    green = shared.agent("GreenCastle")
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = green.post("/api/shop/send", content=b'{"to": ["RedCat"]}', headers={"Content-Type": kind})
        assert answer.status_code == 415


@pytest.mark.parametrize("path", ["/api/..%2f..%2fetc/inbox", "/api/%2e%2e/inbox", "/api/~root/inbox", "/api/shop%00/inbox"])
def test_a_project_is_its_slug_and_no_path(shared: Served, path: str) -> None:
    assert shared.agent("GreenCastle").get(path).status_code == 404


def test_a_worktree_is_not_a_project_here(shared: Served) -> None:
    assert shared.agent("GreenCastle").get(f"/api/{str(shared.post.worktree).replace('/', '%2f')}/inbox").status_code == 404


@pytest.mark.parametrize("hostile", ["../../x", "/etc/passwd", "..", "a\0b", "%2e%2e%2f", "\ud7ff" * 300])
def test_no_argument_of_a_query_leads_out(shared: Served, hostile: str) -> None:
    """Every text that a query takes, one by one. Nothing is a failure of ours, and nothing of this machine is shown."""
    green = shared.agent("GreenCastle")
    for name, query in QUERIES.items():
        if name == "wait":
            continue
        for parameter in query.parameters:
            if parameter.type == "text":
                others = {each.name: "x" for each in query.parameters if each.required and each is not parameter}
                answer = green.get(f"/api/shop/{name}", params=others | {parameter.name: hostile})
                assert answer.status_code in (200, 404, 422), (name, parameter.name, answer.text)
                assert "root:x:0:0" not in answer.text


def test_an_argument_that_is_given_twice_is_refused(shared: Served) -> None:
    assert shared.agent("GreenCastle").get("/api/shop/inbox?limit=1&limit=2").status_code == 422


def test_too_many_at_once_are_sent_away(tmp_path: Path) -> None:
    served = Served(tmp_path, Settings(http_threads=1))
    try:
        green = served.agent("GreenCastle")
        pool = next(r.endpoint.__self__._pool for r in served.app.routes if r.path == "/api")  # type: ignore[attr-defined]
        pool._asked = pool._most
        answer = green.get("/api/shop/agents")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    finally:
        served.close()


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=30),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=6,
)
_ASKED = st.sampled_from([(name, p.name) for name, command in COMMANDS.items() for p in command.parameters])


@hypothesis_settings(max_examples=50, deadline=None, derandomize=True)
@given(asked=_ASKED, value=_ANYTHING)
def test_whatever_a_command_is_given_it_answers_or_refuses(shared: Served, asked: tuple[str, str], value: object) -> None:
    command, parameter = asked
    given = {"to": ["RedCat"], "subject": "x", "ids": ["msg_20260101_00000000"], "paths": ["a/b.py"], "slots": ["s"]}
    known = {each.name for each in COMMANDS[command].parameters}
    body = {key: value for key, value in given.items() if key in known} | {parameter: value}
    answer = _green(shared).post(f"/api/shop/{command}", content=json.dumps(body), headers=_JSON)
    assert answer.status_code in (200, 404, 422), answer.text


@hypothesis_settings(max_examples=50, deadline=None, derandomize=True)
@given(
    asked=st.sampled_from([(n, p.name) for n, q in QUERIES.items() for p in q.parameters if n != "wait"]), value=st.text()
)
def test_whatever_a_query_is_given_it_answers_or_refuses(shared: Served, asked: tuple[str, str], value: str) -> None:
    query, parameter = asked
    given = {each.name: "x" for each in QUERIES[query].parameters if each.required} | {parameter: value}
    assert _green(shared).get(f"/api/shop/{query}", params=given).status_code in (200, 404, 422)


# --- how it is described


def test_the_description_has_every_call(shared: Served) -> None:
    told = shared.agent("GreenCastle").get("/openapi.json").json()
    assert told["openapi"] == "3.1.0"
    posts = {path.rpartition("/")[2] for path, item in told["paths"].items() if "post" in item}
    gets = {path.rpartition("/")[2] for path, item in told["paths"].items() if "get" in item}
    assert (posts, gets - {"health"}) == (set(COMMANDS), set(QUERIES))


def test_the_page_shows_every_call(shared: Served) -> None:
    page = shared.agent("GreenCastle").get("/docs").text
    assert [name for name in (*COMMANDS, *QUERIES) if f'id="{name}"' not in page] == []


def test_the_overview_lists_the_projects(shared: Served) -> None:
    assert shared.agent("GreenCastle").get("/api").json()["projects"] == ["shop"]
