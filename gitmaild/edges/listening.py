"""A socket to listen on, and who has it where we cannot."""

import errno
import ipaddress
import os
import re
import socket
import stat
from pathlib import Path

from gitmaild.model.errors import MailError

_LISTEN = "0A"  # the state of a listening socket in /proc/net/tcp


class PortTaken(MailError):
    """Somebody else listens there."""

    code = "port-taken"


class CannotListen(MailError):
    code = "cannot-listen"


def is_loopback(host: str) -> bool:
    """True for an address that nobody but this machine can reach."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> socket.socket:
    """Raises `PortTaken`, which names the process where the system tells, or `CannotListen`."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError) as error:
        raise CannotListen(f"{host!r} is no address of this machine: {error}") from error
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Only a port that nobody listens on, whatever connections of a previous daemon linger.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(512)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(f"port {port} on {host} is taken{_by(port)}") from error
        raise CannotListen(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listening


def _by(port: int) -> str:
    """by python (pid 12), as far as /proc says."""
    for inode in _inodes(port):
        for process in Path("/proc").glob("[0-9]*"):
            if _has(process, inode):
                name = (process / "comm").read_text(errors="replace").strip()
                return f" by {name} (pid {process.name})"
    return ""


def _inodes(port: int) -> list[int]:
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        found += [int(w[9]) for w in map(str.split, lines) if w[3] == _LISTEN and int(re.sub(".*:", "", w[1]), 16) == port]
    return found


def _has(process: Path, inode: int) -> bool:
    try:
        descriptors = os.listdir(process / "fd")
    except OSError:
        return False
    for name in descriptors:
        try:
            about = os.stat(process / "fd" / name)
        except OSError:
            continue
        if stat.S_ISSOCK(about.st_mode) and about.st_ino == inode:
            return True
    return False
