"""Everything passes here before any page or answer is made: Host, Origin, who asks, how much is sent, and how slowly."""

import asyncio
import hmac
import ipaddress
import logging
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gitmaild.adapters.http.access import Access, Caller
from gitmaild.adapters.http.answers import Turned
from gitmaild.model.errors import MailError
from gitmaild.model.settings import Settings
from gitmaild.wiring.access import is_loopback

log = logging.getLogger("gitmaild.http")

SAFE = ("GET", "HEAD", "OPTIONS")
# Who may come here needs no token: it is asked whether the daemon lives, or is on the way in.
_OPEN = ("/health", "/health/live", "/health/ready", "/login")
_OPEN_LIMIT = 4096

# `same-origin` and not `no-referrer`: with that, a browser says `Origin: null` of our own forms.
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
_DEFAULTS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
}
_FIELD = re.compile(rb'name="csrf"\r\n(?:[^\r\n]+\r\n)*\r\n([A-Za-z0-9_-]{43})\r\n')
_KNOCK = """<!doctype html><html lang="en"><meta charset="utf-8"><title>gitmaild</title>
<h1>gitmaild</h1><p>Run <code>gitmaild web</code> in a terminal, and open the link that it prints.</p></html>
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the door is: what a browser has in its address bar."""

    host: str
    port: int
    is_tls: bool = False

    @property
    def scheme(self) -> str:
        return "https" if self.is_tls else "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


