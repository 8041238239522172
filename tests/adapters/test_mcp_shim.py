"""`gitmaild mcp` as a line protocol: what is answered, what is not, and what it costs to start."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitmaild.adapters.mcp.apart import apart
from gitmaild.adapters.mcp.shim import LINE, VERSIONS, Shim
from gitmaild.model.errors import MailError, Refused, Verdict, refuse
from tests.adapters.runner import Terminal, process

# What a shim must not import before a call needs it.
_LATE = {
    "typing",
    "dataclasses",
    "pathlib",
    "inspect",
    "click",
    "yaml",
    "pygit2",
    "asyncio",
    "subprocess",
    "mcp",
    "pydantic",
}

# Pytest has threads of its own, of which the children that these tests fork know nothing.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")


def line(method: str, number: Any = 1, **params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode()


def call(name: str, **given: Any) -> bytes:
    return line("tools/call", name=name, arguments=given)


# --- the protocol


@pytest.mark.parametrize("version", VERSIONS)
def test_a_known_version_is_spoken(version: str) -> None:
    told = Shim().answer(line("initialize", protocolVersion=version))["result"]
    assert told["protocolVersion"] == version
    assert told["capabilities"] == {"tools": {}, "resources": {}}
    assert told["serverInfo"]["name"] == "gitmaild"


@pytest.mark.parametrize("version", ["2026-07-28", "1.0", None, 7, ["2025-11-25"], {}])
def test_for_another_version_the_newest_is_offered(version: Any) -> None:
    assert Shim().answer(line("initialize", protocolVersion=version))["result"]["protocolVersion"] == "2025-11-25"


def test_ping_and_ids() -> None:
    for number in (0, 7, "seven", -1, 1.5):
        assert Shim().answer(line("ping", number)) == {"jsonrpc": "2.0", "id": number, "result": {}}


@pytest.mark.parametrize(
    "method", ["server/discover", "prompts/list", "logging/setLevel", "resources/subscribe", "", "__init__", "tools/cull"]
)
def test_other_methods_are_unknown(method: str) -> None:
    assert Shim().answer(line(method))["error"]["code"] == -32601


@pytest.mark.parametrize(
    "silent",
    [
        b'{"jsonrpc":"2.0","method":"notifications/initialized"}',
        b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}',
        b'{"jsonrpc":"2.0","method":"no/such"}',
        b'{"jsonrpc":"2.0","id":1,"result":{}}',
        b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}',
        b'[{"jsonrpc":"2.0","method":"notifications/initialized"}]',
    ],
)
def test_notifications_and_answers_are_not_answered(silent: bytes) -> None:
    assert Shim().answer(silent) is None


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (b"{", -32700),
        (b"hello", -32700),
        (b"\xff\xfe\x00", -32700),
        (b"NaN", -32700),
        (b'{"id":1,"method":"ping","params":{"x":Infinity}}', -32700),
        (b"[" * 100_000, -32700),
        (b"1" * 10_000, -32700),
        (b"1", -32600),
        (b"null", -32600),
        (b"[]", -32600),
        (b'[{"id":1,"method":"ping"}' + b',{"id":1,"method":"ping"}' * 100 + b"]", -32600),
        (b"{}", -32600),
        (b'{"id":1}', -32600),
        (b'{"id":1,"method":7}', -32600),
        (b'{"id":null,"method":"ping"}', -32600),
        (b'{"id":true,"method":"ping"}', -32600),
        (b'{"id":{"a":1},"method":"ping"}', -32600),
        (b'{"id":1,"method":"ping","params":[1]}', -32602),
        (b'{"id":1,"method":"tools/call","params":{}}', -32602),
        (b'{"id":1,"method":"tools/call","params":{"name":["fetch_inbox"]}}', -32602),
        (b'{"id":1,"method":"tools/call","params":{"name":"fetch_inbox","arguments":[]}}', -32602),
        (b'{"id":1,"method":"tools/call","params":{"name":"fetch_inbox","arguments":"x"}}', -32602),
    ],
)
def test_what_is_no_request_is_an_error(broken: bytes, code: int) -> None:
    told = Shim().answer(broken)
    assert (told["jsonrpc"], told["error"]["code"]) == ("2.0", code)
    assert "result" not in told


def test_a_batch_is_answered_as_one() -> None:
    batch = b"[" + b",".join([line("ping", 1), b'{"method":"notifications/x"}', line("no", 2), b"7"]) + b"]"
    told = Shim().answer(batch)
    assert [(row["id"], row.get("error", {}).get("code")) for row in told] == [(1, None), (2, -32601), (None, -32600)]


# --- hostile arguments


@pytest.fixture
def shim(crew: Terminal, home: Path, monkeypatch: pytest.MonkeyPatch) -> Shim:
    monkeypatch.chdir(crew.here)
    return Shim(home=str(home))


_ODD: list[Any] = [0, 10**40, True, {}, [[]], {"id": []}, "\x00", "\ud800", "a\nb: c", "../..", "x" * 70_000]


@pytest.mark.parametrize("odd", _ODD, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("tool", ["fetch_inbox", "send_message", "renew_reservation", "register_agent"])
def test_any_argument_has_an_answer(shim: Shim, tool: str, odd: Any) -> None:
    listed = next(row for row in shim.answer(line("tools/list"))["result"]["tools"] if row["name"] == tool)
    for name in [*listed["inputSchema"]["properties"], "no_such"]:
        given = {"project_key": "shop", "agent_name": "GreenCastle", "limit": 1, name: odd}
        told = shim.answer(call(tool, **given))
        assert "error" not in told, (name, told)
        result = told["result"]
        if result.get("isError"):
            assert set(result["structuredContent"]) >= {"code", "reason", "mend", "next"}
            assert result["structuredContent"]["code"] not in ("trouble", "child-died"), (name, told)


def test_what_is_nested_too_deeply_is_refused(shim: Shim) -> None:
    deep = b"[" * 900 + b'"src"' + b"]" * 900
    given = b'{"id":1,"method":"tools/call","params":{"name":"file_reservation_paths","arguments":{"agent_name":"GreenCastle","paths":%s}}}'
    told = shim.answer(given % deep)
    code = told["error"]["code"] if "error" in told else told["result"]["structuredContent"]["code"]
    assert code in (-32700, "bad-argument")


def test_a_bug_is_an_error_and_the_next_call_is_answered(
    shim: Shim, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("gitmaild.app.reading.inbox", lambda *args, **more: 1 / 0)
        told = shim.answer(call("fetch_inbox", agent_name="GreenCastle"))
    assert told["error"]["code"] == -32603
    assert "division" not in json.dumps(told)
    assert "ZeroDivisionError" in capfd.readouterr().err
    assert shim.answer(call("fetch_inbox", agent_name="GreenCastle"))["result"]["structuredContent"] == {"result": []}


def test_a_full_disk_is_told_and_leaves_nothing(shim: Shim, monkeypatch: pytest.MonkeyPatch, crew: Terminal) -> None:
    def full(*args: object, **more: object) -> None:
        raise OSError(28, "No space left on device", "outbox")

    with monkeypatch.context() as patch:
        patch.setattr("gitmaild.edges.deskroot.DeskRoot.put", full)
        told = shim.answer(call("send_message", from_agent="GreenCastle", to_agents=["RedCat"], subject="x"))["result"]
    assert (told["isError"], told["structuredContent"]["code"]) == (True, "trouble")
    assert "try again" in told["structuredContent"]["mend"]
    assert crew.ok("--json", "--as", "RedCat", "inbox").json == []


def test_nobody_waits_for_longer_than_a_client_does(shim: Shim, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    monkeypatch.setattr(
        "gitmaild.adapters.client.answers.awaited", lambda desk, **given: asked.append(given["timeout"]) or []
    )
    for given in ({"timeout": 1e9}, {"timeout": 3}, {}):
        assert shim.answer(call("wait", agent_name="GreenCastle", **given))["result"]["structuredContent"] == {"result": []}
    assert asked == [50.0, 3.0, 50.0]


# --- what is done apart


def test_what_is_done_apart_answers_and_refuses_as_if_it_were_not() -> None:
    def fails(error: Exception) -> Callable[[], Any]:
        def call() -> Any:
            raise error

        return call

    class Busy(MailError):
        code = "busy"
        verdict = Verdict.TEMPORARY

    parent = os.getpid()
    assert apart(os.getpid) != parent
    assert apart(lambda: [{"a": "\ud7ff" * 1_000_000}])[0].a[0] == "\ud7ff"
    with pytest.raises(Refused) as refused:
        apart(fails(refuse("no-paths", "x", "y", field="paths")))
    assert (refused.value.code, refused.value.mend, refused.value.refusal.field) == ("no-paths", "y", "paths")
    with pytest.raises(MailError) as failed:
        apart(fails(Busy("locked")))
    assert (failed.value.code, failed.value.verdict, str(failed.value)) == ("busy", Verdict.TEMPORARY, "locked")
    with pytest.raises(OSError, match="No space") as trouble:
        apart(fails(OSError(28, "No space left")))
    assert trouble.value.errno == 28
    with pytest.raises(RuntimeError, match="a bug"):
        apart(fails(ZeroDivisionError("planted")))
    with pytest.raises(MailError, match="without an answer"):
        apart(lambda: os._exit(9))
    assert os.getpid() == parent


# --- the process


@pytest.mark.slow
def test_the_process_answers_each_line_and_ends_with_its_input(crew: Terminal) -> None:
    lines = [
        line("initialize", protocolVersion="2025-06-18"),
        b"",
        b"not json",
        b'{"id":5,"method":"ping","params":{"x":"' + b"a" * (LINE + 10) + b'"}}',
        call("send_message", from_agent="GreenCastle", to_agents=["RedCat"], subject="x", body="caf\u00e9"),
        call("fetch_inbox", agent_name="RedCat"),
        line("ping", 9),
    ]
    done = process("mcp", here=crew.here, stdin=b"\n".join(lines))
    told = [json.loads(row) for row in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, "")
    assert [row["id"] for row in told] == [1, None, None, 1, 1, 9]
    assert [row["error"]["code"] for row in told if "error" in row] == [-32700, -32600]
    assert told[4]["result"]["structuredContent"]["result"][0]["body"].strip() == "caf\u00e9"


@pytest.mark.slow
def test_the_process_ends_quietly_when_nobody_listens(crew: Terminal) -> None:
    command = [sys.executable, "-m", "gitmaild", "mcp"]
    with subprocess.Popen(
        command, cwd=crew.here, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as shim:
        assert shim.stdin and shim.stdout and shim.stderr
        shim.stdout.close()
        shim.stdin.write(line("ping") + b"\n")
        shim.stdin.close()
        assert shim.wait(20) == 0
        assert shim.stderr.read() == b""


@pytest.mark.slow
def test_a_wrong_option_is_a_usage_error(crew: Terminal) -> None:
    refused = process("mcp", "--profile", "most", here=crew.here)
    assert (refused.returncode, refused.stdout) == (64, "")
    assert "'default', 'full'" in refused.stderr


@pytest.mark.slow
def test_starting_imports_nothing_heavy(crew: Terminal) -> None:
    code = """
