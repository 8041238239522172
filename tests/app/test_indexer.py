"""The search index beside the mail, in a whole post office: always found, never in the way."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitmaild import wiring
from gitmaild.app.answers import Answer, Question
from gitmaild.app.indexer import described
from gitmaild.edges.fts_index import FtsIndex
from gitmaild.model.drop import Hint, How
from gitmaild.model.errors import Refused
from gitmaild.model.search import IndexDamaged
from gitmaild.model.settings import Settings
from tests.fakes import StillWatcher
from tests.post import Post


@pytest.fixture(params=["fts5", "whoosh"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def opened(top: Path, engine: str) -> Post:
    post = Post(top, Settings(search_engine=engine))
    post.agents("GreenCastle", "RedCat", "BlueLake")
    return post


@pytest.fixture
def office(tmp_path: Path, engine: str) -> Any:
    post = opened(tmp_path, engine)
    yield post
    post.stop()


@pytest.fixture
def quick(tmp_path: Path) -> Any:
    """With the engine that needs no time."""
    post = opened(tmp_path, "fts5")
    yield post
    post.stop()


def send(post: Post, body: str, **fields: str) -> None:
    post.drop("GreenCastle", body, **{"to": "RedCat", "subject": "hello"} | fields)
    post.turn()


def answer(post: Post, text: str, agent: str = "RedCat") -> Answer:
    question = Question("shop", text, post.clock.wall(), 100)
    return wiring.search(post.home, {"GITMAILD_SEARCH_ENGINE": post.limits.search_engine}, question, lambda: agent)


def bodies(post: Post, text: str) -> list[str]:
    return [found.message.body.strip() for found in answer(post, text).found]


def reached(post: Post) -> str:
    """The commit that the index says it reaches to."""
    index = wiring.search_index(post.home, post.limits.search_engine)
    try:
        index.open(writing=False)
        return index.checkpoint()
    finally:
        index.close()


def tip(post: Post) -> str:
    return post.git("rev-parse", "main").strip()


# --- found


def test_a_message_is_found_right_after_its_send(office: Post) -> None:
    office.rest()
    send(office, "the token expired")
    assert reached(office) != tip(office)
    assert (bodies(office, "token"), answer(office, "token").note) == (["the token expired"], "")
    office.rest()
    assert reached(office) == tip(office)
    assert bodies(office, "token") == ["the token expired"]


def test_killed_between_commit_and_index_it_is_found_after_the_restart_without_a_command(office: Post) -> None:
    send(office, "token one")
    office.rest()
    send(office, "token two")
    office.crash()
    assert bodies(office, "token") == ["token two", "token one"]
    office.turn()
    assert bodies(office, "token") == ["token two", "token one"]
    office.rest()
    assert reached(office) == tip(office)
    assert bodies(office, "token") == ["token two", "token one"]


def test_a_message_that_somebody_pushed_is_found_within_a_scan(office: Post) -> None:
    send(office, "token ours")
    office.rest()
    path = next(path for path in office.tree() if "/messages/" in path)
    other = office.blob(office.tree()[path]).replace(b"token ours", b"token theirs")
    name = path.rpartition("/")[2].removesuffix(".md")
    pushed = f"{name[:-8]}00000001"
    office.foreign({path.replace(name, pushed): other.replace(name.encode(), pushed.encode())})
    office.scan()
    office.rest()
    assert reached(office) == tip(office)
    assert sorted(bodies(office, "token")) == ["token ours", "token theirs"]


def test_blind_recipients_are_not_found(office: Post) -> None:
    send(office, "token", bcc="BlueLake, NoBody")
    for _ in range(2):
        assert bodies(office, "token") == ["token"]
        assert all(bodies(office, text) == [] for text in ("to:BlueLake", "BlueLake", "NoBody", "from:Postmaster"))
        office.rest()


def test_states_are_those_of_the_desk_of_whoever_asks(office: Post) -> None:
    for number in range(2):
        send(office, f"token {number}", to="RedCat, BlueLake")
    office.file("RedCat", office.names("RedCat")[0], "read")
    office.turn()
    office.rest()
    assert bodies(office, "is:unread") == ["token 1"]
    assert len(answer(office, "is:unread", "BlueLake").found) == 2


def test_a_malformed_query_is_refused(office: Post) -> None:
    office.rest()
    with pytest.raises(Refused, match="column 7"):
        answer(office, "token form:RedCat")


# --- healed


def _garbage(directory: Path) -> None:
    for path in directory.iterdir():
        path.write_bytes(b"\0garbage\xff" * 100)


def _torn(directory: Path) -> None:
    for path in directory.iterdir():
        os.truncate(path, path.stat().st_size // 2)


def _version(directory: Path) -> None:
    """As another gitmaild writes it."""
    for path in directory.iterdir():
        data = path.read_bytes()
        if path.name == "fts5.db":
            data = data[:60] + (77).to_bytes(4, "big") + data[64:]
        elif path.name == "MANIFEST":
            data = data.replace(b"whoosh", b"shwoop")
        path.write_bytes(data)


@pytest.mark.parametrize("damage", [shutil.rmtree, _garbage, _torn, _version])
def test_a_damaged_index_heals_without_a_command(office: Post, damage: Callable[[Path], None]) -> None:
    for number in range(5):
        send(office, f"token {number}")
    office.rest()
    before = answer(office, "token")
    office.stop()
    damage(office.home.indexes / office.limits.search_engine)
    assert answer(office, "token") == before
    send(office, "a newer one")
    assert answer(office, "token").found == before.found
    office.rest()
    assert answer(office, "token") == before
    assert reached(office) == tip(office)
    assert office.alarms() == []


@pytest.mark.parametrize("name", [wiring.REBUILD, wiring.REBUILD_INDEX])
def test_made_anew_it_answers_as_before(office: Post, name: str) -> None:
    for number in range(5):
        send(office, f"token {number}", subject=f"[br-{number % 2}] Start", thread_id=f"br-{number % 2}")
        office.rest()
    asked = ("token", "tag:br-1", "thread:br-0 -1", "tok*", '"token 3"')
    before = [answer(office, text) for text in asked]
    of_the_old_one = office.home.indexes / office.limits.search_engine / "mark"
    of_the_old_one.touch()
    wiring.request(office.home, name)
    office.scan()
    assert not wiring.is_requested(office.home, name)
    assert [answer(office, text).found for text in asked] == [given.found for given in before]
    office.rest()
    assert of_the_old_one.parent.is_dir()
    assert not of_the_old_one.exists()
    assert [answer(office, text) for text in asked] == before
    assert reached(office) == tip(office)


def test_after_a_history_was_rewritten_and_accepted_it_has_the_new_one(office: Post) -> None:
    send(office, "token kept")
    send(office, "token lost")
    office.rest()
    office.git("update-ref", "refs/heads/main", "main~1")
    office.scan()
    assert office.alarms() == ["history-rewritten"]
    wiring.request(office.home, wiring.REBUILD)
    office.scan()
    office.rest()
    assert (bodies(office, "token"), reached(office)) == (["token kept"], tip(office))


# --- never in the way


def test_mail_that_waits_goes_first(quick: Post) -> None:
    class Busy(StillWatcher):
        def wait(self, timeout: float) -> list[Hint]:
            return [Hint("somewhere", "x.md", How.RENAMED)]

    quick.start().daemon._watcher = Busy()
    quick.clock.advance(10)
    assert not quick.start().daemon.rest()
    assert not quick.home.indexes.exists()
    quick.start().daemon._watcher = StillWatcher()
    quick.turn()
    quick.rest()
    assert reached(quick) == tip(quick)


def test_in_the_first_seconds_only_mail_counts(quick: Post) -> None:
    quick.stop()
    quick.turn()
    quick.start().daemon.rest()
    assert not quick.home.indexes.exists()
    quick.clock.advance(2)
    quick.start().daemon.rest()
    assert quick.home.indexes.exists()


def test_it_is_written_to_at_most_once_a_second_and_not_without_need(quick: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    quick.rest()
    written = []
    add = FtsIndex.add

    def noted(index: FtsIndex, documents: Any, checkpoint: str, **more: Any) -> None:
        written.append(len(documents))
        add(index, documents, checkpoint, **more)

    monkeypatch.setattr(FtsIndex, "add", noted)
    daemon = quick.start().daemon
    for number in range(12):
        quick.drop("GreenCastle", f"token {number}", to="RedCat")
        quick.turn(seconds=0.25)
        daemon.rest()
    quick.clock.advance(1)
    daemon.rest()
    assert sum(written) == 12
    assert len(written) <= 4
    quick.clock.advance(60)
    daemon.rest()
    assert daemon.indexer.seconds_left() == float("inf")
    assert sum(written) == 12


def test_while_mail_flows_a_build_takes_one_step_a_second(quick: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(40):
        send(quick, f"token {number}")
    monkeypatch.setattr(FtsIndex, "batch", 1)
    monkeypatch.setattr("gitmaild.app.indexer._SLICE", 0.0)
    daemon = quick.start().daemon
    daemon.rest()
    steps = 0
    step = daemon.indexer.step

    def counted(tip: str) -> bool:
        nonlocal steps
        steps += 1
        return step(tip)

    monkeypatch.setattr(daemon.indexer, "step", counted)
    for number in range(60):
        quick.drop("GreenCastle", f"more {number}", to="RedCat")
        quick.turn(seconds=0.05)
        daemon.rest()
    assert 2 <= steps <= 4
    quick.clock.advance(0.1)
    while daemon.rest():
        steps += 1
    assert steps > 30
    assert len(bodies(quick, "token OR more")) == 100


def test_more_than_is_kept_in_mind_is_read_from_the_commits(quick: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    quick.rest()
    monkeypatch.setattr("gitmaild.app.indexer._MOST", 3)
    monkeypatch.setattr("gitmaild.app.indexer._AT_ONCE", 2)
    for count in (3, 8):
        for number in range(count):
            quick.drop("GreenCastle", f"token {number}", to="RedCat", name=f"n{number}.md")
        quick.turn()
        quick.rest()
        assert reached(quick) == tip(quick)
    assert len(bodies(quick, "token")) == 11


@pytest.mark.parametrize("error", [RuntimeError("a bug"), OSError(28, "No space left on device"), IndexDamaged("torn")])
@pytest.mark.parametrize("method", ["open", "add", "checkpoint", "tend", "clear"])
def test_its_failures_do_not_stop_the_mail(
    quick: Post, monkeypatch: pytest.MonkeyPatch, error: Exception, method: str
) -> None:
    def fail(*args: Any, **more: Any) -> None:
        raise error

    send(quick, "token one")
    with monkeypatch.context() as patch:
        patch.setattr(FtsIndex, method, fail)
        daemon = quick.start().daemon
        for number in range(4):
            quick.clock.advance(1)
            for _ in range(20):
                if not daemon.rest(at_once=True):
                    break
            send(quick, f"again {number}")
        if method != "clear" and (not isinstance(error, IndexDamaged) or method in ("add", "tend")):
            assert quick.alarms() == ["search"]
            assert daemon.indexer.seconds_left() > 0
    assert quick.inbox("RedCat") == ["GreenCastle: hello"] * 5
    quick.rest(400)
    quick.rest(400)
    assert quick.alarms() == []
    assert reached(quick) == tip(quick)
    assert bodies(quick, "token") == ["token one"]


def test_what_somebody_else_put_in_its_place_is_not_opened(quick: Post, tmp_path: Path) -> None:
    quick.home.indexes.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (quick.home.indexes / "fts5").symlink_to(tmp_path / "elsewhere")
    quick.rest()
    assert quick.alarms() == ["search"]
    assert os.listdir(tmp_path / "elsewhere") == []
    send(quick, "token")
    assert quick.inbox("RedCat") == ["GreenCastle: hello"]


def test_a_home_without_mail_has_an_index_of_nothing(tmp_path: Path) -> None:
    post = Post(tmp_path, Settings(search_engine="fts5"))
    post.turn()
    post.rest()
    assert (post.alarms(), bodies(post, "token")) == ([], [])
    post.stop()


@pytest.mark.slow
def test_whoosh_is_not_imported_while_mail_flows(tmp_path: Path) -> None:
    post = opened(tmp_path, "whoosh")
    post.stop()
    code = """
