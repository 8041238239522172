"""Service files, and what is said to the service manager. A script that records its calls stands in for systemctl."""

import os
import plistlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gitmaild.edges.supervisor import Launchd, NoManager, Systemd
from gitmaild.model.errors import Refused

UNIT = "gitmaild.service"
START = ["--user daemon-reload", f"--user enable --now {UNIT}"]

_RECORDER = """\
#!/bin/sh
echo "$*" >> "$CALLS/$(basename "$0")"
case "$*" in
*show*|*print*) cat "$CALLS/answer" 2>/dev/null ;;
*) [ ! -e "$CALLS/refuse" ] || { cat "$CALLS/refuse" >&2; exit 1; } ;;
esac
"""


class Manager:
    """The fake service managers: what they were told, and what they are to answer."""

    def __init__(self, top: Path) -> None:
        self.calls, self.user = top / "calls", top / "user"
        for path in (self.calls, self.user, top / "bin"):
            path.mkdir()
        for name in ("systemctl", "launchctl", "loginctl"):
            (top / "bin" / name).write_text(_RECORDER)
            (top / "bin" / name).chmod(0o755)
        self.environment = {
            "HOME": str(self.user),
            "PATH": f"{top / 'bin'}:{os.environ['PATH']}",
            "CALLS": str(self.calls),
        }
        self.home = self.user / ".gitmaild"

    def told(self, name: str = "systemctl") -> list[str]:
        """Its calls since the last look, without those that only ask."""
        path = self.calls / name
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [line for line in lines if " show " not in f" {line} " and " print " not in f" {line} "]

    def answers(self, text: str) -> None:
        (self.calls / "answer").write_text(text)

    def refuses(self, text: str) -> None:
        (self.calls / "refuse").write_text(text)

    def systemd(self, home: Path | None = None, **more: object) -> Systemd:
        return Systemd(home or self.home, self.environment, **more)  # type: ignore[arg-type]

    def launchd(self, home: Path | None = None) -> Launchd:
        return Launchd(home or self.home, self.environment)

    def files(self) -> list[str]:
        return sorted(path.relative_to(self.user).as_posix() for path in self.user.rglob("*") if path.is_file())


@pytest.fixture
def manager(tmp_path: Path) -> Manager:
    return Manager(tmp_path)


# --- the unit


def test_the_unit_starts_this_python_with_this_home(manager: Manager) -> None:
    lines = manager.systemd().text().splitlines()
    assert f"ExecStart={sys.executable} -P -m gitmaild --home {manager.home} serve" in lines
    for line in (
        "Type=notify",
        "NotifyAccess=main",
        "WatchdogSec=30",
        "Restart=on-failure",
        "TimeoutStopSec=30",
        "UMask=0077",
    ):
        assert line in lines
    assert "PrivateUsers=yes" not in lines


@pytest.mark.parametrize(
    ("home", "written"),
    [
        ("/srv/my mail", '"/srv/my mail"'),
        ("/srv/100%", '"/srv/100%%"'),
        ("/srv/$HOME", '"/srv/$$HOME"'),
        ('/srv/a"b\\c', '"/srv/a\\"b\\\\c"'),
        ("/srv/it's;x", '"/srv/it\'s;x"'),
    ],
)
def test_a_home_of_any_name_is_one_word_of_the_command(manager: Manager, home: str, written: str) -> None:
    assert f" --home {written} serve\n" in manager.systemd(Path(home)).text()


def test_a_home_cannot_add_lines_to_the_unit(manager: Manager) -> None:
    for make in (manager.systemd, manager.launchd):
        with pytest.raises(Refused):
            make(Path("/srv/x\nExecStartPre=/bin/sh"))


