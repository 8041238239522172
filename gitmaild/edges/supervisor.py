"""Who keeps the daemon running for a user: systemd's user manager, or launchd.

Each writes one file that starts `gitmaild serve`, and knows it again by a marker, so that `remove` deletes what `install`
wrote and nothing else.
"""

import os
import plistlib
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from gitmaild.edges import disk
from gitmaild.model import names
from gitmaild.model.errors import MailError, Refused, refuse

_MARKER = "Made by gitmaild service install; gitmaild service remove deletes it."

_PLIST_MARKER = f"<!-- {_MARKER} -->"

_UNIT = """\
{marker}
[Unit]
Description=gitmaild: mail for coding agents ({about})

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
WatchdogSec=30
Restart=on-failure
RestartSec=5
# Usage and refused settings do not mend themselves.
RestartPreventExitStatus=64 65
TimeoutStopSec=30
UMask=0077
NoNewPrivileges=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
SystemCallArchitectures=native
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes

[Install]
WantedBy=default.target
"""

# What needs a user namespace of its own, which not every system grants. /tmp stays as it is: worktrees are put there.
_HARDENING = """\
{marker}
[Service]
PrivateUsers=yes
ProtectSystem=strict
ReadWritePaths=-%h
{writable}PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RestrictNamespaces=yes
CapabilityBoundingSet=
MemoryDenyWriteExecute=yes
SystemCallFilter=~@privileged
"""


class NoManager(MailError):
    """The service manager cannot be reached, or did not do what it was asked."""

    code = "no-service-manager"


@dataclass(frozen=True, slots=True)
class State:
    """What the service manager says. `since` is a time in its words, '' where it does not run or does not say."""

    name: str
    path: str
    installed: bool
    active: bool
    state: str
    since: str = ""


class Supervisor(Protocol):
    """`install` and `remove` say whether anything changed; both may be repeated. They raise `Refused` for a file of that
    name that is somebody else's, `NoManager` where the files are as they should be and the manager did not follow."""

    path: Path

    def text(self) -> str: ...
    def install(self) -> bool: ...
    def remove(self) -> bool: ...
    def state(self) -> State: ...


class Systemd:
    """A unit of the user's own systemd."""

    def __init__(
        self, home: Path, environment: Mapping[str, str], *, hardened: bool = False, writable: Sequence[str] = ()
    ) -> None:
        self._home, self._environment = _printable(home), environment
        self._hardened, self._writable = hardened, [self._home, *(_printable(Path(place)) for place in writable)]
        given = environment.get("XDG_CONFIG_HOME", "")
        config = Path(given) if given.startswith("/") else _user(environment) / ".config"
        self.name = f"{_name(home, environment)}.service"
        self.path = config / "systemd" / "user" / self.name
        self._drop_in = self.path.with_name(f"{self.name}.d") / "hardening.conf"

    def text(self) -> str:
        return self._unit() + (f"\n# {self._drop_in}\n{self._hardening()}" if self._hardened else "")

    def install(self) -> bool:
        wanted = {self.path: self._unit()}
        if self._hardened:
            wanted[self._drop_in] = self._hardening()
        for path in (self.path, self._drop_in):
            _check_ours(path, self._marker())
        changed = [_write(path, text) for path, text in wanted.items()]
        if not self._hardened:
            changed.append(_delete(self._drop_in))
        start = f"systemctl --user enable --now {self.name}"
        self._systemctl("daemon-reload", told=f"{self.path} is written; run: systemctl --user daemon-reload && {start}")
        was_active = self.state().active
        self._systemctl("enable", "--now", self.name, told=f"{self.name} did not start; journalctl --user -u {self.name}")
        if any(changed) and was_active:
            self._systemctl("restart", self.name, told=f"{self.name} did not start; journalctl --user -u {self.name}")
        return any(changed)

    def remove(self) -> bool:
        if not self.path.exists() and not self._drop_in.exists():
            return False
        for path in (self.path, self._drop_in):
            _check_ours(path, self._marker())
        stop = f"systemctl --user disable --now {self.name}"
        stopped = _run(["systemctl", "--user", "disable", "--now", self.name], self._environment)
        for path in (self._drop_in, self.path):
            _delete(path)
        link = self.path.parent / "default.target.wants" / self.name
        if link.is_symlink() and not link.exists():
            link.unlink()
        if stopped.status:
            raise NoManager(f"{self.path} is removed; systemd said: {stopped.said()}; if the daemon still runs: {stop}")
        self._systemctl("daemon-reload", told=f"{self.path} is removed; run: systemctl --user daemon-reload")
        return True

    def state(self) -> State:
        asked = ("ActiveState", "SubState", "ActiveEnterTimestamp")
        done = _run(["systemctl", "--user", "show", self.name, *(f"--property={key}" for key in asked)], self._environment)
        said = dict(line.split("=", 1) for line in done.out.splitlines() if "=" in line)
        active = said.get("ActiveState") == "active"
        words = [word for key in asked[:2] if (word := said.get(key, ""))]
        return State(
            self.name,
            str(self.path),
            self.path.exists(),
            active,
            f"{words[0]} ({words[1]})" if len(words) == 2 else done.said() if done.status else "unknown",
            said.get("ActiveEnterTimestamp", "") if active else "",
        )

    def _unit(self) -> str:
        # -P: a directory called gitmaild where the daemon is started is not this program.
        program, *arguments = [sys.executable, "-P", "-m", "gitmaild", "--home", self._home, "serve"]
        command = " ".join([_quoted(program), *(_quoted(word).replace("$", "$$") for word in arguments)])
        return _UNIT.format(marker=self._marker(), about=self._home.replace("%", "%%"), command=command)

    def _hardening(self) -> str:
        lines = "".join(f"ReadWritePaths={_quoted('-' + place)}\n" for place in dict.fromkeys(self._writable))
        return _HARDENING.format(marker=self._marker(), writable=lines)

    def _marker(self) -> str:
        return f"# {_MARKER} Home: {self._home}."

    def _systemctl(self, *arguments: str, told: str) -> None:
        done = _run(["systemctl", "--user", *arguments], self._environment)
        if done.status:
            raise NoManager(f"{told} (systemd said: {done.said()})")


