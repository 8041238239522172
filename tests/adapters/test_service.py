"""service install, remove, status: what a person sees. A recorder stands in for the service manager."""

from pathlib import Path

import pytest

from tests.adapters.runner import Terminal
from tests.edges.test_supervisor import START, Manager


@pytest.fixture
def manager(bare_terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manager:
    """A user whose home is the usual one, and whose systemctl records what it is told."""
    (tmp_path / "machine").mkdir()
    made = Manager(tmp_path / "machine")
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GITMAILD_HOME", str(made.home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return made


def test_install_starts_the_daemon_and_says_how_to_keep_it(bare_terminal: Terminal, manager: Manager) -> None:
    path = f"{manager.user}/.config/systemd/user/gitmaild.service"
    said = bare_terminal.ok("service", "install").out
    assert said == f"installed: {path}\nto keep it running after you log out: loginctl enable-linger\n"
    assert manager.told() == START
    assert bare_terminal.ok("service", "install").out.startswith(f"was installed already: {path}\n")
    assert bare_terminal.ok("service", "install", "--json").json == {"success": True, "path": path, "changed": False}


def test_printing_writes_nothing(bare_terminal: Terminal, manager: Manager) -> None:
    assert bare_terminal.ok("service", "install", "--print").out.startswith("# Made by gitmaild service install;")
    assert "PrivateUsers=yes" in bare_terminal.ok("service", "install", "--print", "--hardened").out
    assert bare_terminal.ok("service", "install", "--print", "--launchd").out.startswith("<?xml")
    assert (manager.files(), manager.told()) == ([], [])


def test_launchd_is_refused_where_it_is_not(bare_terminal: Terminal, manager: Manager) -> None:
    assert bare_terminal("service", "install", "--launchd").status == 64
    assert (manager.files(), manager.told()) == ([], [])


def test_hardened_names_the_worktrees_that_are_enrolled(bare_terminal: Terminal, manager: Manager) -> None:
    bare_terminal.ok("init")
    assert f"ReadWritePaths=-{bare_terminal.here}\n" in bare_terminal.ok("service", "install", "--print", "--hardened").out


def test_without_a_bus_the_command_to_run_is_printed(bare_terminal: Terminal, manager: Manager) -> None:
    manager.refuses("Failed to connect to bus: No medium found")
    refused = bare_terminal("service", "install")
    assert refused.status == 69
    assert "systemctl --user daemon-reload && systemctl --user enable --now gitmaild.service" in refused.err
    assert manager.files() == [".config/systemd/user/gitmaild.service"]


def test_a_foreign_unit_is_refused(bare_terminal: Terminal, manager: Manager) -> None:
    path = manager.user / ".config/systemd/user/gitmaild.service"
    path.parent.mkdir(parents=True)
    path.write_text("[Service]\nExecStart=/opt/other\n")
    for command in ("install", "remove"):
        refused = bare_terminal("service", command, "--json")
        assert (refused.status, refused.json["code"]) == (65, "foreign-service")


def test_remove_takes_it_away_again(bare_terminal: Terminal, manager: Manager) -> None:
    bare_terminal.ok("service", "install")
    assert bare_terminal.ok("service", "remove").out.startswith("removed: ")
    assert manager.files() == []
    assert bare_terminal.ok("service", "remove", "--json").json["changed"] is False


def test_status_is_1_where_it_does_not_run(bare_terminal: Terminal, manager: Manager) -> None:
    absent = bare_terminal("service", "status")
    assert (absent.status, "no: gitmaild service install" in absent.out) == (1, True)
    bare_terminal.ok("service", "install")
    manager.answers("ActiveState=active\nSubState=running\nActiveEnterTimestamp=Thu 2026-01-01 00:00:00 UTC\n")
    said = bare_terminal.ok("service", "status", "--json").json
    assert said == {
        "name": "gitmaild.service",
        "path": f"{manager.user}/.config/systemd/user/gitmaild.service",
        "installed": True,
        "active": True,
        "state": "active (running)",
        "since": "Thu 2026-01-01 00:00:00 UTC",
    }
    assert "Thu 2026-01-01 00:00:00 UTC" in bare_terminal.ok("service", "status").out
