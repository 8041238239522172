"""`from gitmaild import Mailbox`: agents that are programs."""

import inspect
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gitmaild
from gitmaild import Mailbox, MailError, Refused
from gitmaild.adapters.client import commands, queries
from gitmaild.adapters.client.rows import Row
from gitmaild.adapters.client.vocabulary import Command, Parameter, Query
from tests.adapters.runner import Terminal, repository
from tests.adapters.test_cli_office import somebody_serves
from tests.adapters.test_cli_start import python

Open = Callable[..., Mailbox]


@pytest.fixture
def mailbox(terminal: Terminal, home: Path) -> Open:
    """Mailboxes in the project *shop*, which nobody serves: each write runs a pass itself."""

    def opened(agent: str | None = None, **more: Any) -> Mailbox:
        return Mailbox(**({"project": terminal.here, "agent": agent, "home": home, "patience": 0.05} | more))

    return opened


@pytest.fixture
def crew(mailbox: Open) -> tuple[Mailbox, Mailbox]:
    both = mailbox("GreenCastle"), mailbox("RedCat")
    for each in both:
        each.register(program="Claude Code", model="Opus 4.5")
    return both


# --- the documented use


def test_the_workflow_of_reserving(mailbox: Open) -> None:
    """Rows 1, 25: register, reserve, work, release."""
    green, red = mailbox("GreenCastle"), mailbox("RedCat")
    joined = green.register(program="Claude Code", model="Opus 4.5", task_description="Backend API development")
    assert (joined.success, joined.agent_name) == (True, "GreenCastle")
    red.register(program="Codex")
    result = green.reserve(paths=["src/api/**"], ttl_seconds=3600, exclusive=True, reason="bd-101")
    assert (result.success, result.conflicts) == (True, [])

    late = red.reserve("src/api/routes.py")
    assert late.success is False
    (conflict,) = late.conflicts
    assert (conflict.pattern, conflict.holder, conflict.witness) == ("src/api/routes.py", "GreenCastle", "src/api/routes.py")

    assert green.release().count == 1
    assert red.reserve("src/api/routes.py").success


def test_a_note_to_the_next_iteration(mailbox: Open) -> None:
    """The Ralph loop: what one run leaves, the next one reads first."""
    before = mailbox("RalphWorker")
    before.register(program="Ralph Loop", model="Claude Sonnet 4")
    assert before.inbox(limit=1) == []
    before.send(
        to=["RalphWorker"], thread_id="continuity", subject="[HANDOFF] Iteration 1 complete", body="Completed: parser\n"
    )
    after = mailbox("RalphWorker")
    after.register(program="Ralph Loop", model="Claude Sonnet 4")
    inbox = after.inbox(limit=1)
    assert inbox[0].body == "Completed: parser\n"
    assert inbox[0].from_ == inbox[0]["from"] == "RalphWorker"


def agent_work_loop(mailbox: Mailbox, task_not_complete: Callable[[], bool], need_more_time: bool, chief: str) -> list[Row]:
    """The standard polling pattern: agents check mail between work steps, not continuously."""
    handled: list[Row] = []
    percent_complete = 0
    while task_not_complete():
        # 1. Do some work (the primary task)
        percent_complete += 50

        # 2. Check for messages (non-blocking)
        inbox = mailbox.inbox(urgent=True, limit=5)

        # 3. Handle urgent messages
        for msg in inbox:
            if msg.importance == "urgent":
                handled.append(msg)
                mailbox.ack(msg.id)

        # 4. Check for reservation conflicts
        my_reservations = mailbox.leases(mine=True)
        for reservation in my_reservations:
            if reservation.expires_soon:
                # Renew or release based on work state
                if need_more_time:
                    mailbox.renew(reservation)
                else:
                    mailbox.release(reservation)

        # 5. Update progress (if reporting to orchestrator)
        mailbox.send(
            to=[chief],
            thread_id="progress",
            subject=f"Progress: {percent_complete}%",
            body=f"Completed: {percent_complete}",
        )
    return handled


