"""What is indexed of a message."""

from datetime import UTC, datetime

import pytest

from gitmaild.rules.document import document, microseconds, paths
from tests.build import NOW, a_message


def test_a_document_has_the_terms_and_the_keys_of_its_message() -> None:
    message = a_message(
        subject="[br-7] Look", to=("RedCat", "BlueLake@web"), cc=("everyone",), body="In a/b.py.\n", ack_required=True,
        importance="high", attachments=("log.txt",), thread_id="Auth.1",
    )  # fmt: skip
    found = document("shop", message, "ab" * 20)
    assert (found.key, found.oid, found.created) == ("shop/msg_20260101_00000001", "ab" * 20, microseconds(NOW))
    assert found.subject == ("br", "7", "look", "br-7")
    assert found.body == ("in", "a", "b", "py", "a/b", "b.py", "a/b.py")
    assert found.keys == (
        "project:shop", "id:msg_20260101_00000001", "thread:auth.1", "importance:high", "from:greencastle", "to:redcat",
        "to:bluelake@web", "to:bluelake", "to:everyone", "tag:br-7", "path:a", "path:a/b.py", "path:b.py", "has:ack",
        "has:attachment",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see src/api/routes.py:42, docs/ and ./x/y.md.", ["src/api/routes.py", "docs", "x/y.md"]),
        ("`Makefile` notes.md, UserRepo.save example.com", ["notes.md"]),
        ("https://x.io/a/b.py and mailto:a/b", []),
        ("(~/notes/a.txt) ../up.c /etc/passwd", ["notes/a.txt", "up.c", "etc/passwd"]),
        ("src/a.py src/a.py", ["src/a.py"]),
        ("packages/@types/node", ["packages/@types/node"]),
        ("1/2", ["1/2"]),
    ],
)
def test_paths_are_read_out_of_a_text(text: str, expected: list[str]) -> None:
    assert paths(text) == expected


def test_a_listing_of_paths_is_cut() -> None:
    assert len(paths(" ".join(f"a/{number}.py" for number in range(500)))) == 100


@pytest.mark.parametrize(("year", "expected"), [(1, 0), (1970, 0), (9999, 2**53 - 1)])
def test_a_time_that_no_message_can_have_is_the_nearest_one_that_an_engine_can_order_by(year: int, expected: int) -> None:
    assert microseconds(datetime(year, 1, 1, tzinfo=UTC)) == expected
