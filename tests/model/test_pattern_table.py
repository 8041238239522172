"""Many patterns at once say what each says alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitmaild.model.overlap import overlaps
from gitmaild.model.pattern import Pattern
from gitmaild.model.pattern_table import PatternTable
from tests.model import pathworld


def table_of(*texts: str) -> PatternTable:
    table = PatternTable()
    for text in texts:
        table.add(Pattern.parse(text, broad=True), text)
    return table


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("src/api/a.py", ["**", "*.py", "src", "src/api/*.py"]),
        ("src/a.py", ["**", "*.py", "src"]),
        ("lib/a", ["**", "{lib,app}"]),
        ("x", ["**"]),
    ],
)
def test_a_path_is_of_all_that_mean_it(path: str, values: list[str]) -> None:
    table = table_of("**", "*.py", "src", "src/api/*.py", "{lib,app}", "docs/a.md")
    assert sorted(table.matching(path)) == values


def test_an_entry_is_said_once_however_many_of_its_braces_mean_the_path() -> None:
    table = table_of("{a,a/b,a/*,**/b}")
    assert table.matching("a/b") == table.overlapping(Pattern.parse("a/b")) == ["{a,a/b,a/*,**/b}"]


def test_the_same_pattern_may_be_there_twice_and_goes_once_at_a_time() -> None:
    table, pattern = PatternTable(), Pattern.parse("src")
    for value in (1, 2, 2):
        table.add(pattern, value)
    assert sorted(table.matching("src")) == [1, 2, 2]
    table.remove(Pattern.parse("./src"), 2)
    assert sorted(table.matching("src/a")) == [1, 2]
    table.remove(pattern, 1)
    table.remove(pattern, 2)
    assert table.matching("src") == []
    with pytest.raises(KeyError):
        table.remove(pattern, 2)


def test_what_was_removed_leaves_nothing_behind() -> None:
    table = table_of("a/b/{c,d}/*", "a/b")
    assert table.matching("A/B", fold=True)
    table.remove(Pattern.parse("a/b/{c,d}/*"), "a/b/{c,d}/*")
    assert list(table._top.kids["a"].kids["b"].kids) == []
    table.remove(Pattern.parse("a/b"), "a/b")
    assert not table._top.kids and table._folded is not None and not table._folded.kids


_steps = st.lists(st.tuples(pathworld.patterns, st.integers(0, 2), st.integers(0, 3)), max_size=12)


@settings(max_examples=40)
@given(_steps, pathworld.patterns, st.booleans())
def test_a_table_says_what_a_loop_would_say(steps: list[tuple[Pattern, int, int]], asked: Pattern, fold: bool) -> None:
    table, held = PatternTable(), list[tuple[Pattern, int]]()
    for pattern, value, chance in steps:
        if chance == 0 and held:
            table.remove(*held.pop(value % len(held)))
        else:
            table.add(pattern, value)
            held.append((pattern, value))
        path = pathworld.PATHS[len(pattern.text) * 37 % len(pathworld.PATHS)]
        said = sorted(table.matching(path.upper() if fold else path, fold=fold))
        assert said == sorted(value for each, value in held if each.matches(path, fold=fold))
    for path in pathworld.FEW[::9]:
        assert sorted(table.matching(path, fold=fold)) == sorted(v for each, v in held if each.matches(path, fold=fold))
    said = sorted(table.overlapping(asked, fold=fold))
    assert said == sorted(value for each, value in held if overlaps(each, asked, fold=fold))