def test_each_home_has_a_unit_of_its_own(manager: Manager) -> None:
    homes = [manager.home, Path("/srv/mail"), Path("/" + "x" * 100 + "/a"), Path("/" + "x" * 100 + "/b")]
    names = [manager.systemd(home).name for home in homes]
    assert names[:2] == ["gitmaild.service", "gitmaild-srv-mail.service"]
    assert len(set(names)) == 4
    assert max(map(len, names)) <= 100


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("hardened", [False, True])
@pytest.mark.parametrize("home", ["/srv/mail", "/srv/my 100% $mail"])
def test_systemd_takes_the_unit(manager: Manager, tmp_path: Path, hardened: bool, home: str) -> None:
    made = manager.systemd(Path(home), hardened=hardened, writable=["/srv/work tree"])
    made.install()
    environment = {**manager.environment, "XDG_RUNTIME_DIR": str(tmp_path)}
    command = ["systemd-analyze", "verify", "--user", "--man=no", str(made.path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize(("hardened", "most"), [(False, 7.5), (True, 2.5)])
def test_the_unit_is_as_shut_as_it_can_be(manager: Manager, hardened: bool, most: float) -> None:
    made = manager.systemd(hardened=hardened)
    made.install()
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(made.path)]
    done = subprocess.run(command, env=manager.environment, capture_output=True, text=True, check=False)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) <= most


# --- install, remove, state


def test_installing_writes_the_unit_and_starts_it(manager: Manager) -> None:
    assert manager.systemd().install()
    assert manager.files() == [".config/systemd/user/gitmaild.service"]
    assert manager.told() == START


def test_installing_may_be_repeated(manager: Manager) -> None:
    manager.systemd().install()
    manager.told()
    assert not manager.systemd().install()
    assert manager.told() == START


def test_a_running_daemon_is_restarted_where_its_unit_changed(manager: Manager) -> None:
    manager.systemd().install()
    manager.told()
    manager.answers("ActiveState=active\nSubState=running\n")
    assert not manager.systemd().install()
    assert manager.told() == START
    assert manager.systemd(hardened=True).install()
    assert manager.told() == [*START, f"--user restart {UNIT}"]


def test_the_configuration_may_be_elsewhere(manager: Manager, tmp_path: Path) -> None:
    manager.environment["XDG_CONFIG_HOME"] = str(tmp_path / "xdg")
    assert manager.systemd().path == tmp_path / "xdg/systemd/user/gitmaild.service"
    manager.environment["XDG_CONFIG_HOME"] = "not/absolute"
    assert manager.systemd().path == manager.user / ".config/systemd/user/gitmaild.service"


def test_hardening_is_a_drop_in_that_comes_and_goes(manager: Manager) -> None:
    drop_in = ".config/systemd/user/gitmaild.service.d/hardening.conf"
    manager.systemd(hardened=True, writable=["/srv/shop", "/srv/a b"]).install()
    lines = (manager.user / drop_in).read_text().splitlines()
    for line in ("PrivateUsers=yes", "ProtectSystem=strict", "ReadWritePaths=-/srv/shop", 'ReadWritePaths="-/srv/a b"'):
        assert line in lines
    manager.systemd().install()
    assert manager.files() == [".config/systemd/user/gitmaild.service"]
    assert not (manager.user / drop_in).parent.exists()


def test_removing_deletes_what_was_installed_and_nothing_else(manager: Manager) -> None:
    made = manager.systemd(hardened=True)
    made.install()
    own = made.path.with_name(f"{UNIT}.d") / "mine.conf"
    own.write_text("[Service]\nNice=5\n")
    manager.told()
    assert manager.systemd().remove()
    assert manager.files() == [f".config/systemd/user/{UNIT}.d/mine.conf"]
    assert manager.told() == [f"--user disable --now {UNIT}", "--user daemon-reload"]
    assert not manager.systemd().remove()
    assert manager.told() == []


@pytest.mark.parametrize("act", [lambda made: made.install(), lambda made: made.remove()], ids=["install", "remove"])
def test_a_unit_of_somebody_else_is_refused(manager: Manager, act: Callable[[Systemd], bool]) -> None:
    made = manager.systemd()
    made.path.parent.mkdir(parents=True)
    made.path.write_text("[Service]\nExecStart=/opt/other\n")
    with pytest.raises(Refused, match="is not what gitmaild service install wrote"):
        act(made)
    assert made.path.read_text() == "[Service]\nExecStart=/opt/other\n"
    assert manager.told() == []


