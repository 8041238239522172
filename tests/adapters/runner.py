"""A terminal for tests: runs `gitmaild` in this process, and sees what a person would see."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gitmaild.adapters.cli import main


@dataclass(frozen=True)
class Result:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Keyboard(io.TextIOWrapper):
    """A terminal at which nobody types."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(b""))

    def isatty(self) -> bool:
        return True


class Terminal:
    """`terminal("inbox", "--json")` in `terminal.here`. A daemon that does not answer is waited for `patience` seconds."""

    def __init__(self, here: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.here, self._capfd, self._monkeypatch = here, capfd, monkeypatch

    def __call__(
        self, *args: str, stdin: str | bytes | None = None, here: Path | None = None, patience: float = 0.05
    ) -> Result:
        data = stdin.encode() if isinstance(stdin, str) else stdin
        keyboard = Keyboard() if data is None else io.TextIOWrapper(io.BytesIO(data))
        self._capfd.readouterr()
        with self._monkeypatch.context() as patch:
            patch.chdir(here or self.here)
            patch.setattr(sys, "argv", ["gitmaild", *args])
            patch.setattr(sys, "stdin", keyboard)
            with pytest.raises(SystemExit) as left:
                main(patience=patience)
        said = self._capfd.readouterr()
        return Result(left.value.code if isinstance(left.value.code, int) else 0, said.out, said.err)

    def ok(self, *args: str, **more: Any) -> Result:
        result = self(*args, **more)
        assert result.status == 0, result
        return result

    def join(self, *names: str, here: Path | None = None) -> None:
        for name in names:
            self.ok("register", name, "--program", "Claude Code", "--model", "Opus 4.5", here=here)

    def mail(self, sender: str, *args: str, body: str = "hello\n") -> str:
        """Send a message; its id."""
        return str(self.ok("--json", "--as", sender, "send", *args, stdin=body).json["id"])


def git(here: Path, *args: str) -> str:
    return subprocess.run(["git", *args], cwd=here, check=True, capture_output=True, text=True).stdout


def repository(path: Path, *, commit: bool = True) -> Path:
    """A git repository, with a commit unless told otherwise."""
    path.mkdir(parents=True)
    git(path, "init", "-q", "-b", "main")
    if commit:
        git(path, "commit", "-q", "--allow-empty", "-m", "begin")
    return path


def process(
    *args: str, here: Path, stdin: bytes = b"", environment: Mapping[str, str] | None = None, timeout: float = 30
) -> subprocess.CompletedProcess[str]:
    """`gitmaild` as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "gitmaild", *args],
        cwd=here,
        env={**os.environ, **(environment or {})},
        input=stdin,
        capture_output=True,
        check=False,
        timeout=timeout,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
