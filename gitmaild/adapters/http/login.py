"""How a browser gets in: by a link that works once, for a cookie that no script can read."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from gitmaild.adapters.http.access import LOGIN_DAYS, Access
from gitmaild.adapters.http.gate import Place, peer_of

# A page and not a redirect: what leads here is another program, and its first click carries no strict cookie.
_IN = """<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={to}">
<title>gitmaild</title><p>You are in. <a href="{to}">Go on.</a></p></html>
"""
_OUT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>gitmaild</title><h1>gitmaild</h1>
<p>This link was used already, or is older than ten minutes. Run <code>gitmaild web</code> for another.</p></html>
"""
_BYE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>gitmaild</title><p>You are out.</p></html>
"""


def routes(access: Access, place: Place, to: str) -> list[Route]:
    name = access.cookie(place.port)

    async def login(request: Request) -> Response:
        value = access.log_in(request.query_params.get("code", "")[:200], peer_of(request.scope))
        if value is None:
            return HTMLResponse(_OUT, 401)
        response = HTMLResponse(_IN.format(to=to))
        response.set_cookie(
            name, value, max_age=LOGIN_DAYS * 86400, path="/", secure=place.is_tls, httponly=True, samesite="strict"
        )
        return response

    async def logout(request: Request) -> Response:
        access.log_out(request.cookies.get(name, ""))
        response = HTMLResponse(_BYE)
        response.delete_cookie(name, path="/", secure=place.is_tls, httponly=True, samesite="strict")
        return response

    return [Route("/login", login, methods=["GET"]), Route("/logout", logout, methods=["POST"])]