@pytest.mark.parametrize("need_more_time", [True, False])
def test_the_standard_polling_loop(mailbox: Open, crew: tuple[Mailbox, Mailbox], need_more_time: bool) -> None:
    """Row 94."""
    worker, chief = mailbox("SwiftFalcon"), crew[0]
    worker.register(program="Claude Code")
    worker.reserve(["src/api/**"], ttl_seconds=60)
    worker.reserve(["docs/**"], ttl_seconds=3600)
    chief.send(to="SwiftFalcon", subject="when you have time", body="tidy up\n")
    stop = chief.send(to="SwiftFalcon", subject="stop", body="main is broken\n", importance="urgent", ack_required=True)
    before = {row.pattern: row.expires for row in worker.leases(mine=True)}
    left = iter([True, True, False])

    handled = agent_work_loop(worker, lambda: next(left), need_more_time, "GreenCastle")

    assert [(msg.id, msg.body) for msg in handled] == [(stop.id, "main is broken\n")]
    assert chief.acks(sent=True) == []
    assert chief.show(stop.id).subject == "stop"
    assert [msg.subject for msg in worker.inbox()] == ["when you have time"]
    after = {row.pattern: row.expires for row in worker.leases(mine=True)}
    if need_more_time:
        assert after["src/api/**"] > before["src/api/**"]
    else:
        assert "src/api/**" not in after
    assert after["docs/**"] == before["docs/**"]
    assert [msg.subject for msg in chief.thread("progress")] == ["Progress: 50%", "Progress: 100%"]


# --- commands


def test_a_reply_goes_to_the_sender_or_to_all(crew: tuple[Mailbox, Mailbox], mailbox: Open) -> None:
    green, red = crew
    blue = mailbox("BlueLake")
    blue.register()
    first = green.send("RedCat", "[br-1] Start", "mine\n", cc="BlueLake", thread_id="br-1")
    one = red.reply(first.id, "and mine\n")
    assert [(row.name, row.state) for row in one.recipients] == [("GreenCastle", "inbox")]
    every = red.reply(red.show(first.id), "for all\n", all=True)
    assert {row.name for row in every.recipients} == {"GreenCastle", "BlueLake"}
    said = blue.show(every.id)
    assert (said.subject, said.thread_id, said.in_reply_to, said.to, said.cc) == (
        "RE: [br-1] Start",
        "br-1",
        first.id,
        ["GreenCastle"],
        ["BlueLake"],
    )
    with pytest.raises(Refused, match="there is no message msg_20260101_00000000"):
        red.reply("msg_20260101_00000000", "?")


def test_files_go_along(crew: tuple[Mailbox, Mailbox], tmp_path: Path) -> None:
    green, red = crew
    (tmp_path / "report.txt").write_bytes(b"42\n")
    by_path = green.send("RedCat", "see", attach=[tmp_path / "report.txt"])
    by_name = green.send("RedCat", "see", attach={"other.txt": b"43\n"})
    for sent, name in ((by_path, "report.txt"), (by_name, "other.txt")):
        assert [path.rpartition("/")[2] for path in red.show(sent.id).attachments] == [name]


def test_slots(crew: tuple[Mailbox, Mailbox]) -> None:
    green, red = crew
    assert green.acquire_slot("frontend-build", ttl_seconds=3600).success
    taken = red.acquire_slot("frontend-build", wait_seconds=60)
    assert (taken.status, taken.position, taken.conflicts[0].holder) == ("waiting", 1, "GreenCastle")
    assert [row.holder for row in red.waiting()] == ["RedCat"]
    assert green.release_slot("frontend-build").count == 1
    assert [row.slot for row in red.leases(mine=True)] == ["frontend-build"]
    assert red.renew_slot("frontend-build", extend_seconds=1800).count == 1


def test_filing(crew: tuple[Mailbox, Mailbox]) -> None:
    green, red = crew
    ids = [green.send("RedCat", f"n{number}").id for number in range(2)]
    assert red.read(red.inbox()) == {"status": "done", "ids": ids[::-1]}
    assert red.inbox() == []
    assert [row.state for row in red.inbox(everything=True)] == ["read", "read"]
    assert red.ack(ids[0]).status == "done"


