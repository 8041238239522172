"""The same tools over streamable HTTP, with the official SDK: a part of the daemon's HTTP door.

Who calls was found out before: `request.state.caller` has an agent and a scope. A request without one is refused.
"""

import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.exceptions import MCPError
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    ReadResourceRequestParams,
    ReadResourceResult,
)
from starlette.types import ASGIApp, Receive, Scope, Send

from gitmaild import __version__
from gitmaild.adapters.client.lobby import Lobby
from gitmaild.adapters.mcp import resources
from gitmaild.adapters.mcp.calls import Session, run
from gitmaild.adapters.mcp.tools import DEFAULT, FULL, INSTRUCTIONS, find, listing
from gitmaild.model.errors import Refused

_NO_RESOURCE, _NO_CALLER = -32002, -32001
# A call that waits for mail must not keep others from being done.
_CALLS, _WAITS = 16, 200
_SESSIONS = 1_000
# 256 KiB of message, spelled in JSON.
_BODY = 4 << 20

Context = ServerRequestContext[Any, Any]


def asgi(lobby: Lobby) -> tuple[ASGIApp, Callable[[], AbstractAsyncContextManager[None]]]:
    """The app for /mcp, and what makes the context in which it runs.

    `?profile=full` lists every tool. Host, Origin and token are checked by who mounts it, as for all its routes.
    """
    mount = _Mount(_Door(lobby))
    return mount, mount.running


def _schema(name: str) -> dict[str, Any] | None:
    tool = find(name)
    return tool.listed()["inputSchema"] if tool else None


class _Mount:
    """The app, whose sessions live as long as `running`: the SDK's manager of them serves but once."""

    def __init__(self, door: "_Door") -> None:
        self._door = door
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._app is not None, "it is not running"
        await self._app(scope, receive, send)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        manager = self._manager()
        self._app = manager.asgi_app
        async with manager.run():
            yield

    def _manager(self) -> Any:
        door = self._door
        server: Server[Any] = Server(
            "gitmaild",
            version=__version__,
            instructions=INSTRUCTIONS,
            on_list_tools=door.list_tools,
            on_call_tool=door.call_tool,
            on_list_resources=door.list_resources,
            on_list_resource_templates=door.list_templates,
            on_read_resource=door.read_resource,
            get_tool_input_schema=_schema,
        )
        server.streamable_http_app(
            json_response=True,
            max_request_body_size=_BODY,
            max_sessions=_SESSIONS,
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        return server.session_manager


class _Door:
    """The SDK's handlers. Answers are made by threads, as many at a time as the limits say."""

    def __init__(self, lobby: Lobby) -> None:
        self._lobby, self._lock = lobby, threading.Lock()
        self._calls, self._waits = anyio.CapacityLimiter(_CALLS), anyio.CapacityLimiter(_WAITS)
        self._sessions: OrderedDict[tuple[str, str], Session] = OrderedDict()

    async def list_tools(self, context: Context, params: Any) -> ListToolsResult:
        profile = FULL if _request(context).query_params.get("profile") == FULL else DEFAULT
        return ListToolsResult.model_validate({"tools": listing(profile)})

    async def call_tool(self, context: Context, params: CallToolRequestParams) -> CallToolResult:
        result = await self._off(
            run, self._lobby, self._session(context), params.name, params.arguments or {}, waits=params.name == "wait"
        )
        return CallToolResult.model_validate(result)

    async def list_resources(self, context: Context, params: Any) -> ListResourcesResult:
        found = await self._off(resources.listing, self._lobby, self._session(context))
        return ListResourcesResult.model_validate({"resources": found})

    async def list_templates(self, context: Context, params: Any) -> ListResourceTemplatesResult:
        return ListResourceTemplatesResult.model_validate({"resourceTemplates": resources.TEMPLATES})

    async def read_resource(self, context: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        try:
            found = await self._off(resources.read, self._lobby, self._session(context), str(params.uri))
        except Refused as refused:
            told = {"code": refused.code, "reason": refused.reason, "mend": refused.mend}
            raise MCPError(_NO_RESOURCE, refused.reason, told) from None
        return ReadResourceResult.model_validate(found)

    async def _off(self, call: Callable[..., Any], *args: Any, waits: bool = False) -> Any:
        return await anyio.to_thread.run_sync(partial(call, *args), limiter=self._waits if waits else self._calls)

    def _session(self, context: Context) -> Session:
        """What is known of the caller. A connection that has a session keeps it; one that has none begins anew each time."""
        request = _request(context)
        caller = getattr(request.state, "caller", None)
        if caller is None or caller.scope not in ("agent", "overseer"):
            raise MCPError(
                _NO_CALLER, "who are you? send a token", {"code": "no-caller", "mend": "Authorization: Bearer ..."}
            )
        bound = caller.agent if caller.scope == "agent" else ""
        number = request.headers.get("mcp-session-id", "")
        if not number:
            return Session(bound=bound)
        with self._lock:
            session = self._sessions.setdefault((number, bound), Session(bound=bound))
            self._sessions.move_to_end((number, bound))
            while len(self._sessions) > _SESSIONS:
                self._sessions.popitem(last=False)
        return session


def _request(context: Context) -> Any:
    return context.request
