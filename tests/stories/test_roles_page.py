"""docs/ROLES.md: what it shows is what happens."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.adapters.conftest import bare_terminal, crew, home, terminal
from tests.adapters.runner import Terminal

__all__ = ["bare_terminal", "crew", "home", "terminal"]

PAGE = (Path(__file__).parents[2] / "docs" / "ROLES.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def commands() -> list[tuple[str, str]]:
    """(command, what the page shows below it) of every transcript, in order."""
    found: list[tuple[str, str]] = []
    for block in blocks("console"):
        parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)
        assert parts[0] == ""
        found += zip(parts[1::2], parts[2::2], strict=True)
    return found


def looks_like(shown: str, said: str) -> bool:
    """`[..]` is anything within a line, and on a line of its own any lines."""
    pattern = re.escape(shown).replace(re.escape("[..]"), "[^\n]*")
    return re.fullmatch(re.sub(r"(?m)^\[\^\n\]\*\\\n", "(?:[^\n]*\n)*", pattern), said) is not None


def run(terminal: Terminal, command: str) -> str:
    """What a person would see; `gitmaild` runs in this process, what is piped into it does not."""
    before, _, ours = command.rpartition(" | ") if " | gitmaild " in command else ("", "", command)
    if not ours.startswith("gitmaild "):
        return subprocess.run(["sh", "-c", command], cwd=terminal.here, check=True, capture_output=True, text=True).stdout
    data = subprocess.run(["sh", "-c", before], check=True, capture_output=True, text=True).stdout if before else None
    words = subprocess.run(
        ["sh", "-c", f"set -f; printf '%s\\0' {ours.removeprefix('gitmaild ')}"], check=True, capture_output=True, text=True
    )
    result = terminal(*words.stdout.split("\0")[:-1], stdin=data)
    return result.out + result.err


def test_every_transcript_of_the_page_is_what_happens(crew: Terminal) -> None:
    shown = commands()
    assert len(shown) > 30
    for command, expected in shown:
        said = run(crew, command)
        assert looks_like(expected, said), f"$ {command}\nshown:\n{expected}\nsaid:\n{said}"


def test_the_preset_of_the_page_can_be_applied(crew: Terminal) -> None:
    (text,) = blocks("yaml")
    (crew.here / "mine.yaml").write_text(text)
    assert crew.ok("preset", "apply", "mine.yaml").out.endswith("my-town: 4 of 4 made or changed\n")


@pytest.mark.slow
def test_the_loop_of_the_page_goes_on_until_it_is_done_and_until_it_is_stopped(crew: Terminal) -> None:
    (script,) = blocks("sh")
    (crew.here / "loop.sh").write_text(script)
    place = crew.here / "bin"
    place.mkdir()
    (place / "gitmaild").write_text(f'#!/bin/sh\nexec {sys.executable} -m gitmaild "$@"\n')
    (place / "gitmaild").chmod(0o755)
    (crew.here / "work.sh").write_text(
        "round=$(grep -c round done.txt); grep '^- round' last.md | tail -n 1 >> seen.txt\n"
        "echo round >> done.txt; gitmaild reserve src/a --reason loop\n"
        'if [ "$round" -ge "$1" ]; then exec gitmaild handoff --completed "round $round" --done; fi\n'
        'exec gitmaild handoff --completed "round $round"\n'
    )
    (crew.here / "done.txt").write_text("")
    environment = os.environ | {"PATH": f"{place}{os.pathsep}{os.environ['PATH']}"}

    def loop(rounds: str) -> str:
        command = ["sh", "loop.sh", "RedCat", "sh", "work.sh", rounds]
        done = subprocess.run(
            command, cwd=crew.here, env=environment, check=True, capture_output=True, text=True, timeout=60
        )
        return done.stdout.splitlines()[-1]

    assert loop("1") == "done"
    assert (crew.here / "seen.txt").read_text() == "- round 0\n"
    assert crew.ok("--as", "RedCat", "leases", "--mine", "--json").json == []
    crew.mail("Overseer", "--to", "RedCat", "--subject", "[STOP] thank you")
    assert loop("99") == "stopped"
    assert (crew.here / "seen.txt").read_text() == "- round 0\n- round 1\n"
