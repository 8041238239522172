"""What every test stands on: an empty environment, a home that traps mistakes, a post office."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.post import Post

settings.register_profile("ci", deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
settings.register_profile("soak", deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the user's home, identity or git configuration; a home that nobody chose is a file."""
    trap = tmp_path / "you-forgot-to-choose-a-home"
    trap.write_text("tests choose their home themselves\n")
    for name in list(os.environ):
        if name.startswith(("GIT_", "GITMAILD_", "AGENT_", "HTTP_", "STORAGE_", "NOTIFY_", "WATCHDOG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(trap))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Test")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "test@example.invalid")
    monkeypatch.setenv("GIT_COMMITTER_NAME", "Test")
    monkeypatch.setenv("GIT_COMMITTER_EMAIL", "test@example.invalid")


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    office = Post(tmp_path)
    yield office
    office.stop()
