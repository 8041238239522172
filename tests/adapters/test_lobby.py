"""Many agents at once, from many threads: what the doors in the daemon's process stand on."""

import threading
from pathlib import Path
from typing import Any

import pytest

from gitmaild import Refused, wiring
from gitmaild.adapters.client.lobby import Lobby
from gitmaild.app.bell import Bell
from tests.adapters.runner import Terminal, repository
from tests.adapters.served import served, together
from tests.post import Post

CREW = ("GreenCastle", "RedCat", "BlueLake", "SwiftFalcon")


def work(lobby: Lobby, agent: str, count: int, failures: list[BaseException], answers: dict[str, list[Any]]) -> None:
    try:
        mine = lobby.for_agent("shop", agent)
        for number in range(count):
            others = [name for name in CREW if name != agent]
            answer = mine.send(others, f"{agent} {number}", f"{agent} {number}\n", thread_id=f"t-{agent.lower()}")
            answers[agent].append(answer)
            assert mine.show(answer.id).subject == f"{agent} {number}"
            assert mine.reserve(f"{agent}/{number}/**").success
            assert len(mine.leases(mine=True)) == number + 1
            if inbox := mine.inbox(limit=1):
                mine.ack(inbox)
            assert len(mine.thread(f"t-{agent.lower()}")) == number + 1
            assert mine.whois(agent).agent_name == agent
            assert [row.id for row in mine.search(f'from:{agent} subject:"{agent} {number}"')] == [answer.id]
    except BaseException as error:
        failures.append(error)
        raise


def check(lobby: Lobby, count: int, answers: dict[str, list[Any]]) -> None:
    """Every answer was of its own command, and every message came once to each."""
    for agent in CREW:
        assert [answer.status for answer in answers[agent]] == ["delivered"] * count
        shown = [lobby.for_agent("shop", agent).show(answer.id) for answer in answers[agent]]
        assert [(msg.from_, msg.body) for msg in shown] == [(agent, f"{agent} {n}\n") for n in range(count)]
        got = [msg.id for msg in lobby.for_agent("shop", agent).inbox(1000, everything=True)]
        assert sorted(got) == sorted(a.id for other in CREW if other != agent for a in answers[other])


@pytest.mark.slow
def test_agents_on_threads_beside_the_daemon_do_not_disturb_each_other(post: Post) -> None:
    failures: list[BaseException] = []
    answers: dict[str, list[Any]] = {agent: [] for agent in CREW}
    with served(post.home) as lobby:
        for agent in CREW:
            assert lobby.for_agent(str(post.worktree), agent).register(program="test").success
        together(*(threading.Thread(target=work, args=(lobby, agent, 5, failures, answers)) for agent in CREW))
        assert failures == []
        check(lobby, 5, answers)
    post.fsck()
    post.check_exactly_once()


@pytest.mark.slow
def test_agents_on_threads_without_a_daemon_take_turns_at_the_passes(terminal: Terminal, home: Path) -> None:
    lobby = Lobby(home, environment={})
    failures: list[BaseException] = []
    answers: dict[str, list[Any]] = {agent: [] for agent in CREW}
    for agent in CREW:
        lobby.for_agent(str(terminal.here), agent).register(program="test")
    together(*(threading.Thread(target=work, args=(lobby, agent, 2, failures, answers)) for agent in CREW))
    assert failures == []
    check(lobby, 2, answers)


@pytest.mark.slow
def test_one_mailbox_may_be_used_by_many_threads(post: Post) -> None:
    with served(post.home) as lobby:
        red = lobby.for_agent(str(post.worktree), "RedCat")
        red.register()
        sent: list[str] = []
        together(*(threading.Thread(target=lambda: sent.append(red.send("RedCat", "to myself").id)) for _ in range(8)))
        assert len(set(sent)) == 8
        assert {msg.id for msg in red.inbox(100)} == set(sent)


@pytest.mark.slow
def test_waiting_ends_with_the_mail(post: Post) -> None:
    with served(post.home) as lobby:
        green, red = (lobby.for_agent(str(post.worktree), name) for name in ("GreenCastle", "RedCat"))
        green.register()
        red.register()
        heard: list[str] = []
        waiting = threading.Thread(target=lambda: heard.extend(msg.subject for msg in red.wait(30)))
        waiting.start()
        green.send("RedCat", "here")
        waiting.join(30)
        assert heard == ["here"]


def test_beside_a_daemon_no_request_runs_a_pass(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    post.agents("GreenCastle")
    post.stop()

    def never(*_: object, **__: object) -> bool:
        raise AssertionError("a pass in a door's thread")

    monkeypatch.setattr(wiring, "serve_once", never)
    green = Lobby(post.home, environment={}, bell=Bell()).for_agent("shop", "GreenCastle", patience=0.01)
    answer = green.send("GreenCastle", "x")
    assert answer.status == "queued"
    assert post.waiting("GreenCastle") == [answer.file]


def test_the_daemons_own_environment_says_nothing_about_who_asks(post: Post) -> None:
    post.agents("GreenCastle")
    said = {"GITMAILD_AGENT": "GreenCastle", "GITMAILD_PROJECT": "depot", "AGENT_NAME": "GreenCastle"}
    lobby = Lobby(post.home, environment=said, bell=Bell())
    with pytest.raises(Refused) as refused:
        lobby.for_agent("shop").inbox()
    assert refused.value.code == "no-identity"
    # The only project there is needs no name.
    assert lobby.for_agent().whois("GreenCastle").state == "active"


def test_projects_are_known_as_they_come(terminal: Terminal, home: Path, tmp_path: Path) -> None:
    lobby = Lobby(home, environment={})
    assert lobby.projects() == ["shop"]
    terminal.ok("init", here=repository(tmp_path / "depot"))
    assert lobby.projects() == ["depot", "shop"]
    with pytest.raises(Refused) as refused:
        lobby.for_agent(None, "RedCat").agents()
    assert refused.value.code == "no-project"
    with pytest.raises(Refused) as refused:
        lobby.for_agent("depot/..", "RedCat").agents()
    assert refused.value.code == "no-project"


def test_requests_leave_no_descriptor_open(post: Post) -> None:
    import gc
    import os

    post.agents("GreenCastle", "RedCat")
    lobby = Lobby(post.home, environment={}, bell=Bell())
    red = lobby.for_agent("shop", "RedCat", patience=0.01)
    red.agents()
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        red.inbox()
        red.send("GreenCastle", "x")
        red.agents()
        with pytest.raises(Refused):
            red.show("msg_20260101_00000000")
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_what_reading_left_in_memory_is_given_back_now_and_then(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    post.agents("RedCat")
    monkeypatch.setattr("gitmaild.adapters.client.lobby._LET_GO_SECONDS", 0.0)
    lobby = Lobby(post.home, environment={}, bell=Bell())
    for _ in range(3):
        assert [row.agent_name for row in lobby.for_agent("shop").agents()] == ["Overseer", "RedCat"]
    assert lobby.tip() == post.git("rev-parse", "main").strip()
