"""The user's own program: text on its standard input alone, in bounded time, asked once for each state of a thread."""

import os
import sys
from pathlib import Path

import pytest

from gitmaild.edges.summarizer import Summarizer, SummarizerFailed

_SHOW = "import sys; print(len(sys.argv), sys.stdin.read().count('a secret'))"


def program(place: Path, code: str, seconds: float = 20.0) -> Summarizer:
    return Summarizer((sys.executable, "-c", code), seconds, place / "summaries", os.environ)


def test_the_text_is_on_standard_input_and_never_an_argument(tmp_path: Path) -> None:
    assert program(tmp_path, _SHOW).ask("tip", "a secret") == "1 1\n"


def test_an_answer_is_kept_until_the_thread_goes_on(tmp_path: Path) -> None:
    code = f"import pathlib; p = pathlib.Path({str(tmp_path / 'count')!r}); n = p.exists() and p.read_text() or ''; p.write_text(n + 'x'); print(n + 'x')"
    said = [program(tmp_path, code).ask(tip, "text") for tip in ("one", "one", "two")]
    assert said == ["x\n", "x\n", "xx\n"]
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "summaries").iterdir()} == {0o600}


@pytest.mark.parametrize("code", ["", "print(' ')", "print('x'); raise SystemExit(3)"])
def test_a_program_that_fails_or_says_nothing_has_not_answered(tmp_path: Path, code: str) -> None:
    with pytest.raises(SummarizerFailed, match="ended with status"):
        program(tmp_path, code).ask("tip", "text")
    assert not (tmp_path / "summaries").exists()


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SummarizerFailed, match="No such file"):
        Summarizer(("no-such-program",), 5, tmp_path, os.environ).ask("tip", "text")


def test_a_program_that_takes_too_long_is_ended_with_what_it_started(tmp_path: Path) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    with pytest.raises(SummarizerFailed, match="took over"):
        program(tmp_path, code, 0.3).ask("tip", "text")


def test_a_program_that_does_not_read_still_answers(tmp_path: Path) -> None:
    assert program(tmp_path, "print('short')").ask("tip", "x" * 1_000_000) == "short\n"


def test_only_so_many_answers_are_kept(tmp_path: Path) -> None:
    (tmp_path / "summaries").mkdir()
    for number in range(505):
        (tmp_path / "summaries" / f"{number}.txt").write_text("x")
    program(tmp_path, "print('x')").ask("tip", "text")
    assert len(list((tmp_path / "summaries").iterdir())) == 500
