"""MCP: what its small server costs to start and to keep, and what sending and reading over it add to the files.

`python -m benchmarks.mcp`. The daemon runs as a process of its own for the shim; for HTTP it runs here, with its bell, on a
loopback port, as `serve` has it.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from benchmarks.base import BODY, SENDER, Place, registered

_READER = "RedCat"
_HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}


def row(name: str, figure: str, wanted: str = "") -> None:
    print(f"| {name} | {figure} | {wanted} |", flush=True)


def p(values: list[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


def shown(values: list[float]) -> str:
    return f"p50 {statistics.median(values):.2f} ms, p95 {p(values, 95):.2f} ms"


class Shim:
    """`gitmaild mcp` as a client starts it."""

    def __init__(self, place: Place) -> None:
        began = time.perf_counter()
        self.process = subprocess.Popen(
            [Path(sys.executable).with_name("gitmaild"), "mcp", "--home", str(place.home.path)],
            cwd=place.worktrees[0],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._number = 0
        self.ask("initialize", **_HELLO)
        self.ask("tools/list")
        self.ready = (time.perf_counter() - began) * 1000

    def ask(self, method: str, **params: Any) -> Any:
        self._number += 1
        message = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())["result"]

    def call(self, name: str, **given: Any) -> Any:
        return checked(self.ask("tools/call", name=name, arguments={"project_key": "shop", **given}))

    def megabytes(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(20)


class Http:
    """A client of one kept-alive connection and one MCP session."""

    def __init__(self, port: int) -> None:
        self._connection, self._number, self._session = HTTPConnection("127.0.0.1", port), 0, ""
        self.ask("initialize", **_HELLO)

    def ask(self, method: str, **params: Any) -> Any:
        self._number += 1
        message = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        if self._session:
            headers |= {"Mcp-Session-Id": self._session, "MCP-Protocol-Version": _HELLO["protocolVersion"]}
        self._connection.request("POST", "/mcp", json.dumps(message), headers)
        response = self._connection.getresponse()
        self._session = response.headers.get("mcp-session-id", self._session)
        return json.loads(response.read())["result"]

    def call(self, name: str, **given: Any) -> Any:
        return checked(self.ask("tools/call", name=name, arguments={"project_key": "shop", **given}))


def checked(result: Any) -> Any:
    assert not result.get("isError"), result
    return result["structuredContent"]


def timed(call: Callable[[], Any], rounds: int) -> list[float]:
    found, warm = [], 5 if rounds > 1 else 0
    for _ in range(rounds + warm):
        began = time.perf_counter()
        call()
        found.append((time.perf_counter() - began) * 1000)
    return found[warm:]


def paired(one: Callable[[], Any], other: Callable[[], Any], rounds: int) -> tuple[list[float], list[float], float]:
    """The times of both, taken in turns so that the machine's moods are shared, and the median of the differences."""
    ones, others = [], []
    for _ in range(rounds):
        ones += timed(one, 1)[-1:]
        others += timed(other, 1)[-1:]
    return ones, others, statistics.median([b - a for a, b in zip(ones, others, strict=True)])


def sending(call: Callable[..., Any]) -> Callable[[], Any]:
    return lambda: call("send_message", from_agent=SENDER, to_agents=[_READER], subject="[br-1] Start", body=BODY)


