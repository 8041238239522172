"""Which address is which page, who may see it, and what a refusal looks like.

The application that has these routes says who calls: `request.state.caller`, with a `scope`. Without the scope
`overseer` nothing is shown. Where the caller has a `csrf` (or the state), every form carries it; the application checks it.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from gitmaild import wiring
from gitmaild.adapters.web import forms, pages
from gitmaild.adapters.web.render import HERE, render
from gitmaild.adapters.web.visit import Form, Visit
from gitmaild.model.errors import MailError, Refused, refuse

if TYPE_CHECKING:
    from gitmaild.adapters.client.lobby import Lobby

Page = Callable[[Visit], str]

# A text of a megabyte, and what form encoding makes of it.
_LONGEST = 4 * 1024 * 1024
_FIELDS = 200


def site_routes(lobby: "Lobby") -> list[BaseRoute]:
    def shown(page: Page) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            return _answer(lobby, request, page)

        return endpoint

    def done(form: forms.Action) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            fields = await _fields(request)
            return await run_in_threadpool(_act, lobby, request, form, fields)

        return endpoint

    def either(request: Request) -> Response:
        """`/mail/WORD` is a project's mail, or a page of the only or first project."""
        word = request.path_params["project"]
        if word in lobby.projects() or word not in pages.PAGES:
            return _answer(lobby, request, pages.mail)
        return _answer(lobby, request, pages.PAGES[word], project="")

    return [
        Mount("/mail/_", StaticFiles(directory=HERE / "static"), name="web-static"),
        # Asked for by a browser on pages that are not ours, such as the one after logging in.
        Route("/favicon.ico", _icon),
        Route("/mail", shown(pages.everything)),
        Route("/mail/", shown(pages.everything)),
        Route("/mail/{project}", either),
        *(Route(f"/mail/{{project}}/{name}", shown(page)) for name, page in pages.PAGES.items()),
        *(Route(f"/mail/{{project}}/{path}", shown(page)) for path, page in pages.DEEPER.items()),
        *(Route(f"/mail/{{project}}/{name}", done(form), methods=["POST"]) for name, form in forms.ACTIONS.items()),
    ]


def _icon(request: Request) -> Response:
    return FileResponse(HERE / "static" / "icon.svg", media_type="image/svg+xml")


def _answer(lobby: "Lobby", request: Request, page: Page, **more: Any) -> Response:
    visit = Visit(lobby, request, **more)
    try:
        _check_caller(request)
        return HTMLResponse(page(visit))
    except (Refused, MailError) as error:
        return _trouble(visit, error)


def _act(lobby: "Lobby", request: Request, form: forms.Action, fields: Form | None) -> Response:
    visit = Visit(lobby, request)
    try:
        _check_caller(request)
        if fields is None:
            raise refuse("too-large", "the form is too large", "send less text")
        return RedirectResponse(form(visit, fields), status_code=303)
    except forms.Again as again:
        return HTMLResponse(again.page, status_code=422)
    except (Refused, MailError, OSError) as error:
        return _trouble(visit, error)


def _check_caller(request: Request) -> None:
    caller = getattr(request.state, "caller", None)
    if caller is None or caller.scope != "overseer":
        raise refuse("not-allowed", "this page is for the Overseer", "open the link that `gitmaild web` prints")


_STATUS = {"not-allowed": 403, "too-large": 413, "no-project": 404, "no-message": 404, "no-agent": 404, "no-thread": 404}


def _trouble(visit: Visit, error: Exception) -> Response:
    code = getattr(error, "code", "error")
    status = _STATUS.get(code) or (404 if code.startswith("unknown-") else 422 if isinstance(error, Refused) else 503)
    mend = error.mend if isinstance(error, Refused) else "gitmaild status says what is wrong"
    page = render("trouble.html", wiring.wall_clock(), code=code, reason=str(error), mend=mend, title="Refused")
    return HTMLResponse(page, status_code=status)


async def _fields(request: Request) -> Form | None:
    """The fields of a form as a browser sends it, each with all its values; None where that is too much."""
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > _LONGEST:
            return None
    try:
        return Form(parse_qs(data.decode(), keep_blank_values=True, max_num_fields=_FIELDS))
    except ValueError:
        return None
