"""What the service manager hears."""

import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitmaild.edges import notify
from gitmaild.edges.notify import Notifier


@pytest.fixture
def near(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses of sockets are short."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.settimeout(5)
        yield listening


def test_states_arrive_as_one_datagram(near: None, manager: socket.socket) -> None:
    manager.bind("notify")
    Notifier({"NOTIFY_SOCKET": "notify"}).send("READY=1", "STATUS=ready, größe")
    assert manager.recv(4096) == "READY=1\nSTATUS=ready, größe".encode()


@pytest.mark.skipif(sys.platform != "linux", reason="abstract addresses are Linux's own")
def test_an_abstract_address_begins_with_an_at_sign(manager: socket.socket) -> None:
    manager.bind(f"\0gitmaild-test-{os.getpid()}")
    Notifier({"NOTIFY_SOCKET": f"@gitmaild-test-{os.getpid()}"}).send("WATCHDOG=1")
    assert manager.recv(4096) == b"WATCHDOG=1"


@pytest.mark.parametrize("address", ["", "nobody-listens", "@nobody-listens-gitmaild", "x" * 300, "/dev/null"])
def test_a_manager_that_is_gone_is_no_error(near: None, address: str) -> None:
    Notifier({"NOTIFY_SOCKET": address}).send("READY=1")
    Notifier({}).send("READY=1")


def test_a_process_that_can_open_nothing_more_goes_on(near: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "socket", refuse)
    Notifier({"NOTIFY_SOCKET": "notify"}).send("WATCHDOG=1")


def test_a_manager_that_does_not_read_holds_up_nobody_for_long(
    near: None, manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "_PATIENCE", 0.01)
    manager.bind("notify")
    notifier, begun = Notifier({"NOTIFY_SOCKET": "notify"}), time.monotonic()
    for _ in range(1000):  # more than a queue of datagrams holds
        notifier.send("STATUS=" + "x" * 1000)
        if time.monotonic() - begun > 0.2:
            break
    assert time.monotonic() - begun < 20
    assert manager.recv(4096).startswith(b"STATUS=xxx")


ME = str(os.getpid())


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": ME}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": ME + "0"}, 0.0),
        ({"WATCHDOG_USEC": "0"}, 0.0),
        ({"WATCHDOG_USEC": ""}, 0.0),
        ({"WATCHDOG_USEC": "-5"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
def test_the_watchdog_is_fed_at_half_of_what_the_manager_grants(environment: dict[str, str], seconds: float) -> None:
    assert Notifier(environment).watchdog_seconds == seconds
