"""The application: every door that speaks HTTP, behind one gate."""

import contextlib
import importlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gitmaild.adapters.client.lobby import Lobby
from gitmaild.adapters.http import events, health, login, openapi
from gitmaild.adapters.http.access import Access
from gitmaild.adapters.http.answers import Turned, answer, refusal
from gitmaild.adapters.http.api import Api
from gitmaild.adapters.http.gate import Gate, Place, peer_of
from gitmaild.adapters.http.landings import Landings
from gitmaild.adapters.http.pool import Pool
from gitmaild.model.settings import Settings

Life = Callable[[], contextlib.AbstractAsyncContextManager[Any]]


def build(lobby: Lobby, access: Access, settings: Settings, place: Place, still_for: Callable[[], float]) -> Starlette:
    """`still_for`: the seconds since the loop of the lobby's daemon last began a round.

    `app.state.landings.end()`, called on the event loop, ends all that waits for something to happen.
    """
    pool, landings = Pool(settings.http_threads), Landings(lobby.bell)
    pages, page_life = _doors(lobby)

    def is_still_in(request: Request) -> bool:
        try:
            access.who(request.headers, peer_of(request.scope), place.port)
        except Turned:
            return False
        return True

    home = "/mail" if any(getattr(page, "path", "") == "/mail" for page in pages) else "/docs"

    async def front(request: Request) -> Response:
        return RedirectResponse(home, 303)

    @contextlib.asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(pool.close)
            stack.enter_context(landings.following())
            for one in page_life:
                await stack.enter_async_context(one())
            yield

    app = Starlette(
        routes=[
            Route("/", front, methods=["GET"]),
            *health.routes(lobby.home, pool, still_for),
            *login.routes(access, place, home),
            *openapi.routes(),
            *Api(lobby, pool, landings).routes(),
            events.route(lobby, pool, landings, is_still_in),
            *pages,
        ],
        middleware=[Middleware(Gate, access=access, settings=settings, place=place)],
        exception_handlers={Turned: _turned, HTTPException: _http, Exception: _bug},
        lifespan=life,
    )
    app.state.landings = landings
    return app


def _doors(lobby: Lobby) -> tuple[list[BaseRoute], list[Life]]:
    """The web pages and the MCP server, where they are installed."""
    found: list[BaseRoute] = []
    lives: list[Life] = []
    with contextlib.suppress(ModuleNotFoundError):
        web = importlib.import_module("gitmaild.adapters.web")
        found += web.routes(lobby)
    with contextlib.suppress(ModuleNotFoundError):
        mcp = importlib.import_module("gitmaild.adapters.mcp.server")
        server, life = mcp.asgi(lobby)
        # Both spellings: no client follows a redirect with what it posts.
        found += [Route("/mcp", _Whole(server)), Route("/mcp/", _Whole(server))]
        lives.append(life)
    return found, lives


class _Whole:
    """An ASGI application that has a route to itself, with every method."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


async def _turned(request: Request, error: Exception) -> Response:
    assert isinstance(error, Turned)
    return error.response()


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "no-page", 405: "wrong-method"}.get(error.status_code, "refused")
    return answer(refusal(code, str(error.detail), "GET /api lists what there is"), error.status_code, error.headers)


async def _bug(request: Request, error: Exception) -> Response:
    """The traceback is in the log, and nowhere else."""
    return answer(refusal("bug", "this is a bug in gitmaild", "the daemon's log has the error; please report it"), 500)
