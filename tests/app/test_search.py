"""Search over a real mailbox: fresh, whole, healed, the same on both engines."""

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from gitmaild.app.answers import Answer, Question, look, states_of
from gitmaild.app.ports import SearchIndex
from gitmaild.app.search import Search
from gitmaild.edges.fts_index import FtsIndex
from gitmaild.edges.repo import Repo
from gitmaild.edges.whoosh_index import WhooshIndex
from gitmaild.model.errors import Refused
from gitmaild.rules.mailbox import Mailbox
from tests.post import Post

Make = Callable[[Path], SearchIndex]
ENGINES: dict[str, Make] = {"fts5": FtsIndex, "whoosh": lambda path: WhooshIndex(path, segments=4, apart=False)}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Desk:
    """A post office, and the search of its home as the daemon would keep it."""

    def __init__(self, post: Post, engine: str) -> None:
        self.post, self.engine = post, engine
        self.directory = post.home.path / "index" / engine
        self.ticks = count()
        self.search: Search | None = None
        post.agents("GreenCastle", "RedCat", "BlueLake")
        self.repo = Repo(post.home.mailbox)
        self.tip = ""

    def index(self) -> SearchIndex:
        return ENGINES[self.engine](self.directory)

    def start(self, *, finish: bool = True) -> Search:
        if self.search is None:
            self.search = Search(self.repo, self.index(), lambda: next(self.ticks))
            self.tip = self.repo.tip()
            self.search.catch_up(self.tip)
            if finish:
                self.finish()
        return self.search

    def finish(self) -> None:
        assert self.search
        for _ in range(10_000):
            if not self.search.step(50):
                return
        raise AssertionError("it never ends")

    def land(self, *, settled: bool = True) -> None:
        """Take what the daemon has committed since."""
        search, tip = self.start(), self.repo.tip()
        search.apply(list(self.repo.commits(self.tip, tip)), self.repo.tree(tip))
        self.tip = tip
        if settled:
            search.settle()

    def stop(self) -> None:
        if self.search:
            self.search.close()
            self.search = None

    def kill(self) -> None:
        """An end without farewell."""
        if self.search:
            self.search._index.close()
            self.search = None

    def send(self, body: str, *, sender: str = "GreenCastle", **fields: str) -> None:
        self.post.drop(sender, body, **{"to": "RedCat", "subject": "hello"} | fields)
        self.post.turn()

    def ask(self, text: str, *, agent: str = "RedCat", **more: object) -> Answer:
        return self.start().search(self.question(text, **more), self.states(agent))

    def look(self, text: str, *, agent: str = "RedCat", **more: object) -> Answer:
        return look(Repo(self.post.home.mailbox), self.index(), self.question(text, **more), self.states(agent))

    def question(self, text: str, **more: object) -> Question:
        return replace(Question("shop", text, self.now()), **more)  # type: ignore[arg-type]

    def now(self) -> datetime:
        return self.post.clock.wall()

    def states(self, agent: str) -> Callable[[str], frozenset[str]]:
        return states_of(Mailbox(self.repo.tree(self.repo.tip()), "shop"), agent)


@pytest.fixture
def desk(post: Post, engine: str) -> Iterator[Desk]:
    desk = Desk(post, engine)
    yield desk
    desk.stop()


def bodies(answer: Answer) -> list[str]:
    return [found.message.body.strip() for found in answer.found]


# --- fresh


def test_a_message_is_found_the_moment_it_has_landed(desk: Desk) -> None:
    desk.start()
    desk.send("the token expired")
    desk.land(settled=False)
    assert bodies(desk.ask("token")) == ["the token expired"]
    assert desk.start().checkpoint() != desk.repo.tip()


def test_settling_changes_no_answer(desk: Desk) -> None:
    desk.start()
    for number in range(3):
        desk.send(f"token {number}")
    desk.land(settled=False)
    before = desk.ask("token")
    desk.start().settle()
    assert desk.ask("token") == before
    assert desk.start().checkpoint() == desk.repo.tip()


