"""A home that is served in this process: the daemon in a thread, the HTTP application beside it, as `gitmaild serve` has them."""

import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from gitmaild import wiring
from gitmaild.adapters.client.lobby import Lobby
from gitmaild.adapters.http.access import Access
from gitmaild.adapters.http.app import build
from gitmaild.adapters.http.gate import Place
from gitmaild.app.bell import Bell
from gitmaild.model.settings import Settings
from gitmaild.wiring.access import open_tokens
from gitmaild.wiring.office import open_office
from tests.post import Post

URL = "http://127.0.0.1:8765"


class Seconds:
    """A clock that stands still unless it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Served:
    """GreenCastle and RedCat of the project *shop*, their daemon, and the door. Close it."""

    def __init__(self, top: Path, settings: Settings | None = None, *, place: Place | None = None) -> None:
        self.post = Post(top)
        self.post.agents("GreenCastle", "RedCat")
        self.post.stop()
        self.home, self.bell, self.seconds = self.post.home, Bell(), Seconds()
        self.office = open_office(self.home, {}, bell=self.bell)
        self._daemon = threading.Thread(target=self.office.daemon.run)
        self._daemon.start()
        self.lobby = Lobby(self.home, environment={}, bell=self.bell)
        self.tokens = open_tokens(self.home)
        self.settings = settings or Settings()
        self.access = Access(self.tokens, self.settings, monotonic=self.seconds, wall=wiring.wall_clock)
        self.place = place or Place("127.0.0.1", 8765)
        self.app = build(self.lobby, self.access, self.settings, self.place, self.office.daemon.still_for)
        self._open: list[AbstractContextManager[Any]] = []

    def client(self, *, url: str = URL, peer: str = "127.0.0.1", **headers: str) -> TestClient:
        """A browser or a program at `peer`. `token="..."` and `agent="..."` for short."""
        said = {name.replace("_", "-"): value for name, value in headers.items() if name not in ("token", "agent")}
        if "token" in headers:
            said["Authorization"] = f"Bearer {headers['token']}"
        if "agent" in headers:
            said["X-Gitmaild-Agent"] = headers["agent"]
        client = TestClient(self.app, base_url=url, headers=said, client=(peer, 50000), follow_redirects=False)
        client.__enter__()
        self._open.append(client)
        return client

    def agent(self, name: str) -> TestClient:
        """A client that speaks for an agent, with the home's token."""
        return self.client(token=self.tokens.own(), agent=name)

    def close(self) -> None:
        for client in self._open:
            client.__exit__(None, None, None)
        self.office.daemon.stop()
        self._daemon.join()
        self.office.close()