import sys
from pathlib import Path
from gitmaild.wiring import Home
from gitmaild.wiring.office import NoHints, open_office
office = open_office(Home(Path(sys.argv[1])), {}, watcher=NoHints())
office.daemon.turn([])
office.daemon.rest()
print("whoosh" in sys.modules)
office.daemon.rest(at_once=True)
print("whoosh" in sys.modules)
office.close()
"""
    said = subprocess.run([sys.executable, "-c", code, str(post.home.path)], check=True, capture_output=True, text=True)
    assert said.stdout.split() == ["False", "True"]


def test_a_daemon_that_must_not_begin_sleeps(quick: Post) -> None:
    quick.stop()
    quick.git("update-ref", "refs/heads/main", quick.git("commit-tree", "-m", "other", "main^{tree}").strip())
    quick.turn()
    quick.clock.advance(10)
    quick.turn()
    assert quick.alarms() == ["history-rewritten"]
    assert quick.start().daemon._patience() > 0
    assert not quick.start().daemon.rest()


# --- status


def test_the_state_says_how_far_it_is(office: Post) -> None:
    assert office.start().daemon.state()["search"]["note"] == "the index is not open"
    send(office, "token")
    office.rest()
    state = office.start().daemon.state()["search"]
    assert state.pop("bytes") > 0
    assert state == {"engine": office.limits.search_engine, "messages": 1, "note": "", "advice": ""}


def test_while_it_is_made_the_state_and_the_answers_say_so(quick: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        send(quick, f"token {number}")
        quick.clock.advance(3600)
    monkeypatch.setattr(FtsIndex, "batch", 2)
    ticks = iter(range(10**6))
    quick.start().daemon.indexer._monotonic = lambda: next(ticks)
    while "of" not in quick.start().daemon.state()["search"]["note"]:
        assert quick.start().daemon.rest(at_once=True)
    assert quick.start().daemon.state()["search"]["note"].endswith("of 6 messages")
    quick.rest()
    assert quick.start().daemon.state()["search"]["note"] == ""
    assert len(bodies(quick, "token")) == 6


def test_a_large_mailbox_is_told_of_the_other_engine() -> None:
    assert described("whoosh", 40_000, 1, "")["advice"] == ""
    assert described("fts5", 1_000_000, 1, "")["advice"] == ""
    advice = described("whoosh", 100_000, 1, "")["advice"]
    assert advice.startswith("100,000 messages take whoosh about 74 s to index anew, fts5 16 s")
    assert "search_engine: fts5" in advice
