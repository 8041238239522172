"""Whether two patterns have a path in common, and which."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitmaild.model import overlap as module
from gitmaild.model.overlap import overlap, overlaps
from gitmaild.model.pattern import Pattern
from tests.model import pathworld


def between(one: str, other: str, *, fold: bool = False) -> str | None:
    """The witness, after everything that must be true of one."""
    a, b = (Pattern.parse(text, broad=True) for text in (one, other))
    found = overlap(a, b, fold=fold)
    check(a, b, found, fold=fold)
    return found


def check(one: Pattern, other: Pattern, found: str | None, *, fold: bool = False) -> None:
    assert overlaps(one, other, fold=fold) == overlaps(other, one, fold=fold) == (found is not None)
    assert (overlap(other, one, fold=fold) is None) == (found is None)
    if found is not None:
        assert one.matches(found, fold=fold) and other.matches(found, fold=fold), found
        assert not {"", ".", ".."} & set(found.split("/")), found
        assert not any(char < " " or "\x7f" <= char <= "\x9f" or "\ud800" <= char <= "\udfff" for char in found)


@pytest.mark.parametrize(
    ("one", "other", "witness"),
    [
        ("src/api", "src/api", "src/api"),
        ("src/api/**", "src/api/routes.py", "src/api/routes.py"),
        ("src/**/*.py", "**/test_*", "src/test_.py"),
        ("*.py", "docs/*", "docs/a.py"),
        ("src", "src/a/b/c", "src/a/b/c"),
        ("{src,lib}/*.py", "lib/{a,b}.*", "lib/a.py"),
        ("a/[a-m]x", "a/[m-z]?", "a/mx"),
        ("a/[!a]", "a/[!b]", "a/c"),
        ("a/*b*", "a/b", "a/b"),
        (":(literal)a/[x]", "a/?x?", "a/[x]"),
        ("a/[.-0]", "a/[.-0]", "a/0"),
    ],
)
def test_these_have_a_path_in_common(one: str, other: str, witness: str) -> None:
    assert between(one, other) == witness


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("README.md", "LICENSE"),
        ("**/*.py", "docs/*.md"),
        ("src/api/**", "src/api2/**"),
        ("src/*.py", "src/*/a.py"),
        ("src/api/**", ":(literal)src/ap"),
        ("a/[a-m]", "a/[n-z]"),
        ("a/[!a]", "a/[a]"),
        ("a/?", "a/??"),
        ("a/x*y", "a/x"),
        ("a/*ab", "a/*ba"),
        ("a/[a-z]*", "a/A*"),
        ("a/**/b", "a/c/*.d"),
    ],
)
def test_these_have_none(one: str, other: str) -> None:
    assert between(one, other) is None


def test_a_plain_path_may_be_a_directory_and_then_has_what_is_below_it() -> None:
    assert between("a/**/b", "a/b/c") == "a/b/c/b"
    assert overlap(Pattern.parse("a/**/b"), Pattern.parse("a/b/c").as_file()) is None
    assert overlap(Pattern.parse("a/b/*"), Pattern.parse("a/b/c").as_file()) == "a/b/c"


@pytest.mark.parametrize("one", ["a/?", "a/.*", "a/*.", "a/??", "a/[!b]", "a/*?*", "a/?*", "a/*", "a/**"])
@pytest.mark.parametrize("other", ["a/[.]", "a/*.", "a/[.][.]", "a/.*", "a/.?", "a/?.", "a/[.]*[.]", "a/[.a]", "a/[!a]."])
def test_a_name_is_never_made_of_one_or_two_dots(one: str, other: str) -> None:
    a, b = Pattern.parse(one), Pattern.parse(other)
    found = between(one, other)
    names = ["/".join(("a", "".join(name))) for size in (1, 2, 3, 4) for name in itertools.product(".ac", repeat=size)]
    common = [name for name in names if name not in ("a/.", "a/..") and a.matches(name) and b.matches(name)]
    assert (found is not None) == bool(common)


@pytest.mark.parametrize("one", ["[.]", "[.][.]"])
def test_a_pattern_of_nothing_but_dots_has_no_path(one: str) -> None:
    for other in ("**", one, "*", "??", "?"):
        assert between(f"a/{one}", other) is None
        assert between(f"a/{one}/b", other) is None


# --- case


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SRC/a", "src/A"),
        ("a/[A-M]", "a/[m-z]"),
        ("a/[\x5b-×]", "a/[!\x5b-¿×]"),
        ("a/[ā-ă]", "a/[!a-zĀ-ā]"),
        ("a/ß*", "a/?"),
        ("a/[ς]", "a/Σ"),
        ("a/[İ]", "a/İ"),
        ("A/{B,C}", "a/c/d"),
    ],
)
def test_without_regard_to_case_these_have_a_path_in_common(one: str, other: str) -> None:
    assert between(one, other, fold=True) is not None


@pytest.mark.parametrize(("one", "other"), [("a/[A-M]", "a/[n-z]"), ("a/[!A]", "a/a"), ("a/ß", "a/ss")])
def test_without_regard_to_case_these_have_none(one: str, other: str) -> None:
    assert between(one, other, fold=True) is None


# --- against brute force


@settings(max_examples=120)
@given(pathworld.patterns, pathworld.patterns, st.booleans())
def test_a_path_in_common_is_found_exactly_where_there_is_one(one: Pattern, other: Pattern, fold: bool) -> None:
    found = overlap(one, other, fold=fold)
    check(one, other, found, fold=fold)
    common = [path for path in pathworld.PATHS if one.matches(path, fold=fold) and other.matches(path, fold=fold)]
    if found is None:
        assert not common
    elif common:
        assert found.count("/") <= min(path.count("/") for path in common)


_class = st.builds(
    lambda mark, ends: f"[{mark}{''.join(f'{min(pair)}-{max(pair)}' for pair in ends)}]",
    st.sampled_from(["", "!"]),
    st.lists(st.lists(st.sampled_from("akKzÀÖ×àöĀāĂăĆΑΣσςАя\uffff"), min_size=2, max_size=2), min_size=1, max_size=3),
)
WIDE = [chr(number) for number in range(0x20, 0x530) if chr(number) != "/" and not 0x7F <= number <= 0x9F]


@settings(max_examples=150)
@given(_class, _class, st.booleans())
def test_two_classes_meet_exactly_where_a_character_is_in_both(one: str, other: str, fold: bool) -> None:
    a, b = Pattern.parse(f"a/x{one}"), Pattern.parse(f"a/x{other}")
    found = overlap(a, b, fold=fold)
    check(a, b, found, fold=fold)
    if found is None:
        assert not [char for char in WIDE if a.matches(f"a/x{char}", fold=fold) and b.matches(f"a/x{char}", fold=fold)]


# --- bounded cost

HEAVY = {
    "stars": ("a/" + "*a" * 125 + "*", "a/" + "*b" * 125 + "*"),
    "deep stars": ("**/x?/" * 15 + "a", "**/?y/" * 15 + "b"),
    "braces": ("{a,b}" * 6 + "/*x", "{b,c}" * 6 + "/*y"),
    "braces and deep stars": ("{a,b}" * 5 + "/**/?" * 5, "?" * 5 + "/**/a" * 4 + "{a,b}" * 5),
    "braces and stars": ("{a,b}" * 6 + "*x" * 4 + "/c", "{a,b}" * 6 + "*y" * 4 + "/d"),
    "classes": ("a/" + "[a-m]*" * 40 + "b", "a/" + "[k-z]*" * 40 + "c"),
    "braces and classes": ("{a,b}" * 4 + "[a-m]*" * 8 + "/c", "{a,b}" * 4 + "[!k-z]*" * 7 + "/d"),
}


@pytest.mark.parametrize("name", HEAVY)
def test_the_worst_pairs_take_a_bounded_number_of_steps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0

    def counted(call: object) -> object:
        def wrapper(*arguments: object) -> object:
            nonlocal steps
            steps += 1
            return call(*arguments)  # type: ignore[operator]

        return wrapper

    module._share.cache_clear()
    for each in ("_meet", "_shared", "_spread"):
        monkeypatch.setattr(module, each, counted(getattr(module, each)))
    one, other = (Pattern.parse(text, broad=True) for text in HEAVY[name])
    overlap(one, other)
    assert steps < 1_000_000
