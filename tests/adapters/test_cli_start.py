"""How the command line starts and ends: what it imports, its help, its exit statuses."""

import gc
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from gitmaild import __version__
from gitmaild.adapters.cli import cli
from tests.adapters.runner import Terminal

# What costs more to import than listing an inbox costs, or has no business in a command that reads files.
_HEAVY = {
    *("pygit2", "git", "yaml", "watchdog", "rich", "asyncio", "sqlite3", "multiprocessing", "http", "email"),
    *("concurrent.futures", "difflib", "hashlib", "logging", "secrets", "socket", "ssl", "tempfile", "traceback"),
    *("gitmaild.app.ports", "gitmaild.app.daemon", "gitmaild.rules.parse", "gitmaild.rules.plan", "gitmaild.edges.repo"),
}


def commands(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below `group`, with the words that lead to it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)


ALL = dict(commands(cli))


# --- help


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_has_help_with_an_example(bare_terminal: Terminal, words: tuple[str, ...]) -> None:
    said = bare_terminal.ok(*words, "--help").out
    assert bare_terminal.ok(*words, "-h").out == said
    examples = said.split("Example")[1].split("Options:")[0]
    assert f"gitmaild {' '.join(words)}" in examples


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_command_takes_identity_and_json_behind_its_name(bare_terminal: Terminal, words: tuple[str, ...]) -> None:
    if not isinstance(ALL[words], click.Group):
        said = bare_terminal.ok(*words, "--help").out
        assert "--as NAME" in said
        assert "--json" in said


def test_the_overview_lists_every_command_and_every_status(bare_terminal: Terminal) -> None:
    said = bare_terminal.ok("--help").out
    for words in ALL:
        assert f"\n  {words[0]} " in said
    for status in (
        "0 done",
        "1 the answer is no",
        "3 queued",
        "64 usage",
        "65 refused",
        "69 a door",
        "70 a bug",
        "75 nothing",
    ):
        assert status in " ".join(said.split())
    assert max(map(len, said.splitlines())) <= 100


def test_the_version(bare_terminal: Terminal) -> None:
    assert bare_terminal.ok("--version").out == f"gitmaild, version {__version__}\n"


# --- ends


def test_a_wrong_word_is_a_usage_error_with_a_guess(bare_terminal: Terminal) -> None:
    refused = bare_terminal("inbxo")
    assert (refused.status, refused.out) == (64, "")
    assert refused.err.startswith("Usage: gitmaild [OPTIONS]")
    assert "no command 'inbxo'; did you mean inbox?" in refused.err
    assert bare_terminal().status == 64
    assert bare_terminal("--no-such-option").status == 64


def test_nothing_set_up_is_refused_with_the_way_out(bare_terminal: Terminal) -> None:
    refused = bare_terminal("--as", "RedCat", "inbox")
    assert (refused.status, "run gitmaild init there" in refused.err) == (65, True)


def test_a_home_without_a_mailbox_is_a_door_that_does_not_open(terminal: Terminal, home: Path) -> None:
    (home / "mailbox.git").rename(home / "elsewhere.git")
    refused = terminal("agents")
    assert (refused.status, "run gitmaild init" in refused.err) == (69, True)


def test_a_bug_is_status_70_with_its_traceback(crew: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **more: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr("gitmaild.app.reading.inbox", broken)
    said = crew("--as", "RedCat", "inbox")
    assert said.status == 70
    assert "RuntimeError: planted" in said.err
    assert "this is a bug in gitmaild" in said.err


def test_a_full_disk_is_status_75(crew: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **more: object) -> None:
        raise OSError(28, "No space left on device", "outbox")

    monkeypatch.setattr("gitmaild.edges.deskroot.DeskRoot.put", full)
    said = crew("--as", "GreenCastle", "send", "--to", "RedCat", "-s", "x", stdin="")
    assert said.status == 75
    assert "No space left on device: outbox; nothing was left behind, try again" in said.err


def test_an_interrupt_is_status_130(crew: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gitmaild.app.reading.inbox", interrupted)
    assert crew("--as", "RedCat", "inbox").status == 130


def test_no_command_leaves_descriptors_open(crew: Terminal) -> None:
    mail = crew.mail("GreenCastle", "--to", "RedCat", "--subject", "x")
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for command in (("inbox",), ("show", mail), ("read", mail), ("wait", "--timeout", "0"), ("agents",), ("status",)):
        crew("--as", "RedCat", *command)
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before


# --- starts


def python(code: str, *args: str, here: Path, warm: Path) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter, which finds its modules compiled as an installed one does."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(warm)
    command = [sys.executable, "-c", code, *args]
    return subprocess.run(command, cwd=here, env=environment, check=True, capture_output=True, text=True, timeout=60)


def imported(*args: str, here: Path, warm: Path) -> set[str]:
    code = """
import sys
from gitmaild.adapters.cli import main
sys.argv[0] = "gitmaild"
try:
    main()
except SystemExit:
    print(*sys.modules, file=sys.stderr)
"""
    return set(python(code, *args, here=here, warm=warm).stderr.split())


@pytest.mark.slow
def test_listing_mail_imports_nothing_heavy(crew: Terminal, home: Path, tmp_path: Path) -> None:
    crew.mail("GreenCastle", "--to", "RedCat", "--subject", "[br-123] Start: 'x'")
    found = imported("--as", "RedCat", "inbox", "--json", here=crew.here, warm=tmp_path / "pyc")
    assert "gitmaild.app.reading" in found
    # The home is named by the environment, the agent by an option: git is not asked either.
    assert found & {*_HEAVY, "subprocess"} == set()


@pytest.mark.slow
def test_help_imports_no_command(terminal: Terminal, tmp_path: Path) -> None:
    found = imported("--help", here=terminal.here, warm=tmp_path / "pyc")
    assert {name for name in found if name.startswith(("gitmaild.app", "gitmaild.edges"))} == set()


@pytest.mark.slow
def test_listing_mail_takes_a_tenth_of_a_second(crew: Terminal, tmp_path: Path) -> None:
    """Row 95, with the daemon stopped. Processor time, and once in twenty: other work on the machine is not ours."""
    for number in range(3):
        crew.mail("GreenCastle", "--to", "RedCat", "--subject", f"n{number}")

    def cost() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        code = "from gitmaild.adapters.cli import main; main()"
        assert "n2" in python(code, "--as", "RedCat", "inbox", here=crew.here, warm=tmp_path / "pyc").stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert any(cost() <= 0.1 for _ in range(20))