def test_a_unit_of_another_home_is_refused(manager: Manager) -> None:
    manager.systemd(Path("/srv/a/b")).install()
    assert manager.systemd(Path("/srv/a-b")).path == manager.systemd(Path("/srv/a/b")).path
    with pytest.raises(Refused):
        manager.systemd(Path("/srv/a-b")).remove()


def test_where_systemd_cannot_be_reached_the_unit_is_there_and_the_command_is_named(manager: Manager) -> None:
    manager.refuses("Failed to connect to bus: No medium found")
    with pytest.raises(NoManager) as caught:
        manager.systemd().install()
    assert manager.files() == [".config/systemd/user/gitmaild.service"]
    assert f"systemctl --user daemon-reload && systemctl --user enable --now {UNIT}" in str(caught.value)
    assert "Failed to connect to bus" in str(caught.value)
    with pytest.raises(NoManager, match=f"systemctl --user disable --now {UNIT}"):
        manager.systemd().remove()
    assert manager.files() == []


def test_where_there_is_no_systemd_it_is_the_same(manager: Manager) -> None:
    manager.environment["PATH"] = str(manager.calls)
    with pytest.raises(NoManager, match="is written; run: systemctl"):
        manager.systemd().install()
    assert not manager.systemd().state().active


def test_the_state_is_what_systemd_says(manager: Manager) -> None:
    state = manager.systemd().state()
    assert (state.installed, state.active, state.since) == (False, False, "")
    manager.systemd().install()
    manager.answers("ActiveState=active\nSubState=running\nActiveEnterTimestamp=Thu 2026-01-01 00:00:00 UTC\n")
    state = manager.systemd().state()
    assert (state.installed, state.active, state.state) == (True, True, "active (running)")
    assert state.since == "Thu 2026-01-01 00:00:00 UTC"
    manager.answers("ActiveState=failed\nSubState=failed\nActiveEnterTimestamp=Thu 2026-01-01 00:00:00 UTC\n")
    assert (manager.systemd().state().active, manager.systemd().state().since) == (False, "")


# --- launchd


def test_the_launch_agent_reads_back(manager: Manager) -> None:
    home = Path('/srv/a & <b> "c"')
    value = plistlib.loads(manager.launchd(home).text().encode())
    assert value["ProgramArguments"] == [sys.executable, "-P", "-m", "gitmaild", "--home", str(home), "serve"]
    assert (value["RunAtLoad"], value["KeepAlive"], value["Umask"]) == (True, {"SuccessfulExit": False}, 0o077)
    assert value["Label"] == "dev.gitmaild-srv-a-b-c"
    assert plistlib.loads(manager.launchd().text().encode())["Label"] == "dev.gitmaild"


def test_launchd_is_told_to_load_and_to_unload(manager: Manager) -> None:
    domain, made = f"gui/{os.getuid()}", manager.launchd()
    assert made.install()
    assert manager.files() == ["Library/LaunchAgents/dev.gitmaild.plist"]
    assert manager.told("launchctl") == [f"bootout {domain}/dev.gitmaild", f"bootstrap {domain} {made.path}"]
    manager.answers("\tstate = running\n")
    assert made.state().active
    assert not made.install()
    assert manager.told("launchctl") == []
    assert made.remove()
    assert manager.told("launchctl") == [f"bootout {domain}/dev.gitmaild"]
    assert manager.files() == []


def test_a_launch_agent_of_somebody_else_is_refused(manager: Manager) -> None:
    made = manager.launchd()
    made.path.parent.mkdir(parents=True)
    made.path.write_bytes(plistlib.dumps({"Label": "dev.gitmaild", "ProgramArguments": ["/opt/other"]}))
    for act in (made.install, made.remove):
        with pytest.raises(Refused):
            act()
    assert manager.told("launchctl") == []
