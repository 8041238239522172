"""What indexing costs the mail: `python -m benchmarks.indexing --size 10000`. About two minutes for each engine."""

import argparse
import os
import statistics
import subprocess
import sys
import time

from benchmarks.__main__ import Arrivals, latency, machine, p, row, title, warm
from benchmarks.base import RECIPIENTS, Place, cpu_seconds, message, rss
from gitmaild import wiring

_WITHOUT = """
import sys
from gitmaild.adapters.cli import main
from gitmaild.app.daemon import Daemon
from gitmaild.app.indexer import Indexer
Daemon.rest = lambda self, **more: False
Indexer.seconds_left = lambda self: float("inf")
sys.argv[0] = "gitmaild"
main()
"""


def start(place: Place, engine: str) -> None:
    """Start a daemon with an engine, or with none."""
    os.environ["GITMAILD_SEARCH_ENGINE"] = engine or "whoosh"
    how = ["-m", "gitmaild"] if engine else ["-c", _WITHOUT]
    place.daemon = subprocess.Popen(
        [sys.executable, *how, "--home", str(place.home.path), "serve"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert place.daemon.stdout
    place.daemon.stdout.readline()


def reached(place: Place, engine: str) -> str:
    index = wiring.search_index(place.home, engine)
    try:
        index.open(writing=False)
        return index.checkpoint()
    except Exception:
        return ""
    finally:
        index.close()


def tip(place: Place) -> str:
    return wiring.open_reader(place.home).tip()


def caught_up(place: Place, engine: str) -> float:
    """Seconds until the index reaches to the tip."""
    began = time.perf_counter()
    while reached(place, engine) != tip(place):
        time.sleep(0.05)
    return time.perf_counter() - began


def start_to_delivery(place: Place, engine: str) -> float:
    place.drop(f"first{engine}.md", message(1))
    arrivals = Arrivals(place.desks / RECIPIENTS[-1] / "inbox")
    began = time.perf_counter()
    start(place, engine)
    arrivals.wait()
    took = time.perf_counter() - began
    arrivals.close()
    return took


def steady(place: Place, engine: str, seconds: int) -> None:
    """Five messages a second, as 300 a minute are."""
    assert place.daemon
    lags = []
    before = cpu_seconds(place.daemon.pid)
    for number in range(seconds * 5):
        began = time.perf_counter()
        place.drop(f"s{engine}{number}.md", message(number))
        if engine and number % 25 == 24:
            time.sleep(0.02)
            lags.append(caught_up(place, engine))
        time.sleep(max(0.2 - (time.perf_counter() - began), 0))
    share = (cpu_seconds(place.daemon.pid) - before) / seconds * 100
    lag = f"; in the index after {max(lags):.2f} s at most" if lags else ""
    row(f"{engine or 'none'}: the daemon's share of a core at 300 messages a minute", f"{share:.1f} %{lag}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.indexing", description=__doc__)
    parser.add_argument("--size", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=600)
    parser.add_argument("--engines", nargs="*", default=["whoosh", "fts5"])
    options = parser.parse_args()
    machine()
    title(f"Indexing beside the mail, {options.size:,} messages there already", "engine")
    place = Place()
    place.fill(options.size)
    start(place, "")
    warm(place)
    place.stop()
    base = 0.0
    for engine in ("", *options.engines, ""):
        name = engine or "none"
        row(f"{name}: start of the process to the first delivery", f"{start_to_delivery(place, engine):.2f} s", "<= 1.5 s")
        assert place.daemon
        if engine:
            found, _ = latency(place, options.rounds // 3)
            row(f"{name}: delivery while it is made", f"p50 {statistics.median(found):.2f} ms, p95 {p(found, 95):.2f} ms")
            row(f"{name}: made from nothing beside the mail, after that", f"{caught_up(place, engine):.1f} s")
        time.sleep(3)
        found, _ = latency(place, options.rounds)
        p95 = p(found, 95)
        base = base or p95
        row(
            f"{name}: delivery",
            f"p50 {statistics.median(found):.2f} ms, p95 {p95:.2f} ms, p99 {p(found, 99):.2f} ms: {p95 / base:.2f} x none",
            "<= 1.2 x",
        )
        steady(place, engine, 30)
        row(f"{name}: RSS with children", f"{rss(place.daemon.pid) / 2**20:.0f} MB", "<= 120 MB")
        place.stop()
    place.close()


if __name__ == "__main__":
    main()
