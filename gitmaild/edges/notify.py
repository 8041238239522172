"""sd_notify(3): a datagram to the service manager that started us, if one did."""

import contextlib
import os
import socket
from collections.abc import Mapping

# Seconds that a manager which does not read its mail may hold up ours.
_PATIENCE = 1.0


class Notifier:
    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        usec = environment.get("WATCHDOG_USEC", "")
        # Half the time that the manager grants, as sd_watchdog_enabled(3) advises; 0 where nobody watches.
        self.watchdog_seconds = int(usec) / 2_000_000 if usec.isdigit() and mine else 0.0

    def send(self, *states: str) -> None:
        """`READY=1`, `WATCHDOG=1`, `STATUS=...`, `STOPPING=1`. A manager that is gone is no reason to fail."""
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(_PATIENCE)
            sender.sendto("\n".join(states).encode(), self._address)