def test_old_and_new_are_in_one_order(desk: Desk) -> None:
    for number in range(4):
        desk.send(f"token {number}")
    desk.start()
    for number in range(4, 6):
        desk.send(f"token {number}")
    desk.land(settled=False)
    assert bodies(desk.ask("token")) == [f"token {n}" for n in (5, 4, 3, 2, 1, 0)]
    answer = desk.ask("token", limit=2, offset=1)
    assert (bodies(answer), answer.more) == (["token 4", "token 3"], True)
    assert not desk.ask("token", limit=2, offset=4).more


def test_what_landed_while_no_daemon_ran_is_found_after_the_start(desk: Desk) -> None:
    desk.send("before")
    desk.start()
    desk.stop()
    desk.send("token meanwhile")
    assert bodies(desk.ask("token")) == ["token meanwhile"]
    assert bodies(desk.ask("before")) == ["before"]


def test_a_process_of_its_own_finds_what_the_index_lacks(desk: Desk) -> None:
    desk.send("token old")
    desk.start()
    desk.send("token new")
    answer = desk.look("token")
    assert (bodies(answer), answer.note) == (["token new", "token old"], "")


def test_a_process_of_its_own_needs_no_index(desk: Desk) -> None:
    desk.send("token one", subject="about RedCat")
    answer = desk.look("token from:GreenCastle")
    assert (bodies(answer), answer.note) == (["token one"], "")
    assert not desk.directory.exists()


