"""What doors that are not files ask of the outside: tokens, log-in codes, a socket, and the settings of all that."""

from collections.abc import Mapping

from gitmaild.edges.home import Home
from gitmaild.edges.listening import CannotListen, PortTaken, is_loopback, listen
from gitmaild.edges.tokens import Tokens
from gitmaild.model.settings import Settings
from gitmaild.wiring.places import settings

__all__ = [
    "CannotListen",
    "PortTaken",
    "Tokens",
    "door_settings",
    "door_url",
    "is_loopback",
    "listen",
    "login_link",
    "open_tokens",
    "say_where",
]


def open_tokens(home: Home) -> Tokens:
    home.make()
    return Tokens(home)


def door_settings(home: Home, environment: Mapping[str, str]) -> Settings:
    return settings(home, environment)


def login_link(home: Home, environment: Mapping[str, str]) -> str:
    """A link that lets a browser in once, as the Overseer, within ten minutes.

    Where a daemon serves the door, it has said under which address; else it is the one of the settings.
    """
    code = open_tokens(home).leave_code()
    return f"{door_url(home, environment)}/login?code={code}"


def say_where(home: Home, url: str) -> None:
    """Where the daemon's door is, for who looks for it."""
    home.store("http.json", {"url": url})


def door_url(home: Home, environment: Mapping[str, str]) -> str:
    """Where the HTTP door is, or would be."""
    said = home.load("http.json").get("url")
    if isinstance(said, str) and said:
        return said
    limits = settings(home, environment)
    scheme = "https" if limits.tls_cert else "http"
    host = f"[{limits.http_host}]" if ":" in limits.http_host else limits.http_host
    return f"{scheme}://{host}:{limits.http_port}"
