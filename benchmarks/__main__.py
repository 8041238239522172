"""`make bench`: the figures of docs/BENCHMARKS.md, as Markdown on standard output. About ten minutes."""

import argparse
import mailbox
import multiprocessing
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.base import BODY, RECIPIENTS, SENDER, Place, cpu_seconds, message, registered, rss
from benchmarks.leases import measure
from gitmaild.edges.watch import Watcher


def row(name: str, figure: str, wanted: str = "") -> None:
    print(f"| {name} | {figure} | {wanted} |", flush=True)


def title(text: str, head: str = "what") -> None:
    print(f"\n## {text}\n\n| {head} | measured | wanted |\n|---|---|---|", flush=True)


def p(values: list[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


class Arrivals:
    """Waits for files that are renamed into a directory."""

    def __init__(self, directory: Path) -> None:
        self._watcher, self._directory = Watcher(), directory
        self._watcher.watch([directory])

    def wait(self, timeout: float = 30.0, count: int = 1) -> None:
        until = time.perf_counter() + timeout
        while count > 0:
            hints = self._watcher.wait(until - time.perf_counter())
            if not hints:
                raise TimeoutError(f"nothing arrived in {self._directory} within {timeout} s")
            count -= sum(hint.name.endswith(".md") and not hint.name.startswith(".") for hint in hints)

    def close(self) -> None:
        self._watcher.close()


def floor(directory: Path, number: int) -> float:
    """Write + fsync + rename + fsync of the directory, for a file of 1 KB: the least that durable delivery can cost."""
    data = message(number)[:1024]
    began = time.perf_counter()
    draft = directory / ".floor.tmp"
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.write(fd, data)
    os.fsync(fd)
    os.close(fd)
    draft.rename(directory / f"floor{number % 20}")
    fd = os.open(directory, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
    return (time.perf_counter() - began) * 1000


def latency(place: Place, rounds: int) -> tuple[list[float], list[float]]:
    """(delivery, floor) in ms: from the rename in the outbox to the rename in the last recipient's inbox, interleaved."""
    beside = place.top / "floor"
    beside.mkdir(exist_ok=True)
    arrivals = Arrivals(place.desks / RECIPIENTS[-1] / "inbox")
    found, floors = [], []
    for number in range(rounds):
        floors.append(floor(beside, number))
        draft = place.desks / SENDER / "outbox" / ".x.tmp"
        draft.write_bytes(message(number))
        began = time.perf_counter()
        draft.rename(place.desks / SENDER / "outbox" / f"x{number}.md")
        arrivals.wait()
        found.append((time.perf_counter() - began) * 1000)
        time.sleep(0.005)
    arrivals.close()
    return found[10:], floors[10:]


def warm(place: Place) -> None:
    """One delivery, waited for: what comes first pays for imports and caches."""
    arrivals = Arrivals(place.desks / RECIPIENTS[-1] / "inbox")
    place.drop("warm.md", message(0))
    arrivals.wait()
    time.sleep(0.5)
    arrivals.close()


def delivery(sizes: list[int], rounds: int) -> None:
    title(
        "Delivery: rename in the outbox to the file in the last recipient's inbox, commit durable", "messages there already"
    )
    medians = []
    for size in sizes:
        place = Place()
        place.fill(size)
        place.start()
        warm(place)
        found, floors = latency(place, rounds)
        ratio = statistics.median(found) / statistics.median(floors)
        medians.append(statistics.median(found))
        row(
            f"{size:,}",
            f"p50 {medians[-1]:.2f} ms, p95 {p(found, 95):.2f} ms; floor p50 {statistics.median(floors):.2f} ms; "
            f"**{ratio:.1f} x floor**",
            "p50 <= 5 x floor, p95 <= 15 ms",
        )
        if size == sizes[-1]:
            at_size(place, size)
        place.close()
    row("flat: last / first p50", f"**{medians[-1] / medians[0]:.2f}**", "<= 1.5")
    place = Place(roots=5)
    registered(place)
    place.start()
    warm(place)
    found, floors = latency(place, rounds)
    ratio = statistics.median(found) / statistics.median(floors)
    row("0, five roots", f"p50 {statistics.median(found):.2f} ms, p95 {p(found, 95):.2f} ms; {ratio:.1f} x floor")
    place.close()


def at_size(place: Place, size: int) -> None:
    """What the daemon is like with a full mailbox: memory, idle CPU, start, `inbox`."""
    assert place.daemon
    pid = place.daemon.pid
    peak = 0
    for number in range(400):
        place.drop(f"load{number}.md", message(number))
        peak = max(peak, rss(pid))
    time.sleep(3)
    peak = max(peak, rss(pid))
    title(f"With {size:,} messages in three inboxes")
    row("RSS of the daemon with its children, peak", f"{peak / 2**20:.0f} MB", "<= 120 MB")
    time.sleep(70)  # past the audit that follows a change
    before, seconds = cpu_seconds(pid), 60
    time.sleep(seconds)
    row(f"idle CPU over {seconds} s", f"{(cpu_seconds(pid) - before) / seconds * 100:.2f} %", "< 0.5 %")
    place.stop()
    place.drop("first.md", message(1))
    arrivals = Arrivals(place.desks / RECIPIENTS[-1] / "inbox")
    began = time.perf_counter()
    place.start()
    arrivals.wait()
    row("start of the process to the first delivery", f"{time.perf_counter() - began:.2f} s", "<= 1.5 s")
    arrivals.close()
    inbox = [
        sys.executable,
        "-m",
        "gitmaild",
        "--home",
        str(place.home.path),
        "--project",
        "shop",
        "--as",
        "RedCat",
        "inbox",
    ]
    ours = fresh(inbox, place.worktrees[0])
    python = fresh([sys.executable, "-c", "pass"], place.worktrees[0])
    row(
        f"`gitmaild inbox`, a fresh process, {size:,} files in the inbox",
        f"{ours:.0f} ms (`python -c pass`: {python:.0f} ms)",
    )
    print("", flush=True)


def fresh(command: list[str], where: Path, rounds: int = 20) -> float:
    """Median wall milliseconds of a command as a fresh process, with its modules compiled, as they are once it ran."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        subprocess.run(
            command, cwd=where, env=environment, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def start_up() -> None:
    title("A fresh process of the command line, 200 messages in the inbox", "command")
    place = Place()
    place.fill(200)
    place.start()
    here = place.worktrees[0]
    base = [sys.executable, "-m", "gitmaild", "--home", str(place.home.path), "--project", "shop", "--as", "RedCat"]
    row("`gitmaild inbox`", f"{fresh([*base, 'inbox'], here):.0f} ms", "<= 100 ms")
    row("`gitmaild send` (with the daemon's durable answer)", f"{fresh([*base, 'send', '--to', SENDER, '-'], here):.0f} ms")
    row("`python -c pass`", f"{fresh([sys.executable, '-c', 'pass'], here):.0f} ms")
    row("`python -c 'import click'`", f"{fresh([sys.executable, '-c', 'import click'], here):.0f} ms")
    place.close()


def backlog(count: int) -> None:
    title("Throughput, one commit a message")
    place = Place()
    registered(place)
    for number in range(count):
        place.drop(f"b{number}.md", message(number))
    time.sleep(0.6)
    began = time.perf_counter()
    place.start()
    outbox = place.desks / SENDER / "outbox"
    while any(name.endswith(".md") for name in os.listdir(outbox)) or os.listdir(outbox / ".claimed"):
        time.sleep(0.01)
    took = time.perf_counter() - began
    commits = int(subprocess.check_output(["git", f"--git-dir={place.home.mailbox}", "rev-list", "--count", "main"]))
    assert commits >= count
    row(f"backlog of {count:,}, start of the daemon included", f"**{count / took:,.0f} durable messages/s**", ">= 1,500/s")
    place.close()


def _sender(desks: Path, name: str, count: int) -> None:
    arrivals = Arrivals(desks / name / "sent")
    for number in range(count):
        draft = desks / name / "outbox" / ".x.tmp"
        draft.write_bytes(message(number))
        draft.rename(desks / name / "outbox" / f"c{number}.md")
        arrivals.wait()
    arrivals.close()


def concurrent(senders: int, count: int) -> None:
    place = Place()
    registered(place)
    names = ["OneWriter", "TwoWriter", "RedWriter", "SixWriter", "BigWriter", "OldWriter", "NewWriter", "TopWriter"][
        :senders
    ]
    for name in names:
        (place.desks / name / "outbox").mkdir(parents=True)
        place.drop("join.md", b"---\nkind: register\n---\n", name)
    place.start()
    while not all((place.desks / name / "sent").is_dir() and os.listdir(place.desks / name / "sent") for name in names):
        time.sleep(0.02)
    workers = [multiprocessing.Process(target=_sender, args=(place.desks, name, count)) for name in names]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    took = time.perf_counter() - began
    row(f"{senders} senders, each waiting for its answer", f"**{senders * count / took:,.0f} messages/s**", ">= 500/s")
    place.close()


def store(count: int) -> None:
    title(f"The object store, {count:,} messages at {1000} a day, each a pack of its own")
    place = Place()
    place.fill(500)
    before, _ = place.packed()
    from datetime import UTC, datetime, timedelta

    from gitmaild.edges.repo import Repo
    from gitmaild.model.commands import Envelope
    from gitmaild.model.ids import mint
    from gitmaild.model.settings import Settings
    from gitmaild.rules.mailbox import Mailbox
    from gitmaild.rules.parse import parse
    from gitmaild.rules.plan import plan

    repo, settings, now = Repo(place.home.mailbox), Settings(), datetime.now(UTC) - timedelta(days=1)
    for number in range(count):
        now += timedelta(seconds=86.4)
        batch = repo.batch(repo.tip())
        command = parse(message(number), Envelope(mint(now, os.urandom, ()), "shop", SENDER, "m"), settings)
        batch.add(plan(command, Mailbox(batch.tree, "shop"), now, settings))  # type: ignore[arg-type]
        batch.land()
    after, _ = place.packed()
    row("bytes a message before repacking", f"{(after - before) / count / 1024:.1f} KiB", "<= 10 KiB")
    git = ["git", f"--git-dir={place.home.mailbox}"]
    began = time.perf_counter()
    subprocess.run([*git, "repack", "-d", "--geometric=2", "-q"], check=True)
    took = time.perf_counter() - began
    size, files = place.packed()
    row("after (packs and indexes)", f"{size / (count + 500) / 1024:.1f} KiB", "<= 4 KiB")
    row("files after", f"{files}; repacking took {took:.1f} s")
    place.close()


def others(rounds: int) -> None:
    title("Other ways, same disk, same run: one message at a time to three recipients", "way")
    top = Path(tempfile.mkdtemp(prefix="gitmaild-bench-", dir=os.environ.get("BENCH_DIR", "/tmp")))
    ways: dict[str, Callable[[int], None]] = {}
    repo = top / "repo"
    subprocess.run(["git", "init", "-q", str(repo)], check=True)
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "core.fsync=all"]

    def git_commit(number: int) -> None:
        for name in RECIPIENTS:
            path = repo / name / f"{number}.md"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(message(number))
        subprocess.run(["git", "-C", str(repo), "add", "-A"], check=True)
        subprocess.run(["git", "-C", str(repo), *identity, "commit", "-q", "-m", "m"], check=True)

    boxes = [mailbox.Maildir(str(top / name), create=True) for name in RECIPIENTS]

    def maildir(number: int) -> None:
        for box in boxes:
            box.add(b"From: a\n\n" + BODY.encode())
            fd = os.open(Path(box._path) / "new", os.O_RDONLY)  # type: ignore[attr-defined]
            os.fsync(fd)
            os.close(fd)

    ways["`git add && git commit`, core.fsync=all (no directory fsync)"] = git_commit
    ways["`mailbox.Maildir`, three boxes, new/ fsynced"] = maildir
    floors: list[float] = []
    for name, way in ways.items():
        times = []
        for number in range(rounds):
            floors.append(floor(top, number))
            began = time.perf_counter()
            way(number)
            times.append((time.perf_counter() - began) * 1000)
        row(
            name,
            f"p50 {statistics.median(times):.2f} ms, {statistics.median(times) / statistics.median(floors):.1f} x floor",
        )
    if shutil.which("public-inbox-mda"):
        try:
            public_inbox(top, rounds, floors)
        except subprocess.CalledProcessError as error:
            row("public-inbox", f"not measured: {error.cmd[0]} ended with {error.returncode}")
    else:
        row("public-inbox", "not installed here (Debian: public-inbox)")
    shutil.rmtree(top, ignore_errors=True)


def public_inbox(top: Path, rounds: int, floors: list[float]) -> None:
    environment = os.environ | {"HOME": str(top), "PI_CONFIG": str(top / "pi"), "ORIGINAL_RECIPIENT": "shop@example.invalid"}
    init = ["public-inbox-init", "-V2", "shop", str(top / "inbox"), "http://localhost/shop", "shop@example.invalid"]
    subprocess.run(init, check=True, env=environment, capture_output=True)
    times = []
    for number in range(min(rounds, 30)):
        mail = (
            f"From: a@example.invalid\nTo: shop@example.invalid\nSubject: m{number}\nMessage-ID: <{number}@example.invalid>\n"
            f"Date: Thu, 01 Jan 2026 00:00:00 +0000\nContent-Type: text/plain\n\n{BODY}"
        )
        began = time.perf_counter()
        subprocess.run(
            ["public-inbox-mda", "--no-precheck"], input=mail.encode(), check=True, env=environment, capture_output=True
        )
        times.append((time.perf_counter() - began) * 1000)
    ratio = statistics.median(times) / statistics.median(floors)
    row(
        "public-inbox-mda (v2), one process a message, one copy",
        f"p50 {statistics.median(times):.0f} ms, {ratio:.0f} x floor",
    )


def leases(rounds: int, *, quick: bool) -> None:
    title("Reserving through the daemon: rename in the outbox to the answer in `sent/`, durable", "leases held, ended")
    cases = [(0, 0), (100, 100)] if quick else [(0, 0), (1000, 0), (1000, 50_000)]
    for held, ended, p50, p95 in measure(rounds, cases):
        row(f"{held:,} held, {ended:,} ended", f"p50 {p50:.1f} ms, p95 {p95:.1f} ms", "p95 <= 10 ms with 1,000 held")


def machine() -> None:
    mount = subprocess.run(["df", "--output=fstype", os.environ.get("BENCH_DIR", "/tmp")], capture_output=True, text=True)
    git = subprocess.check_output(["git", "--version"], text=True).strip()
    print(
        f"Machine: {os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}, {git}, "
        f"file system {mount.stdout.split()[-1]}. Figures of one run; read ratios.",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    parser.add_argument("--only", choices=["delivery", "throughput", "store", "start", "leases", "others"])
    options = parser.parse_args()
    quick, only = options.quick, options.only
    machine()
    if only in (None, "delivery"):
        delivery([0, 1000] if quick else [0, 10_000, 100_000], 40 if quick else 300)
    if only in (None, "throughput"):
        backlog(1000 if quick else 10_000)
        concurrent(8, 20 if quick else 400)
    if only in (None, "store"):
        store(100 if quick else 1000)
    if only in (None, "start"):
        start_up()
    if only in (None, "leases"):
        leases(40 if quick else 300, quick=quick)
    if only in (None, "others"):
        others(20 if quick else 100)


if __name__ == "__main__":
    main()