import sys
from gitmaild.__main__ import main
sys.argv = ["gitmaild", "mcp"]
main()
print(*sys.modules, file=sys.stderr)
"""
    lines = line("initialize", protocolVersion="2025-11-25") + b"\n" + line("tools/list") + b"\n"
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=crew.here, input=lines, capture_output=True, check=False)
    if b"No module named 'gitmaild'" in done.stderr:
        done = subprocess.run([sys.executable, "-c", code], cwd=crew.here, input=lines, capture_output=True, check=True)
    found = set(done.stderr.decode().split())
    assert "gitmaild.adapters.mcp.shim" in found
    assert found & _LATE == set()
    assert not {name for name in found if name.startswith(("gitmaild.app", "gitmaild.edges", "gitmaild.adapters.cl"))}


@pytest.mark.slow
def test_starting_costs_a_tenth_of_a_second_and_fifteen_megabytes(crew: Terminal, tmp_path: Path) -> None:
    """Processor time, and once in twenty: other work on the machine is not ours. Memory after tools/list, and after calls."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(tmp_path / "pyc")
    began = line("initialize", protocolVersion="2025-11-25") + b"\n" + line("tools/list") + b"\n"

    def cost() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "gitmaild", "mcp"]
        done = subprocess.run(command, cwd=crew.here, env=environment, input=began, capture_output=True, check=True)
        assert done.stdout.count(b"\n") == 2
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert any(cost() <= 0.1 for _ in range(20))
    if not Path("/proc/self/status").exists():
        return
    with subprocess.Popen(
        [sys.executable, "-m", "gitmaild", "mcp"],
        cwd=crew.here,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as shim:
        assert shim.stdin and shim.stdout

        def megabytes(*lines: bytes) -> float:
            assert shim.stdin and shim.stdout
            for each in lines:
                shim.stdin.write(each + b"\n")
                shim.stdin.flush()
                assert b'"result"' in shim.stdout.readline()
            status = Path(f"/proc/{shim.pid}/status").read_text()
            return next(int(row.split()[1]) for row in status.splitlines() if row.startswith("VmRSS")) / 1024

        assert megabytes(*began.splitlines()) <= 15
        sent = call("send_message", from_agent="GreenCastle", to_agents=["RedCat"], subject="x")
        assert megabytes(sent, call("get_reservations"), call("search_messages", query="x")) <= 24
        shim.stdin.close()


@pytest.mark.slow
def test_with_a_daemon_the_daemon_answers(crew: Terminal, home: Path) -> None:
    command = [sys.executable, "-m", "gitmaild", "serve"]
    with subprocess.Popen(command, cwd=crew.here, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as daemon:
        assert daemon.stdout
        try:
            daemon.stdout.readline()
            lines = [
                call("send_message", from_agent="GreenCastle", to_agents=["RedCat"], subject="x"),
                call("search_messages", query="x"),
            ]
            done = process("mcp", here=crew.here, stdin=b"\n".join(lines))
        finally:
            daemon.terminate()
    sent, found = (json.loads(row)["result"]["structuredContent"] for row in done.stdout.splitlines())
    assert sent["status"] == "delivered"
    assert [row["id"] for row in found["result"]] == [sent["id"]]


def test_a_drop_that_nobody_takes_is_queued_and_says_so(shim: Shim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gitmaild.wiring.serve_once", lambda *args, **more: False)
    monkeypatch.setattr("gitmaild.adapters.client.lobby.Lobby.for_agent.__kwdefaults__", {"patience": 0.05})
    told = shim.answer(call("send_message", from_agent="GreenCastle", to_agents=["RedCat"], subject="x"))["result"]
    assert "isError" not in told
    assert told["structuredContent"]["status"] == "queued"
    assert "Do not repeat" in told["structuredContent"]["next"]
