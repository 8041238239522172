"""The door itself: a socket, and a thread of the daemon's process that serves it."""

import asyncio
import contextlib
import functools
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h11
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from gitmaild import wiring
from gitmaild.adapters.client.lobby import Lobby
from gitmaild.adapters.http.access import Access
from gitmaild.adapters.http.app import build
from gitmaild.adapters.http.gate import Place
from gitmaild.model.errors import MailError
from gitmaild.model.settings import Settings
from gitmaild.wiring.access import is_loopback, listen, open_tokens, say_where

log = logging.getLogger("gitmaild.http")

_GRACE_SECONDS = 3
_IDLE_SECONDS = 30
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class BadDoor(MailError):
    """The door cannot be opened as it was asked for."""

    code = "bad-door"


class Prompt(H11Protocol):
    """uvicorn's HTTP/1.1 with what it lacks: who does not say a whole head in time is shown out."""

    def __init__(self, *args: Any, head_seconds: float, **more: Any) -> None:
        super().__init__(*args, **more)
        self._head_seconds = head_seconds
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._forget_timer()
        elif self._head_timer is None:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_timer()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self._head_timer = self.loop.call_later(self._head_seconds, self._too_slow)

    def _forget_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(_TOO_SLOW)
            self.transport.close()


class Door:
    """Open from `start` to `stop`. `url` is where. `closed` is called once it is shut."""

    def __init__(
        self, app: Starlette, listening: socket.socket, settings: Settings, place: Place, *, closed: Callable[[], None]
    ) -> None:
        self._app, self._socket, self.url, self.port = app, listening, place.url, place.port
        self._closed = closed
        config = uvicorn.Config(
            app,
            http=functools.partial(Prompt, head_seconds=settings.http_header_seconds),  # type: ignore[arg-type]
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=settings.http_connections,
            h11_max_incomplete_event_size=settings.http_header_limit,
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            ssl_certfile=_place(settings.tls_cert),
            ssl_keyfile=_place(settings.tls_key),
        )
        self._server = uvicorn.Server(config)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._serve, name="http", daemon=True)
        self._then: Callable[[], None] | None = None

    def start(self) -> None:
        """Returns once the door is open. Raises `BadDoor` where it stays shut."""
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise BadDoor("the HTTP door did not open; the log says why")
            time.sleep(0.005)

    @property
    def is_open(self) -> bool:
        return self._thread.is_alive()

    def stop(self, then: Callable[[], None] = lambda: None) -> None:
        """Take nothing more, let what is under way finish, then call `then`. Safe in a signal handler."""
        self._then = then
        self._server.should_exit = True
        if not self.is_open:
            then()
        elif self._loop is not None:
            self._loop.call_soon_threadsafe(self._app.state.landings.end)

    def join(self, seconds: float) -> bool:
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _serve(self) -> None:
        try:
            asyncio.run(self._run())
        except Exception:
            log.exception("http-door-closed")
        finally:
            self._socket.close()
            self._closed()
            if self._then:
                self._then()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._server.serve(sockets=[self._socket])


def open_door(lobby: Lobby, settings: Settings, *, is_insecure: bool, still_for: Callable[[], float]) -> Door:
    """A door that is about to open: its port is taken, and its token is made. `start` it.

    Raises `PortTaken`, `CannotListen`, and `BadDoor` for what would let others in.
    """
    _check(settings, is_insecure=is_insecure)
    tokens = open_tokens(lobby.home)
    if not settings.http_bearer_token:
        tokens.own()
    elif len(settings.http_bearer_token) < 20:
        log.warning("HTTP_BEARER_TOKEN is short: it can be guessed")
    listening = listen(settings.http_host, settings.http_port)
    place = Place(settings.http_host, listening.getsockname()[1], bool(settings.tls_cert))
    access = Access(tokens, settings, monotonic=time.monotonic, wall=wiring.wall_clock)
    app = build(lobby, access, settings, place, still_for)
    say_where(lobby.home, place.url)
    return Door(app, listening, settings, place, closed=lambda: _say_nowhere(lobby))


def _say_nowhere(lobby: Lobby) -> None:
    with contextlib.suppress(OSError):
        say_where(lobby.home, "")


def _place(path: str) -> Path | None:
    return Path(path).expanduser() if path else None


def _check(settings: Settings, *, is_insecure: bool) -> None:
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise BadDoor("tls_cert and tls_key belong together")
    if cert := _place(settings.tls_cert):
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, _place(settings.tls_key), password=lambda: b"")
        except (OSError, ssl.SSLError) as error:
            raise BadDoor(f"tls_cert and tls_key cannot be used: {error}") from error
    elif not is_loopback(settings.http_host) and not is_insecure:
        raise BadDoor(
            f"{settings.http_host} can be reached by others, who would read tokens and mail on the way: "
            "give tls_cert and tls_key, or say --insecure"
        )
