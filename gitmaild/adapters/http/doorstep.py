"""What comes before the door: its port is taken and its token is made at once, while what serves it is still being imported.

Mail does not wait for that: it takes a second. Who knocks meanwhile waits in the socket's queue.
"""

import logging
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gitmaild.adapters.client.lobby import Lobby
from gitmaild.adapters.http.place import Place
from gitmaild.model.errors import MailError
from gitmaild.model.settings import Settings
from gitmaild.wiring.access import is_loopback, listen, open_tokens, say_where

if TYPE_CHECKING:
    from gitmaild.adapters.http.server import Door
    from gitmaild.edges.tokens import Tokens

log = logging.getLogger("gitmaild.http")


class BadDoor(MailError):
    """The door cannot be opened as it was asked for."""

    code = "bad-door"


@dataclass(frozen=True, slots=True)
class Doorstep:
    """A socket that listens, and who may come in."""

    listening: socket.socket
    place: Place
    tokens: "Tokens"
    settings: Settings


class Opening:
    """A door that opens by itself, on a thread, once `begin` is called."""

    def __init__(self, lobby: Lobby, step: Doorstep, *, still_for: Callable[[], float]) -> None:
        self._lobby, self._step, self._still_for = lobby, step, still_for
        self._lock = threading.Lock()
        self._door: Door | None = None
        self._is_over = False

    def begin(self) -> None:
        threading.Thread(target=self._open, name="http-opening", daemon=True).start()

    def end(self, then: Callable[[], None]) -> None:
        """Take nothing more, let what is under way finish, then call `then`. Safe in a signal handler."""
        self._is_over = True
        if self._door is not None and self._door.is_open:
            self._door.stop(then)
        else:
            then()

    def close(self, seconds: float) -> None:
        """The daemon has ended, whoever ended it: so does the door."""
        self._is_over = True
        with self._lock:
            if self._door is None:
                self._step.listening.close()
            elif self._door.is_open:
                self._door.stop()
                self._door.join(seconds)

    def _open(self) -> None:
        from gitmaild.adapters.http.server import door  # noqa: PLC0415 - the second that mail must not wait for

        try:
            made = door(self._lobby, self._step, still_for=self._still_for)
            with self._lock:
                if self._is_over:
                    return
                self._door = made
            made.start()
        except Exception:
            log.exception("http-door-not-opened")


def take_place(lobby: Lobby, settings: Settings, *, is_insecure: bool) -> Doorstep:
    """The port is taken, and the token is made.

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
    say_where(lobby.home, place.url)
    return Doorstep(listening, place, tokens, settings)


def file_of(path: str) -> Path | None:
    return Path(path).expanduser() if path else None


def _check(settings: Settings, *, is_insecure: bool) -> None:
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise BadDoor("tls_cert and tls_key belong together")
    if cert := file_of(settings.tls_cert):
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, file_of(settings.tls_key), password=lambda: b"")
        except (OSError, ssl.SSLError) as error:
            raise BadDoor(f"tls_cert and tls_key cannot be used: {error}") from error
    elif not is_loopback(settings.http_host) and not is_insecure:
        raise BadDoor(
            f"{settings.http_host} can be reached by others, who would read tokens and mail on the way: "
            "give tls_cert and tls_key, or say --insecure"
        )
