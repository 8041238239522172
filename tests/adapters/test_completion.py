"""completion."""

import shutil
import subprocess

import pytest

from tests.adapters.runner import Terminal


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_is_one_that_it_takes(bare_terminal: Terminal, shell: str) -> None:
    script = bare_terminal.ok("completion", shell).out
    assert "_GITMAILD_COMPLETE" in script
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    checked = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_other_shells_are_a_usage_error(bare_terminal: Terminal) -> None:
    assert bare_terminal("completion", "csh").status == 64


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("gitmaild se", ["serve", "service", "send", "search"]),
        ("gitmaild service ", ["install", "remove", "status"]),
        ("gitmaild send --importance ", ["low", "normal", "high", "urgent"]),
        ("gitmaild inbox --ur", ["--urgent"]),
        ("gitmaild inbox --js", ["--json"]),
    ],
)
def test_completing_offers_what_may_stand_there(
    bare_terminal: Terminal, monkeypatch: pytest.MonkeyPatch, words: str, offered: list[str]
) -> None:
    monkeypatch.setenv("_GITMAILD_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    assert [line.split(",")[1] for line in bare_terminal.ok().out.splitlines()] == offered
