"""Is it well? Asked by who supervises the daemon, without a token; what is told is no secret."""

import json
import time
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gitmaild import wiring
from gitmaild.adapters.http.answers import answer
from gitmaild.adapters.http.pool import Pool

# The loop of the daemon goes round every few seconds.
_STILL = 60.0
# What has no token asks the disk no more often than this.
_KEPT_SECONDS = 1.0


def routes(home: wiring.Home, pool: Pool, still_for: Callable[[], float]) -> list[Route]:
    """`still_for`: the seconds since the daemon's loop last began a round."""
    kept: list[tuple[float, dict[str, str]]] = []

    async def health(request: Request) -> Response:
        return Response(json.dumps({"status": "ok"}), media_type="application/json")

    async def live(request: Request) -> Response:
        seconds = still_for()
        return answer({"status": "ok"} if seconds < _STILL else {"status": "stuck"}, 200 if seconds < _STILL else 503)

    async def ready(request: Request) -> Response:
        if not kept or time.monotonic() - kept[0][0] >= _KEPT_SECONDS:
            checks = await pool.run(lambda: wiring.readiness(home, still_for()))
            kept[:] = [(time.monotonic(), checks)]
        checks = kept[0][1]
        # The index is derived: without it everything but searching goes on, and searching says what may be missing.
        is_ready = all(said == "ok" for name, said in checks.items() if name != "index")
        return answer({"status": "ok" if is_ready else "not ready", "checks": checks}, 200 if is_ready else 503)

    return [
        Route("/health", health, methods=["GET"]),
        Route("/health/live", live, methods=["GET"]),
        Route("/health/ready", ready, methods=["GET"]),
    ]
