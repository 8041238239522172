"""Who asks: by a token, by the cookie of a browser that logged in, or by sitting at this machine where that is enough."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING

from gitmaild.adapters.http.answers import Turned
from gitmaild.model.errors import Refused
from gitmaild.model.names import OVERSEER, check_name
from gitmaild.model.settings import Settings
from gitmaild.wiring.access import is_loopback

if TYPE_CHECKING:
    from gitmaild.edges.tokens import Tokens
    from gitmaild.model.access import Grant

LOGIN_DAYS = 30
# A token that a person has chosen may be guessed: while somebody guesses, it opens nothing. Minted ones are longer.
_GUESSABLE = 40
_MINUTE = 60.0
_PEERS = 1024
_MEND = "send Authorization: Bearer <token>; the token is in the home's state/token, people get in with: gitmaild web"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a request comes from. `scope` is `overseer`, `agent` or `none`.

    `agent` is '' for a holder of the home's token who has not said for whom it speaks. `project` is the one that it is bound
    to, '' for any. `csrf` must come back with what a browser sends; it is '' where no cookie was used.
    """

    agent: str = ""
    scope: str = "none"
    project: str = ""
    may_write: bool = True
    csrf: str = field(default="", repr=False)


class Failures:
    """How many wrong tokens came from where within a minute."""

    def __init__(self, limit: int, monotonic: Callable[[], float]) -> None:
        self._limit, self._monotonic = limit, monotonic
        self._times: dict[str, list[float]] = {}

    def count(self, peer: str) -> None:
        times = [*self._recent(peer), self._monotonic()][-self._limit :]
        self._times.pop(peer, None)
        if len(self._times) >= _PEERS:
            del self._times[next(iter(self._times))]
        self._times[peer] = times

    def seconds_left(self, peer: str) -> float:
        """0 for who may try again."""
        times = self._recent(peer)
        return times[0] + _MINUTE - self._monotonic() if len(times) >= self._limit else 0.0

    def _recent(self, peer: str) -> list[float]:
        return [at for at in self._times.get(peer, ()) if at > self._monotonic() - _MINUTE]


class Access:
    """The rules of the door. Never says or logs a token."""

    def __init__(
        self, tokens: "Tokens", settings: Settings, *, monotonic: Callable[[], float], wall: Callable[[], datetime]
    ) -> None:
        self.tokens, self._settings, self._wall = tokens, settings, wall
        self.failures = Failures(settings.http_failures, monotonic)

    def cookie(self, port: int) -> str:
        """The cookie's name. It carries the port: cookies do not care for ports."""
        return f"gitmaild-{port}"

    def who(self, headers: Mapping[str, str], peer: str, port: int) -> Caller:
        """Raises `Turned` for who may not come in."""
        said = headers.get("authorization", "")
        if said:
            return self._of_token(said, headers, peer)
        session = _cookie(headers.get("cookie", ""), self.cookie(port))
        if session:
            return self._of_cookie(session, peer)
        if self._settings.http_allow_localhost_unauthenticated and _is_here(headers, peer):
            return _speaking_for(headers)
        raise _no("missing", "no token was given")

    def log_in(self, code: str, peer: str) -> str | None:
        """The cookie's value for a code that was left by `gitmaild web`. Each code works once."""
        if self.failures.seconds_left(peer):
            raise self._too_many(peer)
        if not code or not self.tokens.take_code(code):
            self.failures.count(peer)
            return None
        token, _ = self.tokens.give(self._wall(), lifetime=timedelta(days=LOGIN_DAYS), agent=OVERSEER, is_login=True)
        return token

    def log_out(self, session: str) -> None:
        """The cookie opens nothing any more, wherever it may have gone."""
        grant = self.tokens.find(session) if session else None
        if grant is not None and grant.is_login:
            self.tokens.revoke(lambda row: row.id == grant.id)

    # --- inside

    def _of_token(self, said: str, headers: Mapping[str, str], peer: str) -> Caller:
        kind, _, token = said.partition(" ")
        token = token.strip()
        if kind.lower() != "bearer" or not token:
            raise _no("missing", "Authorization does not begin with Bearer")
        if len(token) < _GUESSABLE and self.failures.seconds_left(peer):
            raise self._too_many(peer)
        # The token of the environment takes the place of the home's own.
        own = self._settings.http_bearer_token or self.tokens.own()
        if hmac.compare_digest(token.encode(), own.encode()):
            return _speaking_for(headers)
        grant = self.tokens.find(token)
        if grant is None or grant.is_login:
            raise self._wrong(peer)
        self._check_time(grant)
        named = headers.get("x-gitmaild-agent", "")
        if named and named != grant.agent:
            raise Turned(
                403, "not-yours", f"this token is {grant.agent}'s, not {named[:60]!r}'s", "leave X-Gitmaild-Agent out"
            )
        scope = "overseer" if grant.agent == OVERSEER else "agent"
        return Caller(grant.agent, scope, grant.project, grant.may_write)

    def _of_cookie(self, session: str, peer: str) -> Caller:
        grant = self.tokens.find(session)
        if grant is None or not grant.is_login:
            raise self._wrong(peer)
        self._check_time(grant)
        return Caller(OVERSEER, "overseer", csrf=csrf_of(session))

    def _check_time(self, grant: "Grant") -> None:
        if grant.is_over(self._wall()):
            raise _no("expired", "the token has expired", "ask for another: gitmaild token new, or gitmaild web")

    def _wrong(self, peer: str) -> Turned:
        if self.failures.seconds_left(peer):
            return self._too_many(peer)
        self.failures.count(peer)
        return _no("wrong", "the token is wrong, or was revoked")

    def _too_many(self, peer: str) -> Turned:
        left = str(int(self.failures.seconds_left(peer)) + 1)
        return Turned(
            429, "too-many-failures", f"too many wrong tokens from {peer}", f"try again in {left} s", Retry_After=left
        )


def csrf_of(session: str) -> str:
    """What a page that was made for this session can know, and no other page."""
    made = hmac.new(session.encode(), b"gitmaild csrf", hashlib.sha256).digest()
    return base64.urlsafe_b64encode(made).decode().rstrip("=")


def _no(which: str, reason: str, mend: str = _MEND) -> Turned:
    return Turned(
        401, f"{which}-token", f"Authentication failed: {reason}", mend, WWW_Authenticate='Bearer realm="gitmaild"'
    )


def _speaking_for(headers: Mapping[str, str]) -> Caller:
    """Who has the home's token may speak for anybody, but must say so."""
    agent = headers.get("x-gitmaild-agent", "").strip()
    if agent == OVERSEER:
        return Caller(OVERSEER, "overseer")
    try:
        if agent:
            check_name(agent)
    except Refused as refused:
        raise Turned(422, refused.code, refused.reason, refused.mend) from None
    return Caller(agent, "agent")


def _cookie(text: str, name: str) -> str:
    try:
        morsel = SimpleCookie(text).get(name)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def _is_here(headers: Mapping[str, str], peer: str) -> bool:
    """True for a program of this machine; not for a proxy on it, which speaks for others."""
    return is_loopback(peer) and not any(name in headers for name in ("forwarded", "x-forwarded-for", "x-real-ip"))
