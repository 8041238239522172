"""`gitmaild mcp`: MCP over standard input and output, a line a message, with nothing but the standard library.

It starts with json alone, since a client starts one for each agent and waits for it; what a call needs is imported by the
first call. Writes are drops in the agent's outbox and reads come from its desk, so no daemon, socket or token is needed.
"""

import json
import os
import sys

from gitmaild import __version__
from gitmaild.adapters.mcp.tools import DEFAULT, INSTRUCTIONS, listing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, BinaryIO

    Fields = dict[str, Any]

# Newest last. Every later one has no `initialize`, and asks `server/discover` first, which is not known here.
VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
# A line that is longer is not read: the largest message that the post office takes is a sixteenth of it.
LINE = 4 << 20
_BATCH = 100

_PARSE, _REQUEST, _METHOD, _PARAMS, _INTERNAL, _RESOURCE = -32700, -32600, -32601, -32602, -32603, -32002


class _Wrong(Exception):
    """A request that has an error for an answer."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message} | ({"data": data} if data is not None else {})


class Shim:
    """One client's server. `home`, `project`, `agent`: where they were said to the program itself."""

    def __init__(self, *, profile: str = DEFAULT, home: str = "", project: str = "", agent: str = "") -> None:
        self._profile, self._home, self._project, self._agent = profile, home, project, agent
        self._methods: dict[str, Callable[[Fields], Fields]] = {
            "initialize": self._initialize,
            "ping": lambda params: {},
            "tools/list": lambda params: {"tools": listing(self._profile)},
            "tools/call": self._call,
            "resources/list": lambda params: {"resources": self._resources().listing(*self._caller())},
            "resources/templates/list": lambda params: {"resourceTemplates": self._resources().TEMPLATES},
            "resources/read": self._read,
        }
        self._known: tuple[Any, Any] | None = None

    # --- lines

    def answer(self, line: bytes) -> "Any":
        """The answer to one line, None where it wants none."""
        try:
            message = json.loads(line, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            return _error(None, _PARSE, "this line is not JSON")
        if not isinstance(message, list):
            return self._one(message)
        if not 0 < len(message) <= _BATCH:
            return _error(None, _REQUEST, f"a batch has 1 to {_BATCH} messages")
        return [answer for each in message if (answer := self._one(each)) is not None] or None

    def _one(self, message: "Any") -> "Fields | None":
        if not isinstance(message, dict) or not isinstance(message.get("method"), str):
            is_answer = isinstance(message, dict) and ("result" in message or "error" in message)
            return None if is_answer else _error(_id(message), _REQUEST, "a message is an object that has a method")
        if "id" not in message:
            return None
        if (number := _id(message)) is None:
            return _error(None, _REQUEST, "an id is a text or a number")
        params = message.get("params") or {}
        try:
            if not isinstance(params, dict):
                raise _Wrong(_PARAMS, "params is an object")
            method = self._methods.get(message["method"])
            if method is None:
                raise _Wrong(_METHOD, f"no method {message['method'][:60]}")
            return {"jsonrpc": "2.0", "id": number, "result": method(params)}
        except _Wrong as wrong:
            return {"jsonrpc": "2.0", "id": number, "error": wrong.error}
        except Exception:  # noqa: BLE001 - the next message is to be answered all the same
            import traceback  # noqa: PLC0415

            traceback.print_exc()
            return _error(number, _INTERNAL, "this is a bug in gitmaild; its standard error has more")

    # --- methods

    def _initialize(self, params: "Fields") -> "Fields":
        asked = params.get("protocolVersion")
        return {
            "protocolVersion": asked if asked in VERSIONS else VERSIONS[-1],
            "capabilities": {"tools": {}, "resources": {}},
            "serverInfo": {"name": "gitmaild", "version": __version__},
            "instructions": INSTRUCTIONS,
        }

    def _call(self, params: "Fields") -> "Fields":
        name, given = params.get("name"), params.get("arguments")
        if not isinstance(name, str) or not isinstance(given, dict | None):
            raise _Wrong(_PARAMS, "name is a text, and arguments an object")
        from gitmaild.adapters.mcp.apart import apart  # noqa: PLC0415
        from gitmaild.adapters.mcp.calls import run  # noqa: PLC0415

        lobby, session = self._caller()
        return run(lobby, session, name, given or {}, apart=apart)

    def _read(self, params: "Fields") -> "Fields":
        from gitmaild.adapters.mcp.apart import apart  # noqa: PLC0415
        from gitmaild.model.errors import Refused  # noqa: PLC0415

        lobby, session = self._caller()
        try:
            return dict(self._resources().read(lobby, session, params.get("uri"), apart=apart))
        except Refused as refused:
            told = {"code": refused.code, "reason": refused.reason, "mend": refused.mend}
            raise _Wrong(_RESOURCE, refused.reason, told) from None

    # --- what is imported by the first call

    def _caller(self) -> "tuple[Any, Any]":
        if self._known is None:
            from gitmaild.adapters.mcp.apart import open_lobby  # noqa: PLC0415
            from gitmaild.adapters.mcp.calls import Session  # noqa: PLC0415

            session = Session()
            session.project, session.agent = self._project, self._agent
            self._known = open_lobby(self._home or None, os.environ), session
        return self._known

    def _resources(self) -> "Any":
        from gitmaild.adapters.mcp import resources  # noqa: PLC0415

        return resources


def run(**more: str) -> None:
    """Serve until standard input ends."""
    wire = os.fdopen(os.dup(1), "wb", buffering=0)
    # Standard output is the wire: what else is printed, by whomever, goes where people look.
    os.dup2(2, 1)
    shim = Shim(**more)
    try:
        for line in _lines(sys.stdin.buffer):
            answer = shim.answer(line) if line is not None else _error(None, _REQUEST, f"a line has at most {LINE} bytes")
            if answer is not None:
                wire.write(json.dumps(answer, separators=(",", ":")).encode() + b"\n")
    except (BrokenPipeError, KeyboardInterrupt):
        # Nobody listens any more. Python must not flush at its end what nobody will read.
        os._exit(0)


def _lines(source: "BinaryIO") -> "Iterator[bytes | None]":
    """The lines that are not empty; None for one that is too long, which is passed over."""
    while line := source.readline(LINE + 1):
        if len(line) <= LINE:
            if line.strip():
                yield line
            continue
        while line and not line.endswith(b"\n"):
            line = source.readline(LINE)
        yield None


def _id(message: "Any") -> "str | int | float | None":
    found = message.get("id") if isinstance(message, dict) else None
    return found if isinstance(found, str | int | float) and not isinstance(found, bool) else None


def _error(number: "str | int | float | None", code: int, message: str) -> "Fields":
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}


def _no_constant(text: str) -> None:
    raise ValueError(text)
