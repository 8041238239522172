"""Tags are the words in brackets that a subject begins with."""

import pytest

from gitmaild.rules.tags import is_tagged, tags


@pytest.mark.parametrize(
    ("subject", "found"),
    [
        ("[HANDOFF] Auth API", ("HANDOFF",)),
        ("[DELEGATE][br-123]  Start", ("DELEGATE", "br-123")),
        ("RE: [br-123] Start", ("br-123",)),
        ("[x] Re: re: FWD: [y] z", ("x", "y")),
        ("[bd-a3f8.1]", ("bd-a3f8.1",)),
        ("[x] [x] [X]", ("x", "X")),
        ("fix app/[slug]/page.tsx", ()),
        ("[two words] x", ()),
        ("[] x", ()),
        ("[" * 5000, ()),
        ("re:" * 60, ()),
        ("", ()),
    ],
)
def test_tags_of_a_subject(subject: str, found: tuple[str, ...]) -> None:
    assert tags(subject) == found


@pytest.mark.parametrize("tag", ["HANDOFF", "handoff", "[HANDOFF]", "br-1"])
def test_a_tag_is_found_without_case_and_with_brackets(tag: str) -> None:
    assert is_tagged("[HANDOFF] [br-1] x", tag)
    assert not is_tagged("[HANDOFF2] x", tag)
