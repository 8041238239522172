"""`/events`: what happens in the mailbox, as server-sent events whose id is the cursor."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from gitmaild.adapters.client.lobby import Lobby
from gitmaild.adapters.http.access import Caller
from gitmaild.adapters.http.answers import Turned, answer, failed
from gitmaild.adapters.http.landings import Landings
from gitmaild.adapters.http.pool import Pool
from gitmaild.model.errors import MailError, Refused

# So many events are read at a time for who comes back after a long while.
_PAGE = 500
# A stream without news says so often that it is there, and ends where its reader is gone or has lost its token.
_QUIET_SECONDS = 15.0
_STREAMS = 64

Events = list[dict[str, Any]]
Began = tuple[str, int, Events]  # a cursor, how many landings there were by then, what follows it


class Stream:
    """One answer to all who ask for the same thing at the same time: most readers are at the same place."""

    def __init__(self, lobby: Lobby, pool: Pool, landings: Landings) -> None:
        self._lobby, self._pool, self._landings = lobby, pool, landings
        self._asked: dict[tuple[int, str], asyncio.Task[Events]] = {}
        self.count = 0

    async def after(self, cursor: str) -> Events:
        key = (self._landings.number, cursor)
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(self._pool.run(lambda: self._read(cursor)))
            task.add_done_callback(lambda _: self._asked.pop(key, None))
        return await asyncio.shield(task)

    def _read(self, cursor: str) -> Events:
        given = {"since": cursor, "limit": _PAGE, "all_projects": True}
        found: Events = self._lobby.for_agent().call("events", given)
        return found

    async def begin(self, since: str | None) -> Began:
        """Raises what the post office raises for a cursor that is none."""
        number = self._landings.number
        cursor = since if since is not None else await self._pool.run(self._lobby.tip)
        return cursor, number, await self.after(cursor)

    async def told(self, began: Began, project: str, is_still_in: Callable[[], bool]) -> AsyncIterator[str]:
        """What follows a cursor, and all that comes later. Events of no project are anybody's business."""
        cursor, number, events = began
        spoken = time.monotonic()
        yield "retry: 1000\n\n"
        while not self._landings.is_over:
            for event in events:
                cursor = event["commit"]
                if not project or event["project"] in (project, ""):
                    spoken = time.monotonic()
                    yield f"id: {cursor}\nevent: {event['kind']}\ndata: {json.dumps(event)}\n\n"
            if len(events) < _PAGE:
                await self._landings.after(number, _QUIET_SECONDS)
            if time.monotonic() - spoken >= _QUIET_SECONDS:
                spoken = time.monotonic()
                yield ": quiet\n\n"
            if not is_still_in():
                return
            number = self._landings.number
            events = await self.after(cursor)


def route(lobby: Lobby, pool: Pool, landings: Landings, is_still_in: Callable[[Request], bool]) -> Route:
    stream = Stream(lobby, pool, landings)

    async def events(request: Request) -> Response:
        caller: Caller = request.state.caller
        project = caller.project or request.query_params.get("project", "")
        since = request.headers.get("last-event-id") or request.query_params.get("since")
        if stream.count >= _STREAMS:
            raise Turned(503, "busy", f"{_STREAMS} streams are open", "close one, or ask events with a cursor")
        try:
            began = await stream.begin(since)
        except (Refused, MailError, OSError) as error:
            status, value = failed(error)
            return answer(value, status)
        if project and project not in lobby.projects():
            raise Turned(404, "no-project", f"no project {project[:60]!r}", "GET /api lists them")
        told = stream.told(began, project, lambda: is_still_in(request))
        return StreamingResponse(_counted(stream, told), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    return Route("/events", events, methods=["GET"])


async def _counted(stream: Stream, told: AsyncIterator[str]) -> AsyncIterator[str]:
    stream.count += 1
    try:
        async for text in told:
            yield text
    finally:
        stream.count -= 1
