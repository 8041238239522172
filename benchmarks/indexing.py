"""What indexing costs the mail: `python -m benchmarks.indexing --size 10000`. About two minutes for each engine."""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

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
        [sys.executable, *how, "--home", str(place.home.path), "serve", "--no-http"],
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
    parser.add_argument("--rounds", type=int, default=150)
    parser.add_argument("--engines", nargs="*", default=["whoosh", "fts5"])
    options = parser.parse_args()
    machine()
    title(f"Indexing beside the mail, {options.size:,} messages there already", "engine")
    place = Place()
    place.fill(options.size)
    start(place, "")
    warm(place)
    place.stop()
    for engine in ("", *options.engines):
        name = engine or "none"
        row(f"{name}: start of the process to the first delivery", f"{start_to_delivery(place, engine):.2f} s", "<= 1.5 s")
        assert place.daemon
        if engine:
            found, _ = latency(place, options.rounds)
            row(f"{name}: delivery while it is made", f"p50 {statistics.median(found):.2f} ms, p95 {p(found, 95):.2f} ms")
            row(f"{name}: made from nothing beside the mail, after that", f"{caught_up(place, engine):.1f} s")
        steady(place, engine, 30)
        memory(place, name)
        place.stop()
    interleaved(place, ["", *options.engines], options.rounds)
    place.close()


def memory(place: Place, name: str) -> None:
    assert place.daemon
    lines = Path(f"/proc/{place.daemon.pid}/smaps_rollup").read_text().splitlines()[1:]
    own = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines}
    row(
        f"{name}: memory",
        f"{own['Rss']:.0f} MB resident, {own['Anonymous']:.0f} MB of it anonymous; {rss(place.daemon.pid) / 2**20:.0f} MB with children",
        "<= 120 MB",
    )


def interleaved(place: Place, engines: list[str], rounds: int) -> None:
    """Each engine in turn, several times: what else the machine does hits all of them alike."""
    found: dict[str, list[float]] = {engine: [] for engine in engines}
    for _ in range(5):
        for engine in engines:
            start(place, engine)
            warm(place)
            if engine:
                time.sleep(2)
                caught_up(place, engine)
            times, _ = latency(place, rounds)
            found[engine] += times
            place.stop()
    base = p(found[""], 95)
    for engine, times in found.items():
        row(
            f"{engine or 'none'}: delivery",
            f"p50 {statistics.median(times):.2f} ms, p95 {p(times, 95):.2f} ms, p99 {p(times, 99):.2f} ms; "
            f"p95 {p(times, 95) / base:.2f} x none",
            "<= 1.2 x",
        )


if __name__ == "__main__":
    main()