def test_a_process_of_its_own_says_when_it_looked_at_the_newest_only(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gitmaild.app.answers._UNAIDED", 2)
    for number in range(3):
        desk.send(f"token {number}")
        desk.post.clock.advance(3600)
    answer = desk.look("token")
    assert bodies(answer) == ["token 2", "token 1"]
    assert "only the newest 2 messages" in answer.note


# --- what is found


def test_scenario_of_a_field_a_phrase_and_a_sender(desk: Desk) -> None:
    desk.send("The token expired again.", subject="Auth API")
    desk.send("The token expired again.", subject="Lunch")
    desk.send("expired, the token", subject="Auth API")
    desk.send("The token expired again.", subject="Auth API", sender="BlueLake")
    desk.start()
    (found,) = desk.ask('subject:auth body:"token expired" from:GreenCastle').found
    assert found.fields() == {
        "id": found.message.id,
        "subject": "Auth API",
        "from": "GreenCastle",
        "created": found.fields()["created"],
        "thread_id": found.message.thread_id,
        "score": 0.0,
        "snippet": "The **token expired** again.",
    }


def test_every_field_finds_its_message(desk: Desk) -> None:
    desk.send("see src/api/routes.py", cc="BlueLake", subject="[HANDOFF] [br-123] Start", thread_id="br-123",
              importance="high", ack_required="yes")  # fmt: skip
    desk.send("something else")
    desk.start()
    (found,) = desk.ask("handoff").found
    for text in (
        "from:greencastle handoff", "to:RedCat to:BlueLake handoff", "thread:br-123", "importance:high", "has:ack", "tag:handoff",
        "tag:br-123", "path:src/api", "path:routes.py", "br-123", "after:1d handoff", "on:today handoff",
        f"id:{found.message.id}", found.message.id, 'start -else', "(nothing OR start)", "rout*",
    ):  # fmt: skip
        assert [f.message.id for f in desk.ask(text).found] == [found.message.id], text
    assert desk.ask("before:1d handoff").found == ()


def test_the_better_comes_first_where_that_is_asked_for(desk: Desk) -> None:
    desk.send("token token", subject="token")
    desk.send("many words and only one token among them, and then many more " * 5)
    desk.start()
    assert [f.message.subject for f in desk.ask("token", order="relevance").found] == ["token", "hello"]
    assert [f.message.subject for f in desk.ask("token").found] == ["hello", "token"]
    desk.send("token fresh")
    desk.land(settled=False)
    assert bodies(desk.ask("token", order="relevance"))[0] == "token fresh"


def test_states_are_those_of_whoever_asks(desk: Desk) -> None:
    for number in range(3):
        desk.send(f"token {number}", to="RedCat, BlueLake")
    names = desk.post.names("RedCat")
    desk.post.file("RedCat", names[0], "read")
    desk.post.file("RedCat", names[1], "acked")
    desk.post.turn()
    desk.start()
    assert bodies(desk.ask("token is:unread")) == ["token 2"]
    assert bodies(desk.ask("token is:read")) == ["token 1", "token 0"]
    assert bodies(desk.ask("token is:acked")) == ["token 1"]
    assert bodies(desk.ask("token -is:unread")) == ["token 1", "token 0"]
    assert len(desk.ask("is:unread", agent="BlueLake").found) == 3
    assert bodies(desk.look("token is:unread")) == ["token 2"]


def test_blind_recipients_and_notes_about_them_are_not_searchable(desk: Desk) -> None:
    desk.send("token", bcc="BlueLake, NoBody")
    desk.start()
    assert len(desk.ask("token").found) == 1
    for text in ("to:BlueLake", "BlueLake", "NoBody", "from:Postmaster", "unknown"):
        assert desk.ask(text).found == (), text
        assert desk.look(text).found == (), text


def test_another_project_is_another_search(desk: Desk) -> None:
    desk.send("token")
    desk.start()
    assert desk.ask("token", project="web").found == ()
    assert desk.look("token", project="web").found == ()


def test_a_malformed_query_is_refused_with_its_column(desk: Desk) -> None:
    desk.start()
    for ask in (desk.ask, desk.look):
        with pytest.raises(Refused) as caught:
            ask("token form:RedCat")
        assert caught.value.refusal.reason == "column 7: unknown field 'form'; did you mean from?"


# --- whole


def test_an_index_kept_up_answers_as_one_made_anew(desk: Desk) -> None:
    desk.start()
    for number in range(12):
        desk.send(f"token w{number % 3} " + "x " * number, thread_id=f"br-{number % 4}")
        desk.land(settled=number % 2 == 0)
        desk.start().step(1)
    asked = ("token", "w1", '"token w2"', "thread:br-1", "tok* -w0", "from:GreenCastle")
    before = [desk.ask(text) for text in asked]
    desk.start().forget()
    desk.finish()
    assert [desk.ask(text) for text in asked] == before
    desk.stop()
    shutil.rmtree(desk.directory)
    assert [desk.ask(text) for text in asked] == before


def test_while_it_is_made_answers_say_so_and_what_lands_is_found(desk: Desk) -> None:
    for number in range(6):
        desk.send(f"token {number}")
    search = desk.start(finish=False)
    assert desk.ask("token").note.startswith("the search index is")
    search.step(3)
    assert desk.ask("token").note == "the search index is being made: 3 of 6 messages"
    desk.send("token late")
    desk.land(settled=False)
    assert bodies(desk.ask("late")) == ["token late"]
    search.settle()
    desk.send("token later")
    desk.land(settled=False)
    desk.finish()
    assert search.progress() is None
    answer = desk.ask("token")
    assert bodies(answer) == ["token later", "token late", *(f"token {n}" for n in range(5, -1, -1))]
    assert (answer.note, search.checkpoint()) == ("", desk.repo.tip())


def test_what_was_made_before_a_kill_is_not_made_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(8):
        desk.send(f"token {number}")
        desk.post.clock.advance(1800)
    monkeypatch.setattr(type(desk.index()), "batch", 2)
    search = desk.start(finish=False)
    while str(search.progress()) != "the search index is being made: 6 of 8 messages":
        search.step(1)
    desk.kill()
    desk.send("token meanwhile")
    search = desk.start(finish=False)
    search.step(1)
    progress = search.progress()
    assert progress and progress.done >= 4
    desk.finish()
    assert bodies(desk.ask("token")) == ["token meanwhile", *(f"token {n}" for n in range(7, -1, -1))]


def test_a_message_that_somebody_took_out_of_the_mailbox_is_found_no_more(desk: Desk) -> None:
    desk.send("token one")
    desk.send("token two")
    desk.start()
    path = next(path for path in desk.post.tree() if "/messages/" in path)
    index = {"GIT_INDEX_FILE": str(desk.post.top / "index-file")}

    def git(*arguments: str) -> str:
        command = ["git", f"--git-dir={desk.post.home.mailbox}", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | index).stdout.strip()

    git("read-tree", "main")
    git("rm", "--cached", "-q", path)
    git("update-ref", "refs/heads/main", git("commit-tree", "-p", "main", "-m", "by hand", git("write-tree")))
    desk.land()
    assert len(desk.ask("token").found) == 1


def test_a_mailbox_with_another_history_gets_another_index(desk: Desk) -> None:
    desk.send("token old")
    desk.start()
    desk.send("token lost")
    desk.land()
    desk.stop()
    desk.post.stop()
    desk.post.git("update-ref", "refs/heads/main", "main~1")
    assert bodies(desk.look("token")) == ["token old"]
    assert bodies(desk.ask("token")) == ["token old"]


# --- damage


def test_a_damaged_index_heals_itself(desk: Desk) -> None:
    for number in range(5):
        desk.send(f"token {number}")
    desk.start()
    before = desk.ask("token")
    for seed, name in enumerate(sorted(p.name for p in desk.directory.iterdir() if p.is_file())):
        desk.stop()
        path = desk.directory / name
        if path.exists():
            data = bytearray(path.read_bytes())
            for at in random.Random(seed).sample(range(len(data)), min(len(data), 40)):
                data[at] ^= 0x5A
            path.write_bytes(data)
        assert bodies(desk.look("token")) == bodies(before) or name.startswith("fts5.db")
        assert desk.ask("token") == before, name


def test_an_index_that_breaks_while_it_is_used_heals_itself(desk: Desk) -> None:
    for number in range(5):
        desk.send(f"token {number}")
    search = desk.start()
    before = desk.ask("token")
    search._index.close()  # as good as gone
    assert desk.ask("token").note
    desk.finish()
    assert desk.ask("token") == before
    assert "not open" in search.healed
    search._index.close()
    desk.send("token new")
    desk.land()
    desk.finish()
    assert bodies(desk.ask("token"))[0] == "token new"


def test_closing_what_was_never_opened_touches_nothing(desk: Desk) -> None:
    desk.send("token")
    desk.start()
    desk.stop()
    before = sorted(p.name for p in desk.directory.iterdir())
    Search(desk.repo, desk.index(), lambda: 0.0).close()
    assert sorted(p.name for p in desk.directory.iterdir()) == before


def test_both_engines_give_the_same_answers(post: Post, tmp_path: Path) -> None:
    desks = []
    first = Desk(post, "fts5")
    chance = random.Random(7)
    words = "token cache auth src/api/routes.py br-123 UserRepo.save café 認証エラー C++ expired".split()
    for number in range(25):
        first.send(" ".join(chance.choices(words, k=6)), subject=" ".join(chance.choices(words, k=2)), name=f"n{number}.md")
    for engine in ENGINES:
        desk = first if engine == "fts5" else object.__new__(Desk)
        desk.__dict__.update(first.__dict__ | {"engine": engine, "directory": tmp_path / "index" / engine, "search": None})
        desks.append(desk)
    asked = ("token", "token OR cache", "auth -expired", '"token cache"', "routes.py", "br-1*", "cafe", "エラー", "C++", "subject:repo",
             "token after:1d", "path:src", '"src/api" auth')  # fmt: skip
    for text in asked:
        answers = [[f.message.id for f in desk.ask(text, limit=100).found] for desk in desks]
        assert answers[0] == answers[1], text
    for desk in desks:
        desk.stop()


def test_time_passes_for_dates(desk: Desk) -> None:
    desk.send("token")
    desk.start()
    desk.post.clock.advance(timedelta(days=2).total_seconds())
    assert desk.ask("token after:1d").found == ()
    assert len(desk.ask("token after:3d").found) == 1
