"""Lines `Key: value` at the head of a body."""

import pytest
from hypothesis import given

from gitmaild.rules.facts import facts
from tests.build import any_text


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("Branch: polecat/red\nIssue: gp-abc\n", {"Branch": "polecat/red", "Issue": "gp-abc"}),
        ("\n  Completed: two\n  Next iteration should: go on\n", {"Completed": "two", "Next iteration should": "go on"}),
        ("Branch: a\r\nError: x: y\r\n\r\nPlease rebase:\n\n  git fetch\n", {"Branch": "a", "Error": "x: y"}),
        ("Branch: first\nBranch: second\n", {"Branch": "first"}),
        ("Issue:\n", {"Issue": ""}),
        ("Branch: a\nand more of it\n", {}),
        ("Hello, all.\n", {}),
        ("https://example.invalid/x\n", {}),
        ("## Completed\n\n- Branch: a\n", {}),
        ("", {}),
    ],
)
def test_a_body_opens_with_facts_or_has_none(body: str, found: dict[str, str]) -> None:
    assert facts(body) == found


@given(any_text)
def test_whatever_a_body_is_it_is_read(body: str) -> None:
    assert all(key and "\n" not in key + value for key, value in facts(body).items())
