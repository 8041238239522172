"""One analysis for what is indexed and what is asked."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmaild.rules.analysis import LONGEST, fold, terms
from gitmaild.rules.document import document
from gitmaild.rules.match import matches
from gitmaild.rules.query import parse
from tests.build import NOW, a_message, written
from tests.contracts.lookups import FOUND, NOT_FOUND


def _finds(text: str, query: str) -> bool:
    return matches(parse(query, NOW + timedelta(days=1)), document("shop", a_message(subject="s", body=text), "0" * 40))


@pytest.mark.parametrize(("text", "query"), FOUND)
def test_what_people_type_finds_what_they_mean(text: str, query: str) -> None:
    assert _finds(text, query)
    assert _finds(f"Before it.\n\n{text}\nAfter it.", query)


@pytest.mark.parametrize(("text", "query"), NOT_FOUND)
def test_what_only_looks_similar_is_not_found(text: str, query: str) -> None:
    assert not _finds(text, query)


def test_the_list_of_look_ups_is_long_enough() -> None:
    assert len(set(FOUND)) >= 60


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("The Token expired.", "the token expired"),
        ("src/api/routes.py", "src api routes py src/api api/routes src/api/routes routes.py api/routes.py"),
        ("UserRepo.save", "userrepo save user repo userrepo.save"),
        ("br-123 br-123", "br 123 br 123 br-123"),
        ("deadBEEF01 deadbeef01", "deadbeef01 deadbeef01 dead beef 01"),
        ("C++ --force", "c force c++ --force"),
        ("エラー", "エラ ラー ー エ ラ ー"),
        ("Crème brûlée", "creme brulee"),
        ("a -- b", "a b"),
        ("x" * 500, "x" * LONGEST),
    ],
)
def test_a_text_becomes_its_words_in_order_and_then_the_rest(text: str, expected: str) -> None:
    assert " ".join(terms(text)) == expected


@given(written)
def test_no_term_holds_a_space_or_a_capital_and_all_are_short(text: str) -> None:
    for term in terms(text):
        assert term and not any(character.isspace() for character in term)
        assert len(term) <= 4 * LONGEST * 3
        assert term == term.casefold()
        term.encode()


@given(st.text(alphabet="aB1_./-é認 ", max_size=30))
def test_a_text_is_found_by_the_same_text_in_other_letters(text: str) -> None:
    assert terms(text.upper().lower()) == terms(text.upper().lower().casefold())
    assert fold(fold(text)) == fold(text)


@given(st.lists(st.text(alphabet="abé認証エ", min_size=1, max_size=4), min_size=1, max_size=6), st.data())
def test_every_stretch_of_words_is_found_as_a_phrase(found: list[str], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(found) - 1))
    last = data.draw(st.integers(first, len(found) - 1))
    assert _finds(" ".join(found), f'"{" ".join(found[first : last + 1])}"')


@given(st.text(alphabet="認証エラー令牌", min_size=1, max_size=12), st.data())
def test_every_stretch_of_writing_without_spaces_is_found(text: str, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(text) - 1))
    last = data.draw(st.integers(first, len(text) - 1))
    assert _finds(text, text[first : last + 1])


@given(st.lists(st.sampled_from("ab"), min_size=2, max_size=7), st.sampled_from("/.-_:"), st.data())
def test_every_stretch_of_a_name_is_found(parts: list[str], joint: str, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(parts) - 1))
    last = data.draw(st.integers(first, len(parts) - 1))
    assert _finds(f"see x{joint}{joint.join(parts)}{joint}x here", f'"{joint.join(parts[first : last + 1])}"')
