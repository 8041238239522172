"""The tokens of a home: one for whoever can read the home, one for each agent that was given its own, log-in codes."""

import contextlib
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gitmaild.edges import disk
from gitmaild.edges.home import Home, flock
from gitmaild.model.access import Grant
from gitmaild.model.errors import MailError

# Told apart from other secrets at sight, and never taken for an option: base64 may begin with a dash.
_PREFIX = "gmd_"
_CODE_SECONDS = 600
# So long it is said of a token that it has expired, before it is as unknown as any other.
_REMEMBERED = timedelta(days=30)
_LIMIT = 1 << 20


class UnsafeToken(MailError):
    """Others on this machine can read a token."""

    code = "unsafe-token"


def digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def mint() -> str:
    """256 bits that nobody guesses."""
    return _PREFIX + secrets.token_urlsafe(32)


class Tokens:
    """Files below `state/`, for their owner alone. Safe for any thread and any process."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.path = home.state / "token"
        self._table, self._codes = home.state / "tokens.json", home.state / "login"
        self._known: tuple[tuple[int, int, int], list[Grant]] | None = None

    # --- the token of the home

    def own(self) -> str:
        """The home's token; it is made where it is missing. Raises `UnsafeToken` for a file that others can read."""
        with contextlib.suppress(FileNotFoundError):
            return self._read()
        with flock(self._home.state / "tokens.lock"):
            if not self.path.exists():
                disk.replace(self.path, f"{mint()}\n".encode(), durable=True)
        return self._read()

    def renew(self) -> str:
        """Another token for the home: the old one opens nothing any more."""
        with flock(self._home.state / "tokens.lock"):
            disk.replace(self.path, f"{mint()}\n".encode(), durable=True)
        return self._read()

    def _read(self) -> str:
        with self.path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise UnsafeToken(f"others can read {self.path}; chmod 600 it, or make another with gitmaild token new")
            token = file.read(4096).decode("ascii", "replace").strip()
        if len(token) < 16:
            raise UnsafeToken(f"{self.path} holds no token; make another with gitmaild token new")
        return token

    # --- tokens that were given out

    def grants(self) -> list[Grant]:
        """All that are known, expired ones too. Read again only where the file has changed."""
        try:
            about = self._table.stat()
        except FileNotFoundError:
            return []
        seen = (about.st_mtime_ns, about.st_size, about.st_ino)
        known = self._known
        if known is None or known[0] != seen:
            known = self._known = (seen, self._load())
        return known[1]

    def _load(self) -> list[Grant]:
        """A table that is damaged lets nobody in."""
        names = {field.name for field in fields(Grant)}
        try:
            rows = json.loads(self._table.read_bytes()[:_LIMIT])
            return [Grant(**{key: row[key] for key in row.keys() & names}) for row in rows]
        except (OSError, ValueError, TypeError, AttributeError):
            return []

    def find(self, token: str) -> Grant | None:
        """The grant of a token, expired or not. Takes as long for a wrong one as for a right one."""
        wanted, found = digest(token), None
        for grant in self.grants():
            if secrets.compare_digest(grant.digest, wanted):
                found = grant
        return found

    def give(self, now: datetime, *, lifetime: timedelta | None = None, **what: object) -> tuple[str, Grant]:
        """A new token with what it allows (`Grant`'s fields), and its grant."""
        token = mint()
        ends = {"expires": (now + lifetime).isoformat()} if lifetime else {}
        row = Grant(
            **{"id": f"tok_{secrets.token_hex(4)}", "digest": digest(token), "created": now.isoformat()} | ends | what  # type: ignore[arg-type]
        )
        self._change(lambda rows: [*(one for one in rows if not one.is_over(now - _REMEMBERED)), row])
        return token, row

    def revoke(self, is_meant: Callable[[Grant], bool]) -> list[Grant]:
        """Take back what is meant; what that was."""
        gone: list[Grant] = []

        def without(rows: list[Grant]) -> list[Grant]:
            gone.extend(row for row in rows if is_meant(row))
            return [row for row in rows if row not in gone]

        self._change(without)
        return gone

    def _change(self, change: Callable[[list[Grant]], list[Grant]]) -> None:
        with flock(self._home.state / "tokens.lock"):
            rows = change(self._load())
            disk.replace(self._table, json.dumps([asdict(row) for row in rows], indent=1).encode(), durable=True)
            self._known = None

    # --- log-in codes

    def leave_code(self) -> str:
        """A code that lets a browser in once, within ten minutes. It is a file, so the daemon need not be asked."""
        code = secrets.token_urlsafe(24)
        self._codes.mkdir(mode=0o700, exist_ok=True)
        self._sweep()
        os.close(os.open(self._codes / digest(code), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        return code

    def take_code(self, code: str) -> bool:
        """True once for each code that was left, and is not too old."""
        path = self._codes / digest(code)
        try:
            age = _age(path)
            path.unlink()
        except FileNotFoundError:
            return False
        return age < _CODE_SECONDS

    def _sweep(self) -> None:
        for path in self._codes.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if _age(path) >= _CODE_SECONDS:
                    path.unlink()


def _age(path: Path) -> float:
    """By the clock that the file system stamped it with; a code of the future is as old as one of the past."""
    return abs(datetime.now(UTC).timestamp() - path.stat().st_mtime)
