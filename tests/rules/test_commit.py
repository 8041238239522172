"""The words of a commit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmaild.rules import commit
from tests.build import an_envelope


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("deliver: a -> b", "deliver: a -> b"),
        ("  a   b\t c  ", "a b c"),
        ("a\n\nSigned-off-by: Mallory", "a Signed-off-by: Mallory"),
        ("a\x1b[2Jb\x07", "a [2Jb"),
        ("a\u2028b\x85c", "a b c"),
        ("a\ud800b", "a b"),
        ("日本 🎉", "日本 🎉"),
        ("x" * 400, "x" * 300),
        ("", ""),
    ],
)
def test_a_subject_is_one_line_that_a_terminal_can_show(text: str, line: str) -> None:
    assert commit.one_line(text) == line


@given(st.text())
def test_whatever_a_sender_writes_a_subject_is_one_line_of_utf8(text: str) -> None:
    line = commit.one_line(text)
    assert len(line.splitlines()) <= 1
    line.encode()


def test_every_commit_says_command_project_and_desk() -> None:
    assert commit.trailers(an_envelope(), "read", ("Result", "done")) == (
        ("Command", "read cmd_20260101_00000001"),
        ("Project", "shop"),
        ("From", "GreenCastle"),
        ("Drop", "note"),
        ("Result", "done"),
    )


def test_a_command_that_was_not_dropped_names_no_drop() -> None:
    assert "Drop" not in dict(commit.trailers(an_envelope(drop=""), "read"))


def test_an_answer_tells_what_was_ignored() -> None:
    assert commit.answer("read", "done", (("idz", "x"),), [("ids", ("msg_20260101_00000001",))]) == (
        'kind: read\nstatus: done\nids: [msg_20260101_00000001]\nignored: ["idz; did you mean ids?"]\n'
    )
