"""The part of a text that is shown for a hit."""

import pytest
from hypothesis import given

from gitmaild.rules.query import parse
from gitmaild.rules.snippet import WIDTH, Needles
from tests.build import NOW, written

_FILLER = "Nothing of interest stands in this sentence. " * 20


def _shown(query: str, text: str) -> str:
    return Needles(parse(query, NOW)).snippet(text).marked("<", ">")


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("token", "The token expired.", "The <token> expired."),
        ("token expired", "The token expired.", "The <token> <expired>."),
        ('"token expired"', "The token\nexpired.", "The <token expired>."),
        ("src/api/routes.py", "see src/api/routes.py:42", "see <src/api/routes.py>:42"),
        ("work/api", "open C:\\work\\api", "open C:\\<work\\api>"),
        ("cafe", "un Café crème", "un <Café> crème"),
        ("cafe", "un cafe\u0301!", "un <cafe\u0301>!"),
        ("認証エラー", "昨日の認証エラーです", "昨日の<認証エラー>です"),
        ("auth*", "authentication is on", "<authentication> is on"),
        ("repo", "UserRepo", "User<Repo>"),
        ("repo", "repo and UserRepo", "<repo> and UserRepo"),
        ('"user repo"', "the UserRepo", "the <UserRepo>"),
        ("--force", "push --force", "push <--force>"),
        ("from:RedCat", "hello\n\n\nworld", "hello world"),
        ("a -token", "a token", "<a> token"),
        ("subject:token", "a token", "a <token>"),
        ("x", "x\x1b[31m\u202e\x07y", "<x> [31m y"),
        ("x", "", ""),
    ],
)
def test_the_hits_are_marked(query: str, text: str, expected: str) -> None:
    assert _shown(query, text) == expected


def test_a_long_text_is_cut_around_its_hits() -> None:
    shown = _shown("token cache", f"{_FILLER}token {_FILLER}the cache and the token {_FILLER}")
    assert "the <cache> and the <token>" in shown
    assert shown.startswith("… ") and shown.endswith(" …")
    assert len(shown) <= WIDTH + 10


def test_without_a_hit_the_beginning_is_shown() -> None:
    assert _shown("from:RedCat", _FILLER).startswith("Nothing of interest")


@given(written, written)
def test_any_text_gives_one_line_with_its_marks_in_order(before: str, after: str) -> None:
    found = Needles(parse("token", NOW)).snippet(f"{before} token {after}")
    assert not any(character in found.text for character in "\n\r\t\x1b\x07\0")
    assert [found.text[start:end] for start, end in found.hits][:1] == ["token"] or "token" in before.casefold()
    edges = [edge for hit in found.hits for edge in hit]
    assert edges == sorted(edges)
