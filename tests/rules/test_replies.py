"""Who answered what."""

from datetime import timedelta

from gitmaild.model.message import Message
from gitmaild.rules.replies import tree
from tests.build import NOW, a_message


def letter(number: int, answers: int = 0) -> Message:
    reply = f"msg_20260101_{answers:08x}" if answers else ""
    return a_message(id=f"msg_20260101_{number:08x}", created=NOW + timedelta(seconds=number), in_reply_to=reply)


def shown(*messages: Message) -> list[tuple[int, int]]:
    return [(depth, int(message.id[-8:], 16)) for depth, message in tree(messages)]


def test_answers_stand_below_what_they_answer_the_older_first() -> None:
    assert shown(letter(1), letter(2, 1), letter(3), letter(4, 1), letter(5, 2)) == [(0, 1), (1, 2), (2, 5), (1, 4), (0, 3)]


def test_what_answers_another_thread_begins_a_tree() -> None:
    assert shown(letter(2, 99), letter(3, 2)) == [(0, 2), (1, 3)]


def test_a_ring_is_shown_once_and_ends() -> None:
    assert shown(letter(1, 2), letter(2, 1), letter(3, 3)) == [(0, 1), (1, 2), (0, 3)]


def test_a_chain_of_any_length_is_no_recursion() -> None:
    chain = [letter(number, number - 1) for number in range(1, 5000)]
    assert shown(*chain)[-1] == (4998, 4999)
