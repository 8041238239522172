"""No row of the fault matrix is forgotten."""

import re
from pathlib import Path

from tests.faults import NOT_SHOWN_HERE

ROWS = {*range(1, 63)}


def test_every_row_is_shown_here_or_says_where() -> None:
    here = Path(__file__).parent
    source = "".join(path.read_text() for path in here.glob("test_*.py"))
    shown = {int(number) for number in re.findall(r"^def test_f(\d\d)_", source, re.MULTILINE)}
    assert shown | NOT_SHOWN_HERE.keys() == ROWS
    assert shown & NOT_SHOWN_HERE.keys() == set()


def test_where_a_row_is_shown_elsewhere_that_file_is_there() -> None:
    root = Path(__file__).parents[2]
    named = [name for reason in NOT_SHOWN_HERE.values() for name in re.findall(r"tests/[\w/]+\.py", reason)]
    assert [name for name in named if not (root / name).exists()] == []
