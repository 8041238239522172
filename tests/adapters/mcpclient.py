"""The SDK's own client against both servers, as plain functions: `agent.send_message(from_agent=..., ...)`."""

import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
from anyio.from_thread import start_blocking_portal
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from starlette.applications import Starlette
from starlette.routing import Route

from gitmaild.adapters.client.lobby import Lobby
from gitmaild.adapters.client.rows import rows
from gitmaild.adapters.mcp.server import asgi

URL = "http://127.0.0.1:8765/mcp"


@dataclass(frozen=True)
class Caller:
    """What the access of the HTTP door says of a request."""

    agent: str
    scope: str


class Agent:
    """A connected client; a refusal of a tool is `Refusal`."""

    def __init__(self, client: Client, wait: Callable[..., Any]) -> None:
        self.client, self._wait = client, wait

    def ask(self, method: str, *args: Any) -> Any:
        """A method of the SDK's client, waited for."""
        return self._wait(partial(getattr(self.client, method), *args))

    def result(self, name: str, /, **given: Any) -> Any:
        return self.ask("call_tool", name, given)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """A tool by its name: its answer, whose fields are attributes, or `Refusal`."""

        def call(**given: Any) -> Any:
            result = self.result(name, **given)
            told = result.structured_content
            if result.is_error:
                raise Refusal(told)
            return rows(told["result"] if set(told) & {"result"} else told)

        return call


class Refusal(Exception):
    def __init__(self, told: dict[str, str]) -> None:
        super().__init__(told["reason"])
        self.told = told


@contextmanager
def over_stdio(here: Path, *args: str, environment: dict[str, str] | None = None, **more: Any) -> Iterator[Agent]:
    """A client of `gitmaild mcp`, started in `here`."""
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "gitmaild", "mcp", *args],
        cwd=here,
        env={**os.environ, **(environment or {})},
    )
    with connected(lambda: Client(parameters, **more)) as agent:
        yield agent


@contextmanager
def over_http(lobby: Lobby, *, caller: Caller | None = Caller("Overseer", "overseer"), **more: Any) -> Iterator[Agent]:
    """A client of the HTTP app, in memory, for a caller that access has let in."""

    @asynccontextmanager
    async def serving() -> AsyncIterator[Client]:
        app, running = asgi(lobby)
        transport = httpx2.ASGITransport(mounted(app, caller))
        path = URL + more.pop("query", "")
        async with (
            running(),
            httpx2.AsyncClient(transport=transport) as http,
            Client(streamable_http_client(path, http_client=http), **more) as client,
        ):
            yield client

    with connected(serving) as agent:
        yield agent


def mounted(app: Any, caller: Caller | None) -> Any:
    """The app as the HTTP door has it, behind its access."""
    outer = Starlette(routes=[Route("/mcp", endpoint=app)])

    async def let_in(scope: Any, receive: Any, send: Any) -> None:
        if caller:
            scope.setdefault("state", {})["caller"] = caller
        await outer(scope, receive, send)

    return let_in


@contextmanager
def connected(opened: Callable[[], Any]) -> Iterator[Agent]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(opened()) as client:
        yield Agent(client, portal.call)