class Launchd:
    """A launch agent of macOS."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self._home, self._environment = _printable(home), environment
        self.name = f"dev.{_name(home, environment)}"
        self._library = _user(environment) / "Library"
        self.path = self._library / "LaunchAgents" / f"{self.name}.plist"
        self._domain = f"gui/{os.getuid()}"

    def text(self) -> str:
        value = {
            "Label": self.name,
            "ProgramArguments": [sys.executable, "-P", "-m", "gitmaild", "--home", self._home, "serve"],
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": 10,
            "ProcessType": "Background",
            "Umask": 0o077,
            "StandardErrorPath": str(self._library / "Logs" / f"{self.name}.log"),
        }
        return plistlib.dumps(value).decode().replace("<plist", f"{_PLIST_MARKER}\n<plist", 1)

    def install(self) -> bool:
        self._check_ours()
        changed = _write(self.path, self.text())
        if changed or not self.state().active:
            # One that is loaded keeps its old text; that there is none to unload is no failure.
            _run(["launchctl", "bootout", f"{self._domain}/{self.name}"], self._environment)
            start = ["launchctl", "bootstrap", self._domain, str(self.path)]
            done = _run(start, self._environment)
            if done.status:
                raise NoManager(f"{self.path} is written; run: {' '.join(start)} (launchd said: {done.said()})")
        return changed

    def remove(self) -> bool:
        if not self.path.exists():
            return False
        self._check_ours()
        _run(["launchctl", "bootout", f"{self._domain}/{self.name}"], self._environment)
        return _delete(self.path)

    def state(self) -> State:
        done = _run(["launchctl", "print", f"{self._domain}/{self.name}"], self._environment)
        found = re.search(r"^\s*state = (.+)$", done.out, re.MULTILINE)
        word = found[1] if found and not done.status else "not loaded"
        return State(self.name, str(self.path), self.path.exists(), word == "running", word)

    def _check_ours(self) -> None:
        _check_ours(self.path, _PLIST_MARKER)
        if self.path.exists() and self._home not in plistlib.loads(self.path.read_bytes()).get("ProgramArguments", ()):
            raise _foreign(self.path)


@dataclass(frozen=True, slots=True)
class _Done:
    status: int
    out: str
    errors: str

    def said(self) -> str:
        return " ".join((self.errors or self.out).split()) or f"status {self.status}"


def _run(command: list[str], environment: Mapping[str, str]) -> _Done:
    try:
        done = subprocess.run(
            command,
            env={**environment, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=120,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return _Done(127, "", str(error))
    return _Done(done.returncode, done.stdout, done.stderr)


def _quoted(word: str) -> str:
    """A word of a unit file. `$` is doubled by who calls, since systemd leaves it alone in a program's path."""
    if re.fullmatch(r"[\w./:@+=-]+", word, re.ASCII):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'


def _printable(path: Path) -> str:
    if not str(path).isprintable():
        raise refuse("bad-path", f"{str(path)!r} cannot stand in a service file", "move it to a path of plain characters")
    return str(path)


def _user(environment: Mapping[str, str]) -> Path:
    return Path(environment["HOME"]) if environment.get("HOME") else Path.home()


def _name(home: Path, environment: Mapping[str, str]) -> str:
    """One name a home: `gitmaild` for the usual one."""
    if home == _user(environment) / ".gitmaild":
        return "gitmaild"
    slug = names.slug(str(home))
    return f"gitmaild-{slug}" if len(slug) < 63 else f"gitmaild-{slug[:54]}-{sha256(str(home).encode()).hexdigest()[:8]}"


def _check_ours(path: Path, marker: str) -> None:
    try:
        lines = path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return
    if marker not in lines:
        raise _foreign(path)


def _foreign(path: Path) -> Refused:
    return refuse(
        "foreign-service",
        f"{path} is not what gitmaild service install wrote for this home",
        "look at it, and move it away if it is not needed",
    )


def _write(path: Path, text: str) -> bool:
    """True where the file did not hold this text yet."""
    if path.exists() and path.read_text(errors="replace") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    disk.replace(path, text.encode(), mode=0o644)
    return True


def _delete(path: Path) -> bool:
    """True where there was one; an empty directory of drop-ins goes with it."""
    if not path.exists():
        return False
    path.unlink()
    if path.parent.name.endswith(".service.d") and not any(path.parent.iterdir()):
        path.parent.rmdir()
    return True
