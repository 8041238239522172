"""The JSON API: every command and query of the vocabulary, in every project, and nothing that is not there."""

import base64
import binascii
import json
import time
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gitmaild.adapters.client.commands import COMMANDS
from gitmaild.adapters.client.lobby import Lobby
from gitmaild.adapters.client.queries import QUERIES
from gitmaild.adapters.client.rows import Page
from gitmaild.adapters.client.vocabulary import understood
from gitmaild.adapters.http.access import Caller
from gitmaild.adapters.http.answers import Turned, answer, failed
from gitmaild.adapters.http.landings import Landings
from gitmaild.adapters.http.pool import Pool
from gitmaild.model.errors import MailError, Refused
from gitmaild.rules.fields import did_you_mean

# What a command takes besides its parameters: files to put beside it, their bytes in base64 by their names.
ATTACH = "attach"
# So long one request may wait for mail; it is free to ask again.
_LONGEST_WAIT = 300.0


class Api:
    def __init__(self, lobby: Lobby, pool: Pool, landings: Landings) -> None:
        self._lobby, self._pool, self._landings = lobby, pool, landings

    def routes(self) -> list[Route]:
        return [
            Route("/api", self.overview, methods=["GET"]),
            Route("/api/{project}/{name}", self.call, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        ]

    async def overview(self, request: Request) -> Response:
        caller: Caller = request.state.caller
        projects = [slug for slug in self._lobby.projects() if caller.project in (slug, "")]
        return answer(
            {
                "projects": projects,
                "agent": caller.agent,
                "commands": {name: command.about for name, command in COMMANDS.items()},
                "queries": {name: query.about for name, query in QUERIES.items()},
                "openapi": "/openapi.json",
            }
        )

    async def call(self, request: Request) -> Response:
        project, name = request.path_params["project"], request.path_params["name"]
        self._check(request.state.caller, project, name, request.method)
        given = dict(_query(request)) if name in QUERIES else _object(request, await request.body())
        if name == "wait":
            return await self._wait(request, project, given)
        return await self._answer(request, project, name, given)

    def _check(self, caller: Caller, project: str, name: str, method: str) -> None:
        """Raises `Turned`. A project is known by its slug alone: no path of this machine is one."""
        if caller.project and caller.project != project:
            raise Turned(403, "other-project", f"this token is for project {caller.project}", "ask for another token")
        if project not in self._lobby.registry().projects:
            raise Turned(404, "no-project", f"no project {project[:60]!r}", "GET /api lists them")
        if name not in COMMANDS and name not in QUERIES:
            hint = did_you_mean(name[:60], [*COMMANDS, *QUERIES])
            raise Turned(404, "unknown-call", f"no command and no query {name[:60]!r}{hint}", "GET /api lists them")
        allowed = ("POST",) if name in COMMANDS else ("GET", "HEAD")
        if method not in allowed:
            word = "command: POST it" if name in COMMANDS else "query: GET it"
            raise Turned(405, "wrong-method", f"{name} is a {word}", "see /openapi.json", Allow=", ".join(allowed))

    async def _answer(self, request: Request, project: str, name: str, given: Mapping[str, Any]) -> Response:
        agent = request.state.caller.agent
        return await self._pool.run(lambda: self._ask(project, agent, name, given))

    def _ask(self, project: str, agent: str, name: str, given: Mapping[str, Any]) -> Response:
        """On a thread of the pool, for it waits: for the disk, or for the daemon."""
        try:
            attach = _files(given.get(ATTACH)) if name in COMMANDS else {}
            told = {key: value for key, value in given.items() if key != ATTACH or name in QUERIES}
            found = self._lobby.for_agent(project, agent or None).call(name, told, attach=attach)
        except (Refused, MailError, OSError) as error:
            status, value = failed(error)
            return answer(value, status, {"Retry-After": "1"} if status == 503 else {})
        if isinstance(found, Page):
            return answer(found, 200, {"X-Gitmaild-More": str(found.more).lower(), "X-Gitmaild-Note": _header(found.note)})
        return answer(found, 202 if isinstance(found, dict) and found.get("status") == "queued" else 200)

    async def _wait(self, request: Request, project: str, given: dict[str, Any]) -> Response:
        """The same as asking the query itself, without a thread that waits."""
        try:
            seconds = min(understood(QUERIES["wait"], given).get("timeout", 60.0), _LONGEST_WAIT)
        except Refused as refused:
            status, value = failed(refused)
            return answer(value, status)
        until = time.monotonic() + seconds
        while True:
            number = self._landings.number
            response = await self._answer(request, project, "wait", given | {"timeout": 0})
            left = until - time.monotonic()
            over = left <= 0 or self._landings.is_over
            if response.status_code != 200 or response.body != b"[]\n" or over or await request.is_disconnected():
                return response
            await self._landings.after(number, min(left, 5.0))


def _query(request: Request) -> Mapping[str, str]:
    pairs = request.query_params.multi_items()
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise Turned(422, "bad-argument", f"{name[:60]} is given twice", "give it once")
    return dict(pairs)


def _object(request: Request, body: bytes) -> dict[str, Any]:
    """What the body says. No browser sends JSON from a form of another page, so nothing else is read."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.query_params:
        raise Turned(422, "bad-argument", "a command takes its arguments from the body", "send a JSON object")
    if not body.strip():
        return {}
    if kind != "application/json":
        raise Turned(415, "not-json", f"the body is {kind[:60] or 'of no type'}", "send Content-Type: application/json")
    try:
        found = json.loads(body, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        said = str(error)[:120] if isinstance(error, ValueError) else "too deep"
        raise Turned(400, "bad-json", f"the body is no JSON: {said}", "send one JSON object in UTF-8") from None
    if not isinstance(found, dict):
        raise Turned(400, "bad-json", "the body is not an object", 'send {"name": value, ...}')
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is no number")


def _files(given: Any) -> dict[str, bytes]:
    if given is None:
        return {}
    try:
        return {str(name): base64.b64decode(text, validate=True) for name, text in given.items()}
    except (AttributeError, TypeError, ValueError, binascii.Error):
        raise Turned(
            422, "bad-argument", f"{ATTACH} is not an object of texts in base64", '{"name.txt": "aGVsbG8="}'
        ) from None


def _header(text: str) -> str:
    """One line that any header can hold."""
    return " ".join(text.encode("ascii", "replace").decode().split())
