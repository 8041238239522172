"""A terminal in a repository called *shop*, with a home that is chosen."""

from pathlib import Path

import pytest

from tests.adapters.runner import Terminal, repository


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GITMAILD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def bare_terminal(
    tmp_path: Path, home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Terminal:
    """In the repository *shop*, where nobody has said `gitmaild init` yet."""
    return Terminal(repository(tmp_path / "shop"), capfd, monkeypatch)


@pytest.fixture
def terminal(bare_terminal: Terminal) -> Terminal:
    """In the repository *shop*, after `gitmaild init`."""
    bare_terminal.ok("init")
    return bare_terminal


@pytest.fixture
def crew(terminal: Terminal) -> Terminal:
    """After GreenCastle, RedCat and BlueLake have joined."""
    terminal.join("GreenCastle", "RedCat", "BlueLake")
    return terminal