def test_what_is_repeated_with_its_request_id_happens_once(crew: tuple[Mailbox, Mailbox]) -> None:
    green, red = crew
    sent = [green.send("RedCat", "once", request_id="r-1").id for _ in range(2)]
    assert sent[0] == sent[1]
    assert len(red.inbox()) == 1


def test_an_agent_without_a_name_is_given_one(mailbox: Open) -> None:
    somebody = mailbox()
    name = somebody.register(program="script").agent_name
    assert somebody.agent == name
    assert somebody.send(name, "to myself").status == "delivered"
    assert somebody.whois(name).program == "script"


def test_retiring(crew: tuple[Mailbox, Mailbox], mailbox: Open) -> None:
    green, _ = crew
    assert green.retire(reason="done").agent_name == "GreenCastle"
    assert mailbox("Overseer").retire("RedCat").state == "retired"
    assert [mailbox().whois(name).state for name in ("GreenCastle", "RedCat")] == ["retired", "retired"]


# --- who and where


def test_the_environment_says_who_and_where(
    terminal: Terminal, crew: tuple[Mailbox, Mailbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(terminal.here)
    with pytest.raises(Refused) as refused:
        Mailbox().inbox()
    assert refused.value.code == "no-identity"
    monkeypatch.setenv("GITMAILD_AGENT", "RedCat")
    crew[0].send("RedCat", "hello")
    assert [msg.subject for msg in Mailbox().inbox()] == ["hello"]


def test_a_project_is_a_slug_or_a_directory(
    crew: tuple[Mailbox, Mailbox], mailbox: Open, terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (terminal.here / "src").mkdir()
    for project in ("shop", terminal.here, str(terminal.here), terminal.here / "src", None):
        assert mailbox(project=project).whois("RedCat").state == "active"
    other = repository(tmp_path / "depot")
    terminal.ok("init", here=other)
    for project, code in (
        ("shed", "no-project"),
        (tmp_path / "nowhere", "no-project"),
        ("\0", "no-project"),
        (None, "no-project"),
    ):
        with pytest.raises(Refused) as refused:
            mailbox("RedCat", project=project).agents()
        assert (refused.value.code, "depot" in refused.value.mend) == (code, True)


def test_a_desk_is_made_in_the_worktree_that_was_named(
    mailbox: Open, terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    joined = mailbox("GreenCastle").register()
    assert joined.desk == str(terminal.here / ".gitmaild" / "agents" / "GreenCastle")


# --- what is no answer


def test_a_refusal_has_code_reason_and_mend(crew: tuple[Mailbox, Mailbox], terminal: Terminal) -> None:
    with pytest.raises(Refused) as refused:
        crew[0].send("RedCat", "x", importance="huge")
    assert refused.value.code == "bad-importance"
    assert "huge" in refused.value.reason
    assert refused.value.mend == "use one of low, normal, high, urgent"
    assert terminal("--as", "GreenCastle", "--json", "reserve", "/etc").json["code"] == "bad-pattern"
    with pytest.raises(Refused) as same:
        crew[0].reserve("/etc")
    assert same.value.code == "bad-pattern"


@pytest.mark.parametrize("name", ["steve", "../RedCat", "RedCat/../GreenCastle", "", "Postmaster", "Red\0Cat"])
def test_a_name_that_can_be_nobodys_is_refused_before_anything_is_made(
    crew: tuple[Mailbox, Mailbox], mailbox: Open, terminal: Terminal, name: str
) -> None:
    desks = sorted(os.listdir(terminal.here / ".gitmaild" / "agents"))
    for act in (lambda m: m.send("RedCat", "x"), lambda m: m.inbox()):
        with pytest.raises(Refused) as refused:
            act(mailbox(name))
        assert refused.value.code in ("bad-name", "no-identity")
    if name:
        with pytest.raises(Refused):
            mailbox(name).register()
    assert sorted(os.listdir(terminal.here / ".gitmaild" / "agents")) == desks


@pytest.mark.parametrize("odd", ["../../../tip", "../" * 12 + "etc/passwd", "/etc/passwd", "a\nb", "", "x" * 5000, "-o"])
def test_odd_ids_name_nothing(crew: tuple[Mailbox, Mailbox], odd: str) -> None:
    red = crew[1]
    assert red.thread(odd) == []
    assert red.thread(odd, tree=True).messages == []
    assert red.summarize(odd).messages == 0
    assert red.audit(odd).messages == []
    assert red.log(thread_id=odd) == [] or odd == ""
    assert red.log(author=odd) == [] or odd == ""
    assert red.inbox(thread_id=odd) == []
    for act in (lambda: red.show(odd), lambda: red.whois(odd), lambda: red.events(odd)):
        if odd:
            with pytest.raises(Refused):
                act()


def test_who_has_not_joined_is_told_so(crew: tuple[Mailbox, Mailbox], mailbox: Open) -> None:
    for act in (lambda m: m.send("RedCat", "x"), lambda m: m.inbox(), lambda m: m.wait(0), lambda m: m.release()):
        with pytest.raises(Refused) as refused:
            act(mailbox("BlueLake"))
        assert refused.value.code == "not-registered"


def test_a_daemon_that_does_not_answer_leaves_a_queued_drop(
    crew: tuple[Mailbox, Mailbox], terminal: Terminal, home: Path
) -> None:
    with somebody_serves(home):
        answer = crew[0].send("RedCat", "later")
        assert answer.status == "queued"
        assert (terminal.here / ".gitmaild/agents/GreenCastle/outbox" / answer.file).exists()
        with pytest.raises(AttributeError, match="no field 'conflicts' in this answer; it has status, file"):
            answer.conflicts
    terminal.ok("serve", "--once")
    assert [msg.subject for msg in crew[1].inbox()] == ["later"]


def test_no_home_is_an_error_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(MailError, match="run gitmaild init"):
        Mailbox(project="shop", home=tmp_path / "nothing").agents()


def test_a_mailbox_that_is_gone_is_a_mail_error(crew: tuple[Mailbox, Mailbox], home: Path) -> None:
    crew[1].agents()
    (home / "mailbox.git").rename(home / "elsewhere.git")
    with pytest.raises(MailError, match="run gitmaild init"):
        crew[1].whois("RedCat")
    (home / "elsewhere.git").rename(home / "mailbox.git")
    assert crew[1].whois("RedCat").state == "active"


# --- the same answers as the command line's


def test_questions_have_the_answers_of_the_command_line(
    crew: tuple[Mailbox, Mailbox], mailbox: Open, terminal: Terminal
) -> None:
    green, red = crew
    first = green.send("RedCat", "[br-1] Start", "We decided: tokens.\nWho tests?\n", thread_id="br-1", ack_within="1h")
    green.reserve(["src/**"], reason="br-1")
    red.reserve(["src/x.py"], wait_seconds=600)
    person = mailbox()

    def asked(*words: str) -> Any:
        return terminal("--json", *words).json

    def as_red(*words: str) -> Any:
        return terminal("--json", "--as", "RedCat", *words).json

    steady = {"expires_in_seconds", "age_seconds"}

    def still(value: Any) -> Any:
        """Without what the clock changes between two questions."""
        if isinstance(value, list):
            return [still(each) for each in value]
        return {k: still(v) for k, v in value.items() if k not in steady} if isinstance(value, dict) else value

    assert red.inbox(bodies=False) == as_red("inbox")
    assert red.inbox() == as_red("inbox", "--bodies")
    assert red.wait(0) == as_red("wait", "--timeout", "0")
    assert red.show(first.id) == as_red("show", first.id)
    assert person.show(first.id) == asked("show", first.id)
    assert person.thread("br-1") == asked("thread", "br-1")
    assert still(person.thread("br-1", tree=True)) == still(asked("thread", "br-1", "--tree"))
    assert person.summarize("br-1") == asked("summarize", "br-1")
    assert red.search("decided") == as_red("search", "decided")
    assert person.agents() == asked("agents")
    assert person.whois("RedCat") == asked("whois", "RedCat")
    assert still(red.acks(mine=True)) == still(as_red("acks", "--mine"))
    assert still(person.leases()) == still(asked("leases"))
    assert still(red.leases(mine=True, ended=True)) == still(as_red("leases", "--mine", "--all"))
    at = person.log(limit=1)[0].at
    assert person.audit("br-1", at=at) == asked("audit", "br-1", "--at", at)
    assert person.status() == asked("status")
    said = terminal("events").out.splitlines()
    assert person.events() == [json.loads(line) for line in said]
    assert person.events(last=2) == person.events()[-2:]
    assert person.events(since=person.events()[-3].commit) == person.events()[-2:]
    assert person.events(since=person.events()[-3].commit, last=5) == person.events()[-2:]
    logged = asked("log")
    assert [row.subject for row in person.log()] == [row["subject"] for row in logged]
    assert [row.trailers for row in person.log()] == [row["trailers"] for row in logged]


def test_the_log_can_be_narrowed_and_shows_what_changed(crew: tuple[Mailbox, Mailbox]) -> None:
    green, red = crew
    green.send("RedCat", "one", thread_id="br-1")
    red.send("GreenCastle", "eleven", thread_id="br-11")
    assert [row.author for row in red.log(thread_id="br-1")] == ["GreenCastle"]
    assert [row.trailers["Thread-Id"] for row in red.log(author="RedCat", limit=1)] == ["br-11"]
    (row,) = red.log(thread_id="br-1", changes=True)
    (message,) = [change for change in row.changes if change.path.startswith("shop/messages/")]
    (copy,) = [change for change in row.changes if change.path.startswith("shop/agents/RedCat/inbox/")]
    assert (message.before, message.after) == ("", copy.after)


def test_answers_are_ready_for_json(crew: tuple[Mailbox, Mailbox]) -> None:
    green, red = crew
    green.send("RedCat", "x", "y\n", thread_id="t")
    for answer in (red.inbox(), red.search("y"), red.status(), red.thread("t", tree=True), red.leases(), red.log()):
        assert json.loads(json.dumps(answer)) == answer


def test_a_page_of_what_was_found_says_that_there_is_more(crew: tuple[Mailbox, Mailbox]) -> None:
    green, red = crew
    for number in range(3):
        green.send("RedCat", f"token {number}")
    first = red.search("token", limit=2)
    assert ([row.subject for row in first], first.more) == (["token 2", "token 1"], True)
    last = red.search("token", limit=2, offset=2)
    assert ([row.subject for row in last], last.more) == (["token 0"], False)
    with pytest.raises(Refused, match="column"):
        red.search('"never closed')


# --- growing


def test_a_row_that_is_added_is_a_method_at_once(crew: tuple[Mailbox, Mailbox], monkeypatch: pytest.MonkeyPatch) -> None:
    poke = Command(
        "poke",
        "message",
        "Say hello.",
        (Parameter("to", "Whom.", "list", required=True),),
        lambda r, g, d: {"id": r.text("id")},
    )
    count = Query("count", "How many are here.", (), lambda desk: len(desk.ask("agents", {})))
    monkeypatch.setitem(commands.COMMANDS, "poke", poke)
    monkeypatch.setitem(queries.QUERIES, "count", count)
    assert crew[0].poke(to="RedCat").id == crew[1].inbox()[0].id
    assert crew[0].call("count") == crew[0].count() == len(crew[0].agents())
    with pytest.raises(AttributeError, match="no attribute 'prod'"):
        crew[0].prod()


def test_an_unknown_argument_is_refused_with_a_guess(crew: tuple[Mailbox, Mailbox]) -> None:
    with pytest.raises(Refused, match="inbox takes no 'limits'; did you mean limit"):
        crew[0].call("inbox", {"limits": 1})


@pytest.mark.slow
def test_importing_the_package_imports_nothing_else(tmp_path: Path) -> None:
    code = "import sys; before = set(sys.modules); import gitmaild; print(*sorted(set(sys.modules) - before))"
    assert python(code, here=tmp_path, warm=tmp_path / "pyc").stdout.split() == ["gitmaild"]


def test_the_package_exports_the_client_and_its_errors() -> None:
    for name in gitmaild.__all__:
        assert getattr(gitmaild, name)
    assert inspect.isclass(gitmaild.Mailbox)
    with pytest.raises(AttributeError, match="no attribute 'Letterbox'"):
        gitmaild.Letterbox