@contextmanager
def serving(place: Place) -> Iterator[tuple[int, Any]]:
    """The daemon and the HTTP server in this process; the port, and the lobby of both."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.routing import Route

    from gitmaild.adapters.client.lobby import Lobby
    from gitmaild.adapters.mcp.server import asgi
    from gitmaild.app.bell import Bell
    from gitmaild.wiring.office import open_office

    bell = Bell()
    office = open_office(place.home, {}, bell=bell)
    lobby = Lobby(place.home, environment={}, bell=bell)
    app, running = asgi(lobby)

    @asynccontextmanager
    async def lifespan(_: Any) -> Any:
        async with running():
            yield

    outer = Starlette(routes=[Route("/mcp", endpoint=app)], lifespan=lifespan)

    class Caller:
        agent, scope = "Overseer", "overseer"

    async def let_in(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope.setdefault("state", {})["caller"] = Caller
        await outer(scope, receive, send)

    # Said to be TCP, or asyncio leaves Nagle's algorithm on for what it accepts, and each answer waits 40 ms.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    server = uvicorn.Server(uvicorn.Config(let_in, log_level="warning"))
    threads = [
        threading.Thread(target=office.daemon.run),
        threading.Thread(target=server.run, kwargs={"sockets": [listening]}),
    ]
    for thread in threads:
        thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield listening.getsockname()[1], lobby
    finally:
        server.should_exit = True
        office.daemon.stop()
        for thread in threads:
            thread.join(20)
        office.close()


def start_up(place: Place, rounds: int) -> None:
    starts, first, called = [], [], []
    for _ in range(rounds):
        shim = Shim(place)
        starts.append(shim.ready)
        first.append(shim.megabytes())
        shim.call("fetch_inbox", agent_name=_READER)
        sending(shim.call)()
        shim.call("get_reservations")
        called.append(shim.megabytes())
        shim.close()
    pause = timed(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True), rounds)
    row(
        "`gitmaild mcp`: start to the answer of `tools/list`",
        f"{shown(starts)} (`python -c pass`: {shown(pause)})",
        "< 100 ms",
    )
    row("its RSS then", f"{max(first):.1f} MB", "<= 15 MB")
    row("its RSS after calls that read, wrote and opened the mailbox", f"{max(called):.1f} MB")


def ask(door: Shim | Http, as_file: Callable[[], Any], name: str, rounds: int) -> None:
    sending(door.call)()
    files, over, more = paired(as_file, sending(door.call), rounds)
    row(
        f"`send_message` over {name}, against the client's file",
        f"{shown(over)}; file {shown(files)}; **{more:+.2f} ms**",
        "+ <= 3 ms p50",
    )
    row(f"`ping` over {name}", shown(timed(lambda: door.ask("ping"), rounds)))
    fetch = {"agent_name": _READER, "limit": 20}
    row(
        f"`fetch_inbox(limit=20)` over {name}",
        shown(timed(lambda: door.call("fetch_inbox", **fetch), rounds)),
        "p95 <= 10 ms",
    )
    row(f"`get_reservations` over {name}", shown(timed(lambda: door.call("get_reservations"), 20)))
    row(f"`search_messages` over {name}", shown(timed(lambda: door.call("search_messages", query="auth"), 20)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--messages", type=int, default=10_000)
    given = parser.parse_args()
    from gitmaild.adapters.client.mailbox import Mailbox
    from gitmaild.adapters.mcp import tools

    place = Place()
    if given.messages:
        place.fill(given.messages)
    else:
        registered(place)
    os.environ["GITMAILD_HOME"] = str(place.home.path)
    print(f"\n## MCP, {given.messages:,} messages in the mailbox\n\n| what | measured | wanted |\n|---|---|---|", flush=True)
    listed = len(json.dumps({"tools": tools.listing(tools.DEFAULT)}))
    row("`tools/list`, default profile", f"{listed} bytes, {len(tools.EVERYDAY)} tools", "<= 8,192 bytes")
    place.start()
    start_up(place, 20)
    box = Mailbox("shop", SENDER, home=place.home.path)
    shim = Shim(place)
    ask(shim, lambda: box.send([_READER], "[br-1] Start", BODY), "stdio", given.rounds)
    shim.close()
    place.stop()
    with serving(place) as (port, lobby):
        near = lobby.for_agent("shop", SENDER)
        ask(Http(port), lambda: near.send([_READER], "[br-1] Start", BODY), "HTTP", given.rounds)
    place.close()


if __name__ == "__main__":
    main()
