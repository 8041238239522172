"""Reserving through the daemon, with a thousand leases held and with many that have ended."""

import os
import statistics
import time
from datetime import UTC, datetime, timedelta

from benchmarks.base import RECIPIENTS, SENDER, Place, registered
from gitmaild.edges.repo import Repo
from gitmaild.model.commands import Envelope, Release, Reserve
from gitmaild.model.ids import mint
from gitmaild.model.settings import Settings
from gitmaild.rules.holdings import Holdings
from gitmaild.rules.mailbox import Mailbox
from gitmaild.rules.plan import plan


def fill(place: Place, held: int, ended: int) -> None:
    """Leases of two agents that are held for a day, and leases that were released before."""
    repo, settings, now = (
        Repo(place.home.mailbox),
        Settings(leases_per_agent=1 << 30),
        datetime.now(UTC) - timedelta(hours=1),
    )
    holdings = Holdings("shop")

    def envelope(agent: str) -> Envelope:
        return Envelope(mint(now, os.urandom, ()), "shop", agent, "x")

    for start in range(0, ended, 50):
        batch = repo.batch(repo.tip())
        mailbox = Mailbox(batch.tree, "shop", holdings)
        paths = tuple(f"old/{start + n}/**" for n in range(50))
        now += timedelta(milliseconds=20)
        batch.add(plan(Reserve(envelope("RedCat"), paths, ttl_seconds=86_400), mailbox, now, settings))  # type: ignore[arg-type]
        batch.add(plan(Release(envelope("RedCat")), mailbox, now + timedelta(milliseconds=1), settings))  # type: ignore[arg-type]
        batch.land()
    for start in range(0, held, 50):
        batch = repo.batch(repo.tip())
        mailbox = Mailbox(batch.tree, "shop", holdings)
        shapes = ("src/mod{0}/**", "src/mod{0}/*.py", "lib/part{0}/file{0}.ts", "docs/{0}/**/*.md")
        paths = tuple(shapes[n % 4].format(start + n) for n in range(50))
        now += timedelta(milliseconds=20)
        agent = RECIPIENTS[start // 50 % 2]
        batch.add(plan(Reserve(envelope(agent), paths, ttl_seconds=86_400), mailbox, now, settings))  # type: ignore[arg-type]
        batch.land()
    place.repack()


def reserving(place: Place, rounds: int) -> list[float]:
    """Milliseconds from the rename in the outbox to the answer in `sent/`."""
    from benchmarks.__main__ import Arrivals

    arrivals = Arrivals(place.desks / SENDER / "sent")
    found = []
    for number in range(rounds):
        text = f"---\nkind: reserve\npaths: new/{number}/**\nttl_seconds: 60\nreason: br-{number}\n---\n"
        draft = place.desks / SENDER / "outbox" / ".x.tmp"
        draft.write_text(text)
        began = time.perf_counter()
        draft.rename(place.desks / SENDER / "outbox" / f"r{number}.md")
        arrivals.wait()
        found.append((time.perf_counter() - began) * 1000)
        time.sleep(0.005)
    arrivals.close()
    return found[5:]


def measure(rounds: int, cases: list[tuple[int, int]]) -> list[tuple[int, int, float, float]]:
    """(held, ended, p50, p95) for each case of leases."""
    found = []
    for held, ended in cases:
        place = Place()
        registered(place)
        fill(place, held, ended)
        place.start()
        times = sorted(reserving(place, rounds))
        found.append((held, ended, statistics.median(times), times[len(times) * 95 // 100]))
        place.close()
    return found
