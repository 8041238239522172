"""Programs that answer by themselves: they are marked, and they stop."""

import pytest

from tests.build import Shop


@pytest.fixture
def shop() -> Shop:
    return Shop("GreenCastle", "RedCat")


def test_an_automatic_answer_carries_a_mark_and_its_place_in_the_row(shop: Shop) -> None:
    shop.accepted("GreenCastle", to="RedCat", subject="hello")
    shop.accepted("RedCat", in_reply_to=shop.last().id, auto_reply="yes")
    path = shop.mailbox.canonical(shop.last().id)
    assert b'\nauto_reply: "true"\nhops: "1"\n' in (shop.tree.read(path) or b"")
    assert shop.last().hops == 1


def test_two_programs_that_answer_each_other_come_to_an_end(shop: Shop) -> None:
    shop.accepted("GreenCastle", to="RedCat", subject="hello")
    for turn in range(4):
        shop.accepted(("RedCat", "GreenCastle")[turn % 2], in_reply_to=shop.last().id, auto_reply="yes")
    refusal = shop.refused("RedCat", in_reply_to=shop.last().id, auto_reply="yes")
    assert refusal.code == "mail-loop"
    assert shop.note(refusal, "RedCat") is None


def test_an_agent_that_writes_itself_breaks_the_row(shop: Shop) -> None:
    shop.accepted("GreenCastle", to="RedCat", subject="hello")
    for _ in range(3):
        shop.accepted("RedCat", in_reply_to=shop.last().id, auto_reply="yes")
        shop.accepted("GreenCastle", in_reply_to=shop.last().id, to="RedCat")
    assert shop.last().hops == 0


def test_a_note_is_not_answered_by_a_program_and_that_is_not_told_in_a_note(shop: Shop) -> None:
    shop.accepted("GreenCastle", to="RedCat, NoBody", subject="hello")
    (note,) = shop.messages("GreenCastle")
    refusal = shop.refused("GreenCastle", in_reply_to=note.id, auto_reply="yes")
    assert (refusal.code, shop.note(refusal, "GreenCastle")) == ("mail-loop", None)
    assert len(shop.letters("GreenCastle")) == 1
