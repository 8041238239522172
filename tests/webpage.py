"""The page for people with a post office behind it: nothing, or a town whose agents have been at work for two days."""

import asyncio
import json
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gitmaild.adapters.client.lobby import Lobby
from gitmaild.adapters.web import routes
from gitmaild.app.bell import Bell
from gitmaild.wiring.office import open_office
from tests.post import Post

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
CSP = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:"
TOKEN = "csrf-of-the-test"

CREW = {
    "GreenCastle": ("Claude Code", "Opus 4.5", "Auth API: tokens, sessions, refresh"),
    "RedCat": ("Codex", "GPT-5.2", "Reviews what is in the merge queue"),
    "BlueLake": ("Gemini CLI", "Gemini 3 Pro", "Checkout page, and its tests"),
    "OldMill": ("Claude Code", "Sonnet 4.5", "Migrations; writes the runbook"),
}


@dataclass(frozen=True)
class Caller:
    agent: str = "Overseer"
    scope: str = "overseer"


class Front:
    """What stands before the page: says who calls, and that no page may reach for anything but itself."""

    def __init__(self, app: ASGIApp, scope: str) -> None:
        self.app, self.scope = app, scope

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {}).update(caller=Caller(scope=self.scope), csrf=TOKEN)

        async def told(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", CSP.encode())]
            await send(message)

        await self.app(scope, receive, told)


def application(lobby: Lobby, *, scope: str = "overseer") -> ASGIApp:
    """The page's routes, and a stream of events for its script: one whenever the mailbox has another tip."""

    def events(request: Request) -> StreamingResponse:
        async def told() -> AsyncIterator[str]:
            known = lobby.tip()
            yield ": hello\n\n"
            while not stopped.is_set():
                if (tip := lobby.tip()) != known:
                    known = tip
                    yield f"id: {tip}\nevent: message\ndata: {{}}\n\n"
                await asyncio.sleep(0.02)

        return StreamingResponse(told(), media_type="text/event-stream")

    stopped = threading.Event()
    app = Starlette(routes=[Route("/events", events), *routes(lobby)])
    app.state.stopped = stopped
    return Front(app, scope)


@contextmanager
def served(lobby: Lobby) -> Iterator[str]:
    """The page on a port of loopback; its address."""
    app = application(lobby)
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        app.app.state.stopped.set()  # type: ignore[attr-defined]
        server.should_exit = True
        thread.join(10)
        listening.close()


def lobby_of(post: Post) -> Lobby:
    return Lobby(post.home, environment={})


def build_town(post: Post, *, mail: int = 300) -> Lobby:
    """Two days of real mail, then leases, roles, a group, a board, a queue and mail for the Overseer. The daemon is down after it."""
    post.clock.now = datetime.now(UTC) - timedelta(hours=46)
    rows = [json.loads(line) for line in (FIXTURES / "gastown-mail.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row["from"] not in row["to"]][:mail]
    for name, (program, model, task) in CREW.items():
        post.drop(name, name="join.md", kind="register", program=program, model=model, task_description=task)
    for name in sorted({row["from"] for row in rows} | {name for row in rows for name in row["to"]}):
        post.drop(name, name="join.md", kind="register", program="Claude Code", model="Opus 4.5")
    post.turn()
    _replay(post, rows)
    _leases(post)
    post.stop()
    lobby = lobby_of(post)
    _today(lobby)
    return lobby


def _replay(post: Post, rows: list[dict[str, Any]]) -> None:
    pauses = [40, 75, 20, 1500, 200, 33, 900]
    whole = 40 * 3600 / (sum(pauses[n % 7] for n in range(0, len(rows), 4)) or 1)
    for number, row in enumerate(rows):
        head = f"to: {', '.join(row['to'])}\nsubject: {row['subject']}\nthread_id: {row['thread_id']}\n"
        post.drop_text(
            row["from"], f"---\n{head}importance: {row['importance']}\n---\n{row['body']}\n", name=f"m{number}.md"
        )
        if number % 4 == 3:
            post.turn(pauses[(number // 4) % 7] * whole)
            for name in post.names(row["to"][0])[:-2]:
                post.file(row["to"][0], name, "acked" if number % 8 == 3 else "read")
    post.settle()


def _leases(post: Post) -> None:
    now = datetime.now(UTC)
    plan = (
        (300, "OldMill", "migrations/**", 7200, "br-98"),
        (240, "BlueLake", "web/checkout/**", 10800, "br-141"),
        (180, "RedCat", "src/api/tokens.py", 3600, "review of br-123"),
        (95, "GreenCastle", "src/api/auth/**", 10800, "br-123"),
        (50, "GreenCastle", "src/models/session.py", 9000, "br-123"),
        (40, "BlueLake", "web/checkout/**", 7200, "br-141"),
        (30, "OldMill", "docs/runbook.md", 1900, "br-98"),
        (12, "RedCat", "tests/api/*_test.py", 5400, "br-123 tests"),
    )
    for ago, who, paths, ttl, reason in plan:
        wait = (now - timedelta(minutes=ago) - post.clock.now).total_seconds()
        post.turn(max(wait, 1))
        post.drop(who, kind="reserve", paths=paths, ttl_seconds=str(ttl), reason=reason)
        post.turn()
    post.drop("BlueLake", kind="reserve", paths="src/api/auth/login.py", wait_seconds="7200", reason="br-141 needs a hook")
    post.settle()


def _today(lobby: Lobby) -> None:
    """What came in just now, through the client."""

    def at(agent: str) -> Any:
        return lobby.for_agent("shop", agent)

    overseer = at("Overseer")
    overseer.call("role_bind", {"role": "Reviewer", "agent": "RedCat", "about": "Says yes before a merge"})
    overseer.call("group", {"name": "backend", "members": ["GreenCastle", "OldMill"], "about": "API and database"})
    overseer.call("board", {"name": "general", "about": "What everybody should know"})
    overseer.call("queue", {"name": "triage", "members": ["RedCat", "BlueLake"], "about": "New issues, one at a time"})
    at("OldMill").send(
        ["general"], "Staging is down for the migration", "From **14:00** to about 14:30 UTC.\n\nDo not deploy."
    )
    at("RedCat").send(["general"], "Flaky: tests/api/rate_test.py", "Quarantined. See `br-150`.")
    at("BlueLake").send(["triage"], "[br-152] Cart forgets the coupon", "Steps: add, reload, gone.", thread_id="br-152")
    first = at("GreenCastle").send(
        ["RedCat", "BlueLake"],
        "[br-123] Refresh tokens: rotate on each use?",
        _PLAN,
        thread_id="br-123",
        importance="high",
        ack_required=True,
    )
    review = at("RedCat").reply(first["id"], _REVIEW)
    at("BlueLake").reply(first["id"], "The checkout page keeps one session per tab. Rotation is fine with me.")
    at("GreenCastle").reply(
        review["id"], "Decided: rotate, with a grace of **30 s**. I take `src/api/auth/tokens.py`.", all=True
    )
    at("RedCat").ack([first["id"]])
    at("GreenCastle").send(
        ["Overseer"],
        "[br-123] May I drop the old session table?",
        "Nothing reads it since Monday. It is 4 GB.\n\n- [x] no reader in 7 days\n- [ ] backup, OldMill?",
        thread_id="br-123",
        importance="urgent",
        ack_required=True,
    )
    at("OldMill").send(["Overseer"], "Runbook is ready for your eyes", "`docs/runbook.md`, two pages.", thread_id="br-98")


_PLAN = """## Proposal

Rotate the refresh token on *each* use, and revoke the family when an old one comes back.

| case | answer |
|---|---|
| first use | new pair |
| second use within 30 s | same pair |
| later | `401`, family revoked |

```python
def rotate(token: Token, now: datetime) -> Pair:
    if token.used and now - token.used > GRACE:
        revoke(token.family)
        raise Unauthorized
```

Can the checkout page live with that?
"""

_REVIEW = """Two things:

1. `revoke` must be idempotent, it is called from both workers.
2. The grace needs a test with a frozen clock.

> Rotate the refresh token on *each* use

Yes from me otherwise.
"""


@contextmanager
def lived_in(post: Post) -> Iterator[str]:
    """A town with its daemon running, served; its address."""
    build_town(post)
    bell = Bell()
    office = open_office(post.home, {}, bell=bell)
    daemon = threading.Thread(target=office.daemon.run, daemon=True)
    daemon.start()
    try:
        with served(Lobby(post.home, environment={}, bell=bell)) as address:
            yield address
    finally:
        office.daemon.stop()
        daemon.join(10)
        office.close()


SHOTS = (
    ("mail", "/mail/shop", (1280, 800), "light"),
    ("thread", "/mail/shop/thread/br-123", (1280, 800), "light"),
    ("leases", "/mail/shop/reservations", (1280, 800), "dark"),
)


def photograph(address: str, directory: Path) -> None:
    """The pages that the documentation shows, as pictures."""
    from playwright.sync_api import sync_playwright

    directory.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"))
        for name, path, (width, height), scheme in SHOTS:
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
            page = context.new_page()
            page.goto(f"{address}{path}")
            page.wait_for_selector("#live.on")
            page.screenshot(path=directory / f"{name}.png")
        browser.close()


def main(*arguments: str) -> None:
    """A town to look at: `python -m tests.webpage`; with a directory behind it, pictures of its pages are put there."""
    top = Path(tempfile.mkdtemp(prefix="gitmaild-town-"))
    try:
        with lived_in(Post(top)) as address:
            if arguments:
                photograph(address, Path(arguments[0]))
                return
            print(f"{address}/mail", flush=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        pass
    finally:
        shutil.rmtree(top, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
