"""A summary is made of lines that somebody wrote."""

import time
from datetime import timedelta
from typing import Any

import pytest

from gitmaild.model.message import Message
from gitmaild.rules.summary import as_text, summary
from tests.build import NOW, a_message


def letter(number: int, sender: str = "GreenCastle", body: str = "", **over: object) -> Message:
    an_id = f"msg_20260101_{number:08x}"
    return a_message(id=an_id, sender=sender, created=NOW + timedelta(minutes=number), body=body, **over)


def told(*messages: Message, acks: tuple[tuple[str, str], ...] = ()) -> dict[str, Any]:
    return summary("br-123", messages, acks)


def texts(rows: list[dict[str, Any]]) -> list[str]:
    return [f"{row['from']}: {row['text']}" for row in rows]


def test_participants_are_who_wrote_and_who_was_written_to() -> None:
    found = told(letter(1), letter(2, "RedCat", to=("GreenCastle",), cc=("BlueLake",)), letter(3))["participants"]
    assert [(row["agent"], row["sent"]) for row in found] == [("GreenCastle", 2), ("RedCat", 1), ("BlueLake", 0)]


@pytest.mark.parametrize(
    "line",
    ["Decision: use JWT", "**Decision**: use JWT", "- decided: use JWT", "DECIDED to use JWT", "Final decision: JWT",
     "Agreed: JWT", "After all we decided to use JWT", "We decided: JWT with rotation.", "Resolved - JWT", "## Decision"],
)  # fmt: skip
def test_a_line_that_decides(line: str) -> None:
    assert told(letter(1, body=f"hello\n{line}\n"))["last_decision"]["text"] == line


@pytest.mark.parametrize(
    "line", ["> Decision: no", "indecision: x", "undecided", "decisions follow", "```\nDecision: x\n```"]
)
def test_a_line_that_does_not(line: str) -> None:
    assert told(letter(1, body=line))["last_decision"] is None


def test_the_last_decision_counts() -> None:
    found = told(letter(1, body="Decision: A"), letter(2, "RedCat", body="Decision: B"), letter(3, body="ok"))
    assert found["last_decision"]["text"] == "Decision: B"
    assert texts(found["decisions"]) == ["RedCat: Decision: B", "GreenCastle: Decision: A"]


def test_a_question_is_open_until_somebody_else_answers() -> None:
    asked, answered = letter(1, body="Who takes the tests?"), letter(2, body="Which port?")
    own = letter(3, body="Anybody?", in_reply_to=asked.id)
    reply = letter(4, "RedCat", body="8080.", in_reply_to=answered.id)
    assert texts(told(asked, answered, own, reply)["open_questions"]) == [
        "GreenCastle: Anybody?",
        "GreenCastle: Who takes the tests?",
    ]


def test_files_and_ids_are_found_the_most_mentioned_first() -> None:
    body = (
        "See src/api/routes.py and `routes.py`, src/**, br-124 (br-124), bd-a3f8.1, #12; not http://x.org/a.py or e.g. this."
    )
    found = told(letter(1, body=body, subject="[br-123] x"), letter(2, body="br-124"))
    assert found["files"] == ["src/api/routes.py", "routes.py", "src/**"]
    assert found["ids"] == ["br-124", "bd-a3f8.1", "#12"]


def test_open_acknowledgements_and_the_last_word() -> None:
    first = letter(1, ack_required=True)
    found = told(first, letter(2, "RedCat", body="> quoted\n\nOn it.\n"), acks=((first.id, "BlueLake"),))
    assert found["open_acks"] == [{"id": first.id, "agent": "BlueLake", "subject": "lunch?"}]
    assert found["last_word"]["text"] == "On it."
    assert "open ack: BlueLake: lunch?" in as_text(found)


def test_an_empty_message_has_its_subject_for_a_last_word() -> None:
    assert told(letter(1, body=""))["last_word"]["text"] == "lunch?"


@pytest.mark.parametrize(
    "body", ["a/" * 32_000, "a-" * 32_000, "*" * 64_000, "a." * 32_000, "[" * 64_000, "x-1." * 16_000, " " * 64_000]
)
def test_no_text_makes_it_slow(body: str) -> None:
    began = time.process_time()
    told(letter(1, body=body))
    assert time.process_time() - began < 2