class Gate:
    """An ASGI application before another. What it lets through has a `Caller` as `request.state.caller`.

    Forms of pages carry `request.state.csrf` as `csrf`.
    """

    def __init__(self, app: ASGIApp, access: Access, settings: Settings, place: Place) -> None:
        self._app, self._access, self._settings, self._place = app, access, settings, place
        self._names = {"localhost", "127.0.0.1", "::1", place.host.lower(), *(h.lower() for h in settings.http_hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})
        guarded = self._with_headers(send)
        try:
            body = await self._admit(scope, receive)
        except Turned as turned:
            return await self._turned(turned, scope)(scope, receive, guarded)
        await self._app(scope, _again(body, receive), guarded)
        return None

    async def _admit(self, scope: Scope, receive: Receive) -> bytes:
        """Put the caller into the request's state; its body. Raises `Turned`."""
        headers = Headers(scope=scope)
        self._check_size(scope, headers)
        self._check_host(headers)
        is_open = scope["path"] in _OPEN
        self._check_origin(headers, is_open=is_open)
        caller = Caller() if is_open else self._who(headers, scope)
        is_change = scope["method"] not in SAFE
        if is_change and not is_open and not caller.may_write:
            raise Turned(403, "read-only", "this token asks, and changes nothing", "use a token that may write")
        body = await self._body(headers, receive, _OPEN_LIMIT if is_open else self._settings.http_body_limit)
        if is_change and caller.csrf:
            self._check_csrf(headers, body, caller)
        scope.setdefault("state", {}).update(caller=caller, csrf=caller.csrf)
        return body

    def _who(self, headers: Headers, scope: Scope) -> Caller:
        try:
            return self._access.who(headers, peer_of(scope), self._place.port)
        except (MailError, OSError) as error:
            # Who asks may be anybody: where what lies is for the log.
            log.error("no-tokens because=%s", error)
            code = getattr(error, "code", "disk")
            raise Turned(503, code, "the tokens of this home cannot be used", "the daemon's log says why") from None

    # --- whence

    def _check_size(self, scope: Scope, headers: Headers) -> None:
        """The server's own limit is for heads that are not complete; one that comes at once may be longer."""
        size = sum(len(name) + len(value) for name, value in headers.raw) + len(scope.get("raw_path") or b"")
        if size + len(scope.get("query_string", b"")) > self._settings.http_header_limit:
            raise Turned(431, "large-head", f"over {self._settings.http_header_limit} bytes of headers", "send less")

    def _check_host(self, headers: Headers) -> None:
        """A name that is not ours is how a page of the internet reaches a door of this machine: by DNS that it rules."""
        given = headers.getlist("host")
        if len(given) != 1:
            raise Turned(400, "bad-host", "say one Host", "send the address of this door as Host")
        if not self._is_ours(given[0]):
            mend = "use the address that the daemon prints, or add the name to http_hosts"
            raise Turned(421, "wrong-host", f"{given[0][:60]!r} is not a name of this door", mend)

    def _is_ours(self, host: str) -> bool:
        try:
            parts = urlsplit(f"//{host}")
            name, port = parts.hostname or "", parts.port
        except ValueError:
            return False
        if parts.path or parts.query or parts.fragment or parts.username is not None:
            return False
        if name in self._settings.http_hosts:  # maybe behind a proxy, which has a port of its own
            return True
        return port in (self._place.port, None) and (name in self._names or self._is_address(name))

    def _is_address(self, name: str) -> bool:
        """Where others may reach the door, they do so by an address. No DNS is involved in that."""
        if is_loopback(self._place.host):
            return False
        try:
            return bool(ipaddress.ip_address(name))
        except ValueError:
            return False

    def _check_origin(self, headers: Headers, *, is_open: bool) -> None:
        """A page of another origin, an app on another port of this machine included, has no business here."""
        no = Turned(403, "wrong-origin", "this comes from a page of another origin", "open the door's own pages")
        for origin in headers.getlist("origin"):
            scheme, _, host = origin.partition("://")
            if scheme not in ("http", "https") or not self._is_ours(host):
                raise no
            if urlsplit(origin).port != self._place.port and urlsplit(origin).hostname not in self._settings.http_hosts:
                raise no
        if not is_open and headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise no

    def _check_csrf(self, headers: Headers, body: bytes, caller: Caller) -> None:
        if "origin" not in headers and headers.get("sec-fetch-site") != "same-origin":
            raise Turned(403, "no-origin", "a browser says where it comes from", "send Origin, or use a token")
        given = headers.get("x-csrf-token") or _of_form(headers.get("content-type", ""), body)
        if not _same(given, caller.csrf):
            raise Turned(403, "bad-csrf", "the page is too old, or is not ours", "load the page again, and send once more")

    # --- how much

    async def _body(self, headers: Headers, receive: Receive, limit: int) -> bytes:
        lengths = headers.getlist("content-length")
        if len(set(lengths)) > 1 or (lengths and "transfer-encoding" in headers):
            raise Turned(400, "conflicting-lengths", "the request says two lengths", "say one")
        if lengths and not re.fullmatch("[0-9]{1,18}", lengths[0]):
            raise Turned(400, "bad-length", "Content-Length is not a number", "say how many bytes follow")
        too_large = Turned(
            413, "too-large", f"over {limit} bytes", "attach large files in outbox/files/", Connection="close"
        )
        if lengths and int(lengths[0]) > limit:
            raise too_large
        if not lengths and "transfer-encoding" not in headers:
            return b""
        chunks, size = [], 0
        try:
            async with asyncio.timeout(self._settings.http_body_seconds):
                while True:
                    message = await receive()
                    chunks.append(message.get("body", b""))
                    size += len(chunks[-1])
                    if size > limit:
                        raise too_large
                    if not message.get("more_body", False):
                        return b"".join(chunks)
        except TimeoutError:
            raise Turned(408, "too-slow", "the body did not come in time", "send it at once", Connection="close") from None

    # --- the way out

    def _with_headers(self, send: Send) -> Send:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                for name, value in _DEFAULTS.items():
                    headers.setdefault(name, value)
            await send(message)

        return guarded

    def _turned(self, turned: Turned, scope: Scope) -> Response:
        """A person who opens a page without being logged in is told how to be."""
        is_person = (
            turned.status == 401 and scope["method"] == "GET" and "text/html" in Headers(scope=scope).get("accept", "")
        )
        return HTMLResponse(_KNOCK, 401) if is_person else turned.response()


def peer_of(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _again(body: bytes, receive: Receive) -> Receive:
    """The body once more, and then whatever else there is: the end of the connection."""
    told = False

    async def replay() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _of_form(kind: str, body: bytes) -> str:
    if kind.startswith("application/x-www-form-urlencoded"):
        try:
            return dict(parse_qsl(body.decode(), max_num_fields=1000)).get("csrf", "")
        except ValueError:
            return ""
    found = _FIELD.search(body) if kind.startswith("multipart/form-data") else None
    return found[1].decode() if found else ""


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
