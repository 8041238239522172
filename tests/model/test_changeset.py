"""The words of a commit, there and back."""

from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmaild.model.changeset import Changeset, parse_commit_message
from tests.build import NOW

TRAILERS = (("Command", "message cmd_20260101_00000001"), ("From", "GreenCastle"), ("To", "RedCat, BlueLake"))


def a_changeset(subject: str = "deliver: GreenCastle -> RedCat: lunch?", answer: str = "", trailers=TRAILERS) -> Changeset:
    return Changeset(subject, "GreenCastle", NOW, trailers=trailers, answer=answer)


def test_a_commit_message_is_subject_then_trailers() -> None:
    assert a_changeset().message() == (
        "deliver: GreenCastle -> RedCat: lunch?\n"
        "\n"
        "Command: message cmd_20260101_00000001\n"
        "From: GreenCastle\n"
        "To: RedCat, BlueLake\n"
        "Accepted: 2026-01-01T00:00:00.000000Z\n"
    )


def test_an_answer_stands_between_subject_and_trailers() -> None:
    assert a_changeset(answer="kind: register\nstatus: registered\n", trailers=()).message() == (
        "deliver: GreenCastle -> RedCat: lunch?\n"
        "\n"
        "kind: register\n"
        "status: registered\n"
        "\n"
        "Accepted: 2026-01-01T00:00:00.000000Z\n"
    )


def test_trailers_and_answer_are_read_back() -> None:
    text = a_changeset(answer="kind: read\nstatus: done\n").message()
    assert parse_commit_message(text) == (
        {**dict(TRAILERS), "Accepted": "2026-01-01T00:00:00.000000Z"},
        "kind: read\nstatus: done",
    )


def test_an_answer_with_empty_lines_is_read_back_whole() -> None:
    text = a_changeset(answer="kind: read\n\nfirst\n\nsecond\n").message()
    assert parse_commit_message(text)[1] == "kind: read\n\nfirst\n\nsecond"


def test_an_empty_trailer_is_read_back_empty() -> None:
    assert parse_commit_message(a_changeset(trailers=(("To", ""),)).message())[0]["To"] == ""


def test_a_trailer_may_hold_a_colon() -> None:
    trailers = (("Result", "a: b: c"),)
    assert parse_commit_message(a_changeset(trailers=trailers).message())[0]["Result"] == "a: b: c"


def test_the_time_of_acceptance_is_told_in_utc() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert (
        Changeset("found: project shop", "Overseer", elsewhere).message().endswith("Accepted: 2026-01-01T00:00:00.000000Z\n")
    )


@pytest.mark.parametrize(
    "text", ["", "Initial commit\n", "Fix: the build\n", "Fix the build\n\nIt was broken.\n", "a\n\nb\nc: d\n"]
)
def test_a_foreign_commit_has_no_trailers_and_no_answer(text: str) -> None:
    assert parse_commit_message(text) == ({}, "")


words = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=40)
lines = st.lists(words.filter(str.strip), max_size=5).map("\n".join)


@given(st.dictionaries(st.from_regex(r"[A-Z][A-Za-z-]{0,15}", fullmatch=True), words), lines)
def test_whatever_trailers_and_answer_say_is_read_back(trailers: dict[str, str], answer: str) -> None:
    trailers.pop("Accepted", None)
    text = a_changeset(answer=answer, trailers=tuple(trailers.items())).message()
    assert parse_commit_message(text) == ({**trailers, "Accepted": "2026-01-01T00:00:00.000000Z"}, answer)
