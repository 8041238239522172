"""The HTTP door: what it adds to the file path, how fast it lists and tells, how much it bears. `python -m benchmarks.http`."""

import argparse
import asyncio
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any

from benchmarks.__main__ import Arrivals, machine, p, row, title
from benchmarks.base import BODY, RECIPIENTS, SENDER, Place, cpu_seconds, message, registered, rss

_CLIENTS = 50


class Served:
    """A daemon with its door open, and the token."""

    def __init__(self, place: Place) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "gitmaild", "--home", str(place.home.path)]
        self.process = subprocess.Popen(
            [*command, "serve", "--http", f"127.0.0.1:{self.port}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout
        assert self.process.stdout.readline().startswith("Server starting on")
        self.token = (place.home.state / "token").read_text().strip()

    def headers(self, agent: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "X-Gitmaild-Agent": agent, "Content-Type": "application/json"}

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


class Client:
    """One connection that is kept."""

    def __init__(self, served: Served, agent: str) -> None:
        self._line = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
        self._headers = served.headers(agent)
        self._line.connect()
        self._line.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __call__(self, method: str, path: str, given: dict[str, Any] | None = None) -> Any:
        self._line.request(method, path, json.dumps(given) if given is not None else None, self._headers)
        answer = self._line.getresponse()
        data = answer.read()
        assert answer.status == 200, (answer.status, data)
        return json.loads(data)


def timed(work: Any) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def mail(number: int, to: str = RECIPIENTS[0]) -> dict[str, Any]:
    return {
        "to": [to],
        "subject": f"[br-{number % 500}] Start: part {number}",
        "thread_id": f"br-{number % 500}",
        "body": BODY,
    }


def added(place: Place, served: Served, rounds: int) -> tuple[list[float], list[float]]:
    """(by file, by HTTP) in ms, interleaved: from the rename in the outbox, or the request, to the answer."""
    answers = Arrivals(place.desks / SENDER / "sent")
    client = Client(served, SENDER)
    files, posts = [], []
    for number in range(rounds):
        draft = place.desks / SENDER / "outbox" / ".x.tmp"
        draft.write_bytes(message(number, RECIPIENTS[:1]))
        began = time.perf_counter()
        draft.rename(place.desks / SENDER / "outbox" / f"x{number}.md")
        answers.wait()
        files.append((time.perf_counter() - began) * 1000)
        time.sleep(0.02)
        posts.append(timed(lambda n=number: client("POST", "/api/shop/send", mail(n))))
        answers.wait()
        time.sleep(0.02)
    answers.close()
    return files, posts


def told(place: Place, served: Served, rounds: int) -> list[float]:
    """ms from the rename in the outbox to the line at `/events`."""
    line = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    line.request("GET", "/events", headers=served.headers(SENDER))
    answer = line.getresponse()
    came, times = threading.Semaphore(0), []

    def listen() -> None:
        while text := answer.readline():
            if text.startswith(b"data: "):
                times.append(time.perf_counter())
                came.release()

    threading.Thread(target=listen, daemon=True).start()
    found = []
    for number in range(rounds):
        draft = place.desks / SENDER / "outbox" / ".e.tmp"
        draft.write_bytes(message(number, RECIPIENTS[:1]))
        began = time.perf_counter()
        draft.rename(place.desks / SENDER / "outbox" / f"e{number}.md")
        assert came.acquire(timeout=20)
        found.append((times[-1] - began) * 1000)
        time.sleep(0.03)
    return found


async def _one(served: Served, number: int, until: float, found: list[tuple[str, float]], failures: list[str]) -> None:
    """A client that sends one message for each two times that it looks."""
    agent = (SENDER, *RECIPIENTS)[number % 4]
    to = (SENDER, *RECIPIENTS)[(number + 1) % 4]
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    head = "".join(f"{name}: {value}\r\n" for name, value in served.headers(agent).items())
    turn = number
    while time.perf_counter() < until:
        turn += 1
        is_send = turn % 3 == 0
        body = json.dumps(mail(turn, to)).encode() if is_send else b""
        path = "POST /api/shop/send" if is_send else "GET /api/shop/inbox?limit=20"
        began = time.perf_counter()
        length = f"Content-Length: {len(body)}\r\n" if is_send else ""
        writer.write(f"{path} HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n{head}{length}\r\n".encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        size = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        data = await reader.readexactly(size)
        found.append(("send" if is_send else "inbox", (time.perf_counter() - began) * 1000))
        if b" 200 " not in answer[:20]:
            failures.append(f"{answer[:20]!r} {data[:200]!r}")
    writer.close()


def load(served: Served, seconds: float) -> tuple[list[tuple[str, float]], list[str], float]:
    found: list[tuple[str, float]] = []
    failures: list[str] = []

    async def all_of_them() -> None:
        until = time.perf_counter() + seconds
        await asyncio.gather(*(_one(served, number, until, found, failures) for number in range(_CLIENTS)))

    began = time.perf_counter()
    asyncio.run(all_of_them())
    return found, failures, time.perf_counter() - began


def spread(values: list[float]) -> str:
    return f"p50 {p(values, 50):.1f} ms, p95 {p(values, 95):.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.http", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs")
    quick = parser.parse_args().quick
    machine()
    rounds, size = (30, 500) if quick else (300, 10_000)
    title("The HTTP door")
    place = Place()
    try:
        registered(place)
        served = Served(place)
        files, posts = added(place, served, rounds)
        row("send: file drop to answer in sent/", spread(files))
        row("send: POST to answer", spread(posts), "p50 at most 3 ms above the file's")
        row("drop to /events", spread(told(place, served, rounds)), "p95 <= 50 ms")
        row("memory of the daemon with the door", f"{rss(served.process.pid) / 2**20:.0f} MiB")
        before = cpu_seconds(served.process.pid)
        found, failures, took = load(served, 5 if quick else 30)
        cpu = cpu_seconds(served.process.pid) - before
        row(f"{_CLIENTS} clients, a third of it sends: requests a second", f"{len(found) / took:.0f}", ">= 300")
        row("the same, all requests", spread([ms for _, ms in found]), "p95 <= 200 ms")
        row("the same, sends", spread([ms for kind, ms in found if kind == "send"]))
        row("the same, inboxes", spread([ms for kind, ms in found if kind == "inbox"]))
        row("the same, errors", f"{len(failures)}{': ' + failures[0] if failures else ''}", "0")
        row("the same, processor time of the daemon", f"{100 * cpu / took:.0f} % of one core")
        row("memory of the daemon after it", f"{rss(served.process.pid) / 2**20:.0f} MiB", "<= 200 MiB")
        served.stop()
    finally:
        place.close()
    place = Place()
    try:
        place.fill(size)
        served = Served(place)
        client = Client(served, RECIPIENTS[0])
        while len(client("GET", "/api/shop/inbox?limit=20")) < 20:
            time.sleep(0.1)
        lists = [timed(lambda: client("GET", "/api/shop/inbox?limit=20")) for _ in range(rounds)]
        row(f"inbox, limit 20, {size:,} messages", spread(lists), "p95 <= 10 ms")
        served.stop()
    finally:
        place.close()


if __name__ == "__main__":
    main()
