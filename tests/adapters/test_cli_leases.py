"""reserve, renew, release, leases, slot."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gitmaild.model.ids import parse_stamp
from tests.adapters.runner import Result, Terminal, process
from tests.adapters.test_cli_office import somebody_serves

LEASE = re.compile(r"lease_\d{8}_[0-9a-f]{12}")


def ask(terminal: Terminal, agent: str, *args: str) -> Result:
    return terminal("--as", agent, "--json", *args)


def leases(terminal: Terminal, *options: str, agent: str = "GreenCastle") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = terminal.ok("--as", agent, "leases", "--json", *options).json
    return found


def held(terminal: Terminal, *options: str) -> list[str]:
    return sorted(f"{row['holder']}: {row.get('pattern') or 'slot ' + row['slot']}" for row in leases(terminal, *options))


def seconds_left(stamp: str) -> float:
    return (parse_stamp(stamp) - datetime.now(UTC)).total_seconds()


# --- reserve


def test_reserve_grants_each_pattern_with_its_term_and_reason(crew: Terminal) -> None:
    """Rows 13 and 14."""
    paths = ("src/api/**/*.py", "tests/api/**/*.py")
    said = ask(crew, "GreenCastle", "reserve", *paths, "--ttl", "3600", "--exclusive", "--reason", "br-123")
    assert said.status == 0
    assert (said.json["success"], said.json["status"], said.json["conflicts"]) == (True, "granted", [])
    for row, path in zip(said.json["granted"], paths, strict=True):
        assert set(row) == {"id", "pattern", "exclusive", "expires", "fence", "reason"}
        assert (row["pattern"], row["exclusive"], row["reason"]) == (path, True, "br-123")
        assert LEASE.fullmatch(row["id"])
        assert 3500 < seconds_left(row["expires"]) <= 3600
    assert ask(crew, "GreenCastle", "reserve", "test.py", "--ttl", "60").json["conflicts"] == []


def test_a_conflict_is_a_no_that_names_holder_end_and_reason(crew: Terminal) -> None:
    """Rows 16 and 127."""
    ask(crew, "GreenCastle", "reserve", "src/api/**", "--reason", "br-123")
    said = ask(crew, "RedCat", "reserve", "src/api/routes.py")
    assert (said.status, said.json["success"], said.json["status"], said.json["granted"]) == (1, False, "conflict", [])
    [conflict] = said.json["conflicts"]
    assert {"pattern", "holder", "holds", "witness", "expires", "expires_in_seconds", "reason"} <= set(conflict)
    assert (conflict["holder"], conflict["witness"], conflict["reason"]) == ("GreenCastle", "src/api/routes.py", "br-123")
    assert 3500 < conflict["expires_in_seconds"] <= 3600


def test_a_reason_of_several_lines_forges_no_line(crew: Terminal) -> None:
    ask(crew, "GreenCastle", "reserve", "src/**", "--reason", "br-123\ngranted: src/x")
    said = crew("--as", "RedCat", "reserve", "src/x")
    assert said.status == 1 and "UTC: br-123 granted: src/x" in said.out.splitlines()[0]


def test_a_conflict_says_what_to_do_as_commands_that_can_be_pasted(crew: Terminal) -> None:
    """Row 29."""
    ask(crew, "GreenCastle", "reserve", "it's/**")
    said = crew("--as", "RedCat", "reserve", "it's/[a]")
    assert said.status == 1
    assert said.out.startswith("conflict: it's/[a] is held by GreenCastle (it's/**; both would have it's/a) until ")
    queue, other, share = said.out.splitlines()[2:]
    assert "--wait 3600" in queue and "gitmaild send --to GreenCastle" in other and "--shared" in share
    words = shlex.split(queue.partition(": ")[2])
    assert words == ["gitmaild", "reserve", "it's/[a]", "--wait", "3600"]


def test_some_granted_and_some_not_is_a_no_and_all_or_nothing_grants_nothing(crew: Terminal) -> None:
    ask(crew, "GreenCastle", "reserve", "src")
    said = ask(crew, "RedCat", "reserve", "src/a", "docs", "--atomic")
    assert (said.status, said.json["status"], said.json["granted"]) == (1, "conflict", [])
    said = ask(crew, "RedCat", "reserve", "src/a", "docs")
    assert (said.status, said.json["status"], said.json["success"]) == (1, "partly", False)
    assert held(crew) == ["GreenCastle: src", "RedCat: docs"]


def test_two_who_share_both_have_it(crew: Terminal) -> None:
    """Row 17."""
    for agent in ("GreenCastle", "RedCat"):
        said = ask(crew, agent, "reserve", "src/**", "--shared")
        assert (said.status, said.json["granted"][0]["exclusive"]) == (0, False)
    assert ask(crew, "BlueLake", "reserve", "src/a").status == 1
    assert crew.ok("--as", "BlueLake", "reserve", "x", "--shared").out.endswith(f"{leases(crew, '--all')[-1]['id']})\n")


def test_waiting_is_a_status_of_its_own_and_the_grant_comes_by_mail(crew: Terminal) -> None:
    ask(crew, "GreenCastle", "reserve", "src/**")
    said = ask(crew, "RedCat", "reserve", "src/a", "docs", "--wait", "1h")
    assert (said.status, said.json["status"], said.json["position"], said.json["success"]) == (3, "waiting", 1, False)
    assert [row["pattern"] for row in said.json["granted"]] == ["docs"]
    assert "number 2 in the queue" in crew("--as", "BlueLake", "reserve", "src/a", "--wait", "60").out
    listed = crew.ok("leases").out.splitlines()
    assert [line.split()[:3] for line in listed if line.startswith("waiting")] == [
        ["waiting", a, "src/a"] for a in ("RedCat", "BlueLake")
    ]
    ask(crew, "GreenCastle", "release")
    assert held(crew) == ["RedCat: docs", "RedCat: src/a"]
    assert crew.ok("--as", "RedCat", "inbox", "--json").json[0]["subject"] == "granted: src/a"


def test_the_same_again_keeps_the_id(crew: Terminal) -> None:
    """Row 28."""
    first = ask(crew, "GreenCastle", "reserve", "src/**").json["granted"][0]
    again = ask(crew, "GreenCastle", "reserve", "src/**", "--ttl", "2h")
    assert (again.status, again.json["granted"][0]["id"]) == (0, first["id"])
    assert 7100 < seconds_left(again.json["granted"][0]["expires"]) <= 7200


@pytest.mark.parametrize("path", ["app/[slug]/page.tsx", "a, b.py", "{x}.py", "'q'.py", "ü/日本.md", "#x", "- y"])
def test_a_path_that_is_there_is_meant_as_it_stands_and_released_by_the_same_words(crew: Terminal, path: str) -> None:
    (crew.here / path).parent.mkdir(parents=True, exist_ok=True)
    (crew.here / path).touch()
    said = ask(crew, "GreenCastle", "reserve", "--", path)
    assert said.json["granted"][0]["pattern"].removeprefix(":(literal)") == path
    assert ask(crew, "GreenCastle", "release", "--", path).json["count"] == 1


@pytest.mark.parametrize("ttl", ["0", "-1", "1e309", "10y", "", "soon", "1.5"])
def test_a_term_that_is_none_is_a_usage_error(crew: Terminal, ttl: str) -> None:
    assert ask(crew, "GreenCastle", "reserve", "src", f"--ttl={ttl}").status == 64
    assert held(crew) == []


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("src", "--ttl", "3650d"), "bad-time-span"),
        (("**",), "too-broad"),
        (("--", "!src"), "negated-pattern"),
        (("../x",), "bad-pattern"),
        (("/etc/passwd",), "bad-pattern"),
        (("x" * 5000,), "long-pattern"),
    ],
)
def test_what_cannot_be_reserved_is_refused_in_words_and_in_json(
    crew: Terminal, options: tuple[str, ...], code: str
) -> None:
    said = ask(crew, "GreenCastle", "reserve", *options)
    assert (said.status, said.json["status"], said.json["code"]) == (65, "refused", code)
    assert said.json["mend"] and code in said.err


def test_the_whole_worktree_may_be_asked_for_as_such(crew: Terminal) -> None:
    assert ask(crew, "GreenCastle", "reserve", "**", "--broad").status == 0


def test_usage_errors(crew: Terminal) -> None:
    for args in (
        ("reserve",),
        ("reserve", "a", "--shared", "--exclusive"),
        ("renew", "--extend", "0"),
        ("release", "--force"),
        ("release", "a", "--force"),
        ("release", "--force", "--why", "x"),
        ("leases", "--soon", "x"),
        ("leases", "--limit", "0"),
        ("slot", "acquire"),
        ("slot", "run", "build"),
        ("slot", "run", "build", "--"),
        ("slot", "run", "build", "--ttl", "5", "--", "make"),
    ):
        assert crew("--as", "GreenCastle", *args).status == 64, args
    assert crew("reserve", "a").status == 64, "who asks?"


def test_who_has_not_registered_gets_nothing(crew: Terminal) -> None:
    assert ask(crew, "QuietOtter", "reserve", "src").status == 65
    assert held(crew) == []


def test_where_a_daemon_is_busy_the_request_is_queued_and_not_repeated(crew: Terminal, home: Path) -> None:
    with somebody_serves(home):
        said = ask(crew, "GreenCastle", "reserve", "src")
    assert (said.status, said.json["status"]) == (3, "queued")
    crew.ok("serve", "--once")
    assert held(crew) == ["GreenCastle: src"]


# --- renew, release


def test_a_renewal_moves_the_end_by_so_much_and_keeps_the_id(crew: Terminal) -> None:
    """Row 27."""
    first = ask(crew, "GreenCastle", "reserve", "src", "--ttl", "60").json["granted"][0]
    said = ask(crew, "GreenCastle", "renew", "--extend", "1800").json
    assert (said["success"], said["status"], said["count"]) == (True, "renewed", 1)
    [row] = said["leases"]
    assert row["id"] == first["id"]
    assert (parse_stamp(row["expires"]) - parse_stamp(first["expires"])).total_seconds() == 1800
    assert ask(crew, "GreenCastle", "renew", first["id"], "--extend", "30m").status == 0
    assert ask(crew, "GreenCastle", "renew", "src").status == 0
    assert ask(crew, "RedCat", "renew", first["id"]).status == 65
    ask(crew, "GreenCastle", "release")
    assert ask(crew, "GreenCastle", "renew", first["id"]).json["code"] == "not-held"


def test_a_release_counts_and_frees_at_once(crew: Terminal) -> None:
    """Rows 22 and 25."""
    ask(crew, "GreenCastle", "reserve", "a", "b", "c")
    assert crew.ok("--as", "GreenCastle", "release", "a").out.splitlines()[-1] == "1 lease released"
    assert ask(crew, "RedCat", "reserve", "a").status == 0
    assert crew.ok("--as", "GreenCastle", "release").out.splitlines()[-1] == "2 leases released"
    said = ask(crew, "GreenCastle", "release")
    assert (said.status, said.json) == (0, {"success": True, "status": "released", "count": 0, "leases": []})


def test_the_overseer_releases_by_force_and_the_holder_is_told(crew: Terminal) -> None:
    an_id = ask(crew, "GreenCastle", "reserve", "src").json["granted"][0]["id"]
    assert crew("--as", "RedCat", "release", an_id, "--force", "--why", "mine").status == 65
    assert held(crew) == ["GreenCastle: src"]
    assert crew.ok("release", an_id, "--force", "--why", "GreenCastle is gone", "--json").json["count"] == 1
    [note] = crew.ok("--as", "GreenCastle", "inbox", "--json", "--bodies").json
    assert note["subject"] == "Overseer released src" and "GreenCastle is gone" in note["body"]
    [ended] = leases(crew, "--all")
    assert (ended["state"], ended["because"]) == ("released", "GreenCastle is gone")


# --- leases


def test_leases_are_listed_with_what_is_left_of_them(crew: Terminal) -> None:
    """Row 26."""
    ask(crew, "GreenCastle", "reserve", "a", "--ttl", "200", "--reason", "br-1 x")
    ask(crew, "GreenCastle", "reserve", "b", "--reason", "br-2")
    ask(crew, "RedCat", "reserve", "c", "--ttl", "100")
    first = leases(crew)[1]
    assert set(first) == {
        "id", "pattern", "holder", "exclusive", "granted", "expires", "fence", "reason", "state", "expires_in_seconds", "expires_soon",
    }  # fmt: skip
    assert (first["state"], first["expires_soon"], first["reason"]) == ("active", True, "br-1 x")
    assert 190 < first["expires_in_seconds"] <= 200
    assert [row["pattern"] for row in leases(crew)] == ["c", "a", "b"], "the first to end first"
    assert [row["pattern"] for row in leases(crew, "--mine", "--soon", "300")] == ["a"]
    assert [row["pattern"] for row in leases(crew, "--reason", "br-2")] == ["b"]
    assert [row["pattern"] for row in leases(crew, "--limit", "1")] == ["c"]
    assert leases(crew, "--mine", agent="BlueLake") == []


def test_ended_leases_are_listed_with_how_and_when(crew: Terminal) -> None:
    """Row 23."""
    ask(crew, "GreenCastle", "reserve", "a", "--ttl", "1")
    ask(crew, "GreenCastle", "reserve", "b")
    ask(crew, "GreenCastle", "release", "b")
    time.sleep(1)
    crew.ok("serve", "--once")
    assert leases(crew) == []
    assert [(row["pattern"], row["state"]) for row in leases(crew, "--all")] == [("a", "expired"), ("b", "released")]
    assert all(parse_stamp(row["ended"]) for row in leases(crew, "--all"))
    assert "expired" in crew.ok("leases", "--all").out


def test_where_nothing_is_held_it_says_so(crew: Terminal) -> None:
    assert crew.ok("leases").out == "nothing is held\n"
    assert leases(crew) == []


def test_a_terminal_shows_patterns_and_reasons_without_obeying_them(crew: Terminal) -> None:
    ask(crew, "GreenCastle", "reserve", "src/\u202ex", "--reason", "a\u202eb")
    assert "\u202e" not in crew.ok("leases").out
    assert "\u202e" not in crew("--as", "RedCat", "reserve", "src").out


def test_a_lease_that_has_run_out_is_granted_to_the_next_without_a_release(crew: Terminal) -> None:
    """Row 15."""
    ask(crew, "GreenCastle", "reserve", "src", "--ttl", "1")
    assert ask(crew, "RedCat", "reserve", "src").status == 1
    time.sleep(1)
    assert ask(crew, "RedCat", "reserve", "src").status == 0


# --- slots


def test_a_slot_is_taken_renewed_and_given_back(crew: Terminal) -> None:
    """Rows 89 to 91."""
    first = ask(crew, "GreenCastle", "slot", "acquire", "frontend-build", "--ttl", "60")
    assert (first.status, first.json["granted"][0]["slot"]) == (0, "frontend-build")
    no = ask(crew, "RedCat", "slot", "acquire", "frontend-build")
    assert (no.status, no.json["conflicts"][0]["holder"]) == (1, "GreenCastle")
    words = crew("--as", "RedCat", "slot", "acquire", "frontend-build").out
    assert "gitmaild slot acquire frontend-build --wait 3600" in words and "gitmaild reserve" not in words
    renewed = ask(crew, "GreenCastle", "slot", "renew", "frontend-build", "--extend", "1800").json["leases"][0]
    before = parse_stamp(first.json["granted"][0]["expires"])
    assert (parse_stamp(renewed["expires"]) - before).total_seconds() == 1800
    assert ask(crew, "RedCat", "slot", "release", "frontend-build").status == 65
    assert ask(crew, "GreenCastle", "slot", "release", "frontend-build").json["count"] == 1
    assert ask(crew, "RedCat", "slot", "acquire", "frontend-build").status == 0
    assert held(crew) == ["RedCat: slot frontend-build"]


@pytest.mark.parametrize("name", ["../x", "a b", "", "-x", "x" * 101])
def test_what_cannot_name_a_slot_is_refused(crew: Terminal, name: str) -> None:
    assert crew("--as", "GreenCastle", "slot", "acquire", "--", name).status == 65


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.mark.parametrize("status", [0, 1, 3, 77])
def test_a_run_ends_with_its_commands_status_and_gives_the_slot_back(crew: Terminal, status: int) -> None:
    """Row 92."""
    done = crew("--as", "GreenCastle", "slot", "run", "build", "--", *python(f"print('hello'); raise SystemExit({status})"))
    assert (done.status, done.out) == (status, "hello\n")
    assert [(row["slot"], row["state"]) for row in leases(crew, "--all")] == [("build", "released")]


def test_a_run_passes_its_commands_options_on(crew: Terminal) -> None:
    done = crew("--as", "GreenCastle", "slot", "run", "--ttl", "60", "build", "--", "echo", "--ttl", "-x", "--", "y")
    assert (done.status, done.out) == (0, "--ttl -x -- y\n")
    assert crew("--as", "GreenCastle", "slot", "run", "build", "echo", "x").out == "x\n"


def test_a_command_that_is_not_there_or_dies_gives_the_slot_back(crew: Terminal) -> None:
    run = ("--as", "GreenCastle", "slot", "run", "build", "--")
    assert crew(*run, "no-such-command").status == 127
    assert crew(*run, *python("import os; os.kill(os.getpid(), 9)")).status == 137
    assert held(crew) == []


def test_a_slot_that_is_taken_runs_nothing(crew: Terminal) -> None:
    ask(crew, "RedCat", "slot", "acquire", "build")
    done = crew("--as", "GreenCastle", "slot", "run", "build", "--", "touch", "ran")
    assert (done.status, "slot build is held by RedCat" in done.err) == (1, True)
    assert not (crew.here / "ran").exists()
    assert held(crew) == ["RedCat: slot build"]


def test_a_run_that_waits_gets_the_slot_when_its_holders_term_is_over_also_without_a_daemon(crew: Terminal) -> None:
    ask(crew, "RedCat", "slot", "acquire", "build", "--ttl", "1")
    done = crew("--as", "GreenCastle", "slot", "run", "--wait", "20", "build", "--", "echo", "mine")
    assert (done.status, done.out) == (0, "mine\n")


def test_a_run_that_waits_in_vain_runs_nothing_and_waits_no_longer(crew: Terminal) -> None:
    ask(crew, "RedCat", "slot", "acquire", "build")
    done = crew("--as", "GreenCastle", "slot", "run", "--wait", "1", "build", "--", "touch", "ran")
    assert done.status == 1 and not (crew.here / "ran").exists()
    ask(crew, "RedCat", "slot", "release", "build")
    assert held(crew) == []


def test_a_slot_is_renewed_as_long_as_its_command_runs(crew: Terminal) -> None:
    """Its term is a second; after more than two, it is still held."""
    gitmaild = [sys.executable, "-m", "gitmaild", "--as", "RedCat", "slot", "acquire", "build"]
    code = f"import subprocess, time; time.sleep(2.1); raise SystemExit(40 + subprocess.run({gitmaild!r}).returncode)"
    assert crew("--as", "GreenCastle", "slot", "run", "--ttl", "1", "build", "--", *python(code)).status == 41
    assert held(crew) == []


@pytest.fixture
def running(crew: Terminal) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Begin a run in a process of its own, and wait until its command runs."""
    children: list[subprocess.Popen[bytes]] = []

    def begin(*options: str, code: str = "import time; time.sleep(60)") -> subprocess.Popen[bytes]:
        flag = crew.here / "runs"
        command = python(f"import os; open({str(flag)!r}, 'w').write(str(os.getpid())); {code}")
        words = [sys.executable, "-m", "gitmaild", "--as", "GreenCastle", "slot", "run", *options, "build", "--", *command]
        child = subprocess.Popen(words, cwd=crew.here, stderr=subprocess.DEVNULL)
        children.append(child)
        until = time.monotonic() + 20
        while not (flag.exists() and flag.read_text()):
            assert time.monotonic() < until and child.poll() is None
            time.sleep(0.02)
        return child

    yield begin
    for child in children:
        child.kill()
        child.wait(10)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_run_that_is_told_to_end_ends_its_command_and_gives_the_slot_back(
    crew: Terminal, running: Callable[..., subprocess.Popen[bytes]], number: signal.Signals
) -> None:
    child = running(code="import signal, time; signal.signal(signal.SIGINT, signal.SIG_DFL); time.sleep(60)")
    child.send_signal(number)
    assert child.wait(20) == 128 + number
    assert held(crew) == []
    assert leases(crew, "--all")[0]["state"] == "released"


def test_a_run_that_is_killed_leaves_the_slot_free_after_its_term(
    crew: Terminal, running: Callable[..., subprocess.Popen[bytes]]
) -> None:
    child = running("--ttl", "1")
    child.kill()
    child.wait(10)
    os.kill(int((crew.here / "runs").read_text()), signal.SIGKILL)
    time.sleep(1.1)
    assert ask(crew, "RedCat", "slot", "acquire", "build").status == 0


def test_leases_as_a_process(crew: Terminal) -> None:
    assert process("--as", "GreenCastle", "reserve", "src", "--json", here=crew.here).returncode == 0
    done = process("--as", "RedCat", "reserve", "src", here=crew.here)
    assert (done.returncode, done.stderr) == (1, "")
