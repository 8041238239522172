"""`python -m benchmarks.people`: what a send to everyone costs, and what it costs to ask who may write to whom."""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

from benchmarks.base import RECIPIENTS, SENDER, Place, message
from gitmaild.edges.repo import Repo
from gitmaild.model.changeset import Changeset
from gitmaild.model.commands import Envelope
from gitmaild.model.drop import Hint, How
from gitmaild.model.names import ADJECTIVES, NOUNS
from gitmaild.model.settings import Settings
from gitmaild.rules.mailbox import Mailbox
from gitmaild.rules.parse import parse
from gitmaild.rules.plan import plan
from gitmaild.wiring.office import NoHints, open_office


def everyone(agents: int, rounds: int) -> None:
    """A send to all of `agents` against one to three, in turn, durable and shown, in this process."""
    place = Place()
    names = [SENDER, *RECIPIENTS, *(a + n for n in NOUNS[:2] for a in ADJECTIVES if a != n)][:agents]
    office = open_office(place.home, {}, watcher=NoHints())
    for name in names:
        (place.desks / name / "outbox").mkdir(parents=True, exist_ok=True)
        place.drop("join.md", b"---\nkind: register\n---\n", agent=name)
    while office.daemon.turn([Hint("")]) or office.daemon.idle_for() < 1:
        time.sleep(0.02)
    took: dict[str, list[float]] = {"three": [], "everyone": []}
    outbox = str(place.desks / SENDER / "outbox")
    for number in range(rounds * 2):
        who = ("three", "everyone")[number % 2]
        to = RECIPIENTS if who == "three" else ("everyone",)
        place.drop(f"m{number}.md", message(number % 2, to))
        began = time.perf_counter()
        assert office.daemon.turn([Hint(outbox, f"m{number}.md", How.RENAMED)]) == 1
        took[who].append(time.perf_counter() - began)
    office.close()
    place.close()
    three, all_ = (statistics.median(took[who]) * 1000 for who in ("three", "everyone"))
    print(
        f"| a send to everyone among {len(names)} agents | {all_:.1f} ms, to three {three:.1f} ms: {all_ / three:.1f} x | <= 3 x |"
    )


def planning(sizes: list[int], rounds: int) -> None:
    """Planning a message to three, each behind a door of another kind, in mailboxes of different sizes."""
    for size in sizes:
        place = Place()
        place.fill(size)
        repo, settings, now = Repo(place.home.mailbox), Settings(), datetime.now(UTC)
        batch = repo.batch(repo.tip())
        mailbox, number = Mailbox(batch.tree, "shop"), 0

        def ask(
            agent: str, data: bytes, mailbox: Mailbox = mailbox, now: datetime = now, settings: Settings = settings
        ) -> Changeset:
            nonlocal number
            number += 1
            made = plan(
                parse(data, Envelope(f"cmd_{now:%Y%m%d}_{number:08x}", "shop", agent, "x"), settings),
                mailbox,
                now,
                settings,  # type: ignore[arg-type]
            )
            assert isinstance(made, Changeset), made
            return made

        open_door = median(lambda: ask(SENDER, message(1)), rounds)
        for name, policy in zip(RECIPIENTS, ("auto", "contacts_only", "auto"), strict=True):
            batch.add(ask(name, f"---\nkind: contact-policy\npolicy: {policy}\n---\n".encode()))
        ruled = median(lambda: ask(SENDER, message(1)), rounds)
        print(
            f"| planning a message to three, {size:,} messages: doors open / with policies | {open_door:.2f} / {ruled:.2f} ms | no growth |"
        )
        repo.discard()
        place.close()


def median(act: Callable[[], object], rounds: int) -> float:
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        act()
        took.append(time.perf_counter() - began)
    return statistics.median(took) * 1000


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000, 100_000])
    given = parser.parse_args()
    print(f"# Contacts and groups ({os.environ.get('BENCH_DIR', '/tmp')})\n\n| what | measured | wanted |\n|---|---|---|")
    everyone(given.agents, given.rounds)
    planning(given.sizes, given.rounds)
