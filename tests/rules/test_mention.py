"""An id is mentioned as a whole, or not at all."""

import pytest

from gitmaild.rules.mention import mentions


@pytest.mark.parametrize(
    "text", ["br-12", "[br-12] x", "x br-12.", "(br-12)", "br-12: x", "a/br-12", "see br-12, br-13", "#br-12"]
)
def test_an_id_that_is_named(text: str) -> None:
    assert mentions(text, "br-12")


@pytest.mark.parametrize("text", ["br-123", "br-12.1", "abr-12", "x-br-12", "br-12-x", "BR-12", "", "br 12", "br_12"])
def test_an_id_that_is_not(text: str) -> None:
    assert not mentions(text, "br-12")


def test_nothing_is_named_nowhere() -> None:
    assert not mentions("br-12", "") and not mentions("", "")


def test_a_dot_in_an_id_is_a_dot() -> None:
    assert (mentions("bd-a3f8.1", "bd-a3f8.1"), mentions("bd-a3f8x1", "bd-a3f8.1")) == (True, False)
