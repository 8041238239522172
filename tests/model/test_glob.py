"""What a lease pattern may be made of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmaild.model.glob import MOST_ALTERNATIVES, MOST_CHARACTERS, BadPattern
from gitmaild.model.pattern import Pattern


def refusal_of(text: str, *, literal: bool = False) -> BadPattern:
    with pytest.raises(BadPattern) as caught:
        Pattern.parse(text, literal=literal, broad=True)
    return caught.value


@pytest.mark.parametrize(
    ("text", "code", "reason", "mend"),
    [
        ("", "bad-pattern", "empty pattern", "src/api/**"),
        ("!src/a", "negated-pattern", "not on all but some", ":(literal)!src/a"),
        ("/src/a", "bad-pattern", "absolute", "worktree: src/a"),
        ("//src/a", "bad-pattern", "absolute", "worktree: src/a"),
        ("/", "bad-pattern", "absolute", "worktree: src"),
        (".", "too-broad", "whole worktree", "--broad"),
        ("./", "too-broad", "whole worktree", "--broad"),
        ("..", "too-broad", "whole worktree", "--broad"),
        ("../a", "bad-pattern", "segment '..'", "from the top"),
        ("a/../b", "bad-pattern", "segment '..'", "from the top"),
        ("a/./b", "bad-pattern", "segment '.'", "from the top"),
        ("a/..", "bad-pattern", "segment '..'", "from the top"),
        ("*/../b", "bad-pattern", "segment '..'", "from the top"),
        ("\\.\\./a", "bad-pattern", "\\. says nothing", "write /"),
        (".{.,a}/b", "bad-pattern", "segment '..'", "from the top"),
        ("a//b", "bad-pattern", "empty segment", "single slashes"),
        ("a//*", "bad-pattern", "empty segment", "single slashes"),
        ("*//", "bad-pattern", "empty segment", "single slashes"),
        ("{,a}/b", "bad-pattern", "empty segment", "single slashes"),
        ("a{/,b}/c", "bad-pattern", "empty segment", "single slashes"),
        ("{}", "bad-pattern", "empty segment", "single slashes"),
        (":(literal)", "bad-pattern", "empty segment", "single slashes"),
        (":(literal)/a", "bad-pattern", "empty segment", "single slashes"),
        (":(literal)a/../b", "bad-pattern", "segment '..'", "from the top"),
        (":(glob)a", "bad-pattern", "only :(literal)", ":(literal)"),
        (" a", "bad-pattern", "space", ":(literal)"),
        ("a ", "bad-pattern", "space", ":(literal)"),
        ("C:\\src\\a", "bad-pattern", "drive", "from the top"),
        ("c:/src/a", "bad-pattern", "drive", "from the top"),
        ("c:", "bad-pattern", "drive", "from the top"),
        ("src\\api", "bad-pattern", "\\a says nothing", "write /"),
        ("src\\.env", "bad-pattern", "\\. says nothing", "write /"),
        ("src\\_a", "bad-pattern", "\\_ says nothing", "write /"),
        ("src\\/a", "bad-pattern", "\\/ says nothing", "write /"),
        ("*\\/a", "bad-pattern", "\\/ says nothing", "write /"),
        ("[\\d].c", "bad-pattern", "\\d says nothing", "write /"),
        ("src\\", "bad-pattern", "lone backslash", "write /"),
        ("src/[abc", "bad-pattern", "[ stands alone", "\\["),
        ("src/[", "bad-pattern", "[ stands alone", "\\["),
        ("src/[!", "bad-pattern", "[ stands alone", "\\["),
        ("src/[]", "bad-pattern", "[ stands alone", "\\["),
        ("src/[!]", "bad-pattern", "[ stands alone", "\\["),
        ("src/[a-", "bad-pattern", "[ stands alone", "\\["),
        ("src/[a\\]", "bad-pattern", "[ stands alone", "\\["),
        ("src/[a\\", "bad-pattern", "[ stands alone", "\\["),
        ("src/[a/b]", "bad-pattern", "[ stands alone", "\\["),
        ("src/[z-a]", "bad-pattern", "range z-a is empty", "a-z"),
        ("src/[[:alpha:]]", "bad-pattern", "named classes", "[a-z]"),
        ("src/{a,b", "bad-pattern", "{ stands alone", "\\{"),
        ("src/{a,{b}", "bad-pattern", "{ stands alone", "\\{"),
        ("src/a}", "bad-pattern", "} stands alone", "\\}"),
        ("src/a\0", "bad-pattern", "control character", "?"),
        ("src/a\n", "bad-pattern", "control character", "?"),
        ("src/\x1b[2J", "bad-pattern", "control character", "?"),
        ("src/\x85", "bad-pattern", "control character", "?"),
        ("src/\u2028", "bad-pattern", "control character", "?"),
        ("src/\ud800", "bad-pattern", "control character", "?"),
        ("src/\udce9", "bad-pattern", "control character", "?"),
        ("a[! -\U0010ffff]", "bad-pattern", "control character", "?"),
        ("a" * 10_000, "long-pattern", "10000 characters", "wider"),
        ("*" * 10_000, "long-pattern", "10000 characters", "wider"),
        ("*a" * 128, "long-pattern", "259 characters", "wider"),
        ("a" * 257, "long-pattern", "257 characters", "wider"),
        (":(literal)" + "a" * 257, "long-pattern", "characters", "wider"),
        ("a/" * 32 + "a", "long-pattern", "33 segments", "**"),
        ("**/" * 32 + "a", "long-pattern", "33 segments", "**"),
        ("{a,b}" * 7, "long-pattern", "over 64 patterns", "several"),
        ("{" + "a," * 64 + "}", "long-pattern", "over 64 patterns", "several"),
        ("{a,b}" * 6 + "x" * 100, "long-pattern", "over 1024 characters", "several"),
        ("{" * 17 + "a" + "}" * 17, "long-pattern", "nested", "side by side"),
        ("{" * 250, "long-pattern", "nested", "side by side"),
    ],
)  # fmt: skip
def test_what_cannot_be_held_is_refused_with_the_way_out(text: str, code: str, reason: str, mend: str) -> None:
    refused = refusal_of(text)
    assert refused.code == code
    assert reason in refused.reason
    assert mend in refused.mend
    assert len(refused.reason) < 2000


@pytest.mark.parametrize(
    "text", ["a" * 256, "*a" * 126 + "/", "a/" * 31 + "a", "{a,b}" * 6, "[" + "a" * 250 + "]", "{" * 16 + "a" + "}" * 16]
)
def test_up_to_the_limits_patterns_are_held(text: str) -> None:
    assert Pattern.parse(text, broad=True).alternatives


@pytest.mark.parametrize(
    "text", ["#a", "-a", "~a", "$a", "a b", "a'b", 'a"b', "(group)/a", "a;b", "a,b", "a:b", ".a", "...", "a..b"]
)
def test_other_characters_are_themselves(text: str) -> None:
    assert Pattern.parse(text).alternatives == [(*text.split("/"), 1)]


@pytest.mark.parametrize("char", list("*?[]{}\\!#^-,: "))
def test_a_backslash_takes_what_would_say_something_as_it_is(char: str) -> None:
    assert Pattern.parse(f"a/\\{char}b").alternatives == [("a", f"{char}b", 1)]


@given(st.text(st.one_of(st.sampled_from("*?[]{}\\/!.,-^: a"), st.characters()), max_size=300), st.booleans())
def test_any_text_is_read_or_refused(text: str, literal: bool) -> None:
    try:
        pattern = Pattern.parse(text, literal=literal)
    except BadPattern as refused:
        assert refused.code in ("bad-pattern", "long-pattern", "too-broad", "negated-pattern")
        assert refused.reason and refused.mend
        return
    assert Pattern.parse(pattern.text) == pattern
    assert len(pattern.alternatives) <= MOST_ALTERNATIVES
    assert len(pattern.text) <= MOST_CHARACTERS
    assert not pattern.matches("")
