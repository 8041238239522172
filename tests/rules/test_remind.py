"""Acknowledgements that are overdue: one reminder to each who owes one, one note to the sender, and then silence."""

from datetime import timedelta

import pytest

from gitmaild.model.changeset import Changeset
from gitmaild.model.settings import Settings
from gitmaild.rules.due import dues, next_ack_due
from gitmaild.rules.tend import next_due, tend
from tests.build import Shop


def tended(shop: Shop, **options: bool) -> list[Changeset]:
    """All that is due now, done."""
    found: list[Changeset] = []
    while change := tend(shop.envelope("Postmaster"), shop.mailbox, shop.now, Settings(), **options):
        shop.tree.apply(change)
        shop.now += timedelta(microseconds=1)
        found.append(change)
        assert len(found) < 50, "it never has said everything"
    return found


def asked(shop: Shop, within: str = "5m", **fields: str) -> str:
    shop.accepted("GreenCastle", **({"to": "RedCat, BlueLake", "subject": "stop"} | fields), ack_within=within)
    return shop.last().id


@pytest.fixture
def shop() -> Shop:
    return Shop("GreenCastle", "RedCat", "BlueLake")


def test_a_time_for_acknowledging_asks_for_it_and_stands_in_the_header(shop: Shop) -> None:
    asked(shop)
    message = shop.last()
    assert (message.ack_required, message.ack_within) == (True, 300)
    path = shop.mailbox.canonical(message.id)
    assert b"\nack_within: 300\n" in (shop.tree.read(path) or b"").replace(b'"', b"")


@pytest.mark.parametrize(("text", "code"), [("soon", "bad-time-span"), ("0", "bad-time-span"), ("99999d", "bad-time-span")])
def test_a_time_that_is_none_is_refused(shop: Shop, text: str, code: str) -> None:
    assert shop.refused("GreenCastle", to="RedCat", ack_within=text).code == code


def test_a_time_for_what_is_not_asked_for_is_refused(shop: Shop) -> None:
    assert shop.refused("GreenCastle", to="RedCat", ack_within="5m", ack_required="no").code == "no-ack-required"


def test_nothing_is_said_before_its_time(shop: Shop) -> None:
    asked(shop)
    due = shop.last().created + timedelta(seconds=300)
    shop.now = due - timedelta(seconds=1)
    assert tended(shop) == []
    assert next_ack_due(shop.mailbox) == next_due(shop.mailbox, Settings()) == due


def test_each_who_owes_is_reminded_once_and_the_sender_is_told_once(shop: Shop) -> None:
    asked(shop)
    shop.now = shop.last().created + timedelta(seconds=300)
    subjects = [change.subject for change in tended(shop)]
    assert subjects == [
        "remind: RedCat: stop",
        "remind: BlueLake: stop",
        "escalate: GreenCastle: not acknowledged in time: stop",
    ]
    assert shop.letters("RedCat") == ["GreenCastle: stop", "Postmaster: please acknowledge: stop"]
    assert shop.letters("GreenCastle") == ["Postmaster: not acknowledged in time: stop"]
    [note] = shop.messages("GreenCastle")
    assert "- RedCat\n- BlueLake\n" in note.body
    shop.now += timedelta(days=30)
    assert tended(shop) == []
    assert next_due(shop.mailbox, Settings()) is None


def test_who_has_acknowledged_is_left_in_peace(shop: Shop) -> None:
    mail = asked(shop)
    shop.accepted("RedCat", kind="ack", ids=mail)
    shop.accepted("BlueLake", kind="read", ids=mail)
    shop.now += timedelta(seconds=300)
    assert [change.subject.partition(":")[0] for change in tended(shop)] == ["remind", "escalate"]
    assert shop.letters("RedCat") == []


def test_the_last_acknowledgement_ends_the_waiting_in_its_own_commit(shop: Shop) -> None:
    mail = asked(shop)
    shop.accepted("RedCat", kind="ack", ids=mail)
    assert [due.message_id for due in dues(shop.mailbox)] == [mail]
    change = shop.accepted("BlueLake", kind="ack", ids=mail)
    assert [path for path in change.drops if "/acks-due/" in path]
    assert list(dues(shop.mailbox)) == []


def test_a_pass_that_was_cut_short_goes_on_where_it_was(shop: Shop) -> None:
    asked(shop)
    shop.now += timedelta(seconds=300)
    first = tend(shop.envelope("Postmaster"), shop.mailbox, shop.now, Settings())
    assert first
    shop.tree.apply(first)
    shop.now += timedelta(hours=20)
    assert [change.subject.partition(":")[2].strip()[:8] for change in tended(shop)] == ["BlueLake", "GreenCas"]


def test_blind_recipients_are_reminded_and_named_nowhere(shop: Shop) -> None:
    asked(shop, to="RedCat", bcc="BlueLake")
    shop.now += timedelta(seconds=300)
    changes = tended(shop)
    assert shop.letters("BlueLake") == ["GreenCastle: stop", "Postmaster: please acknowledge: stop"]
    assert "BlueLake" not in "".join(change.message() for change in changes)
    assert b"BlueLake" not in b"".join(put.data for change in changes for put in change.puts)
    [note] = shop.messages("GreenCastle")
    assert "- RedCat\n- 1 blind recipient\n" in note.body


def test_a_message_to_oneself_ends_too(shop: Shop) -> None:
    asked(shop, to="GreenCastle")
    shop.now += timedelta(seconds=300)
    assert [change.subject.partition(":")[0] for change in tended(shop)] == ["remind", "escalate"]


def test_who_has_retired_owes_nothing(shop: Shop) -> None:
    asked(shop, to="RedCat")
    shop.accepted("RedCat", kind="retire")
    shop.now += timedelta(seconds=300)
    assert [change.subject.partition(":")[0] for change in tended(shop)] == ["settle"]
    assert list(dues(shop.mailbox)) == []


def test_a_sender_who_has_retired_is_not_written_to(shop: Shop) -> None:
    asked(shop, to="RedCat")
    shop.accepted("GreenCastle", kind="retire")
    shop.now += timedelta(seconds=300)
    assert [len(change.messages) for change in tended(shop)] == [1, 0]


def test_nobody_is_reminded_while_the_clock_is_not_trusted(shop: Shop) -> None:
    asked(shop)
    shop.now += timedelta(seconds=300)
    assert tended(shop, expiring=False) == []


@pytest.mark.parametrize("data", [b"", b"message: x\n", b"message: msg_20260101_00000001\ndue: never\n", b"\xff"])
def test_a_damaged_file_among_the_due_ones_waits_for_nobody(shop: Shop, data: bytes) -> None:
    shop.tree.put("shop/acks-due/20260101T000000.000000Z_00000001.yaml", data)
    shop.tree.put("shop/acks-due/README", data)
    assert (tended(shop), next_due(shop.mailbox, Settings())) == ([], None)


def test_the_next_to_fall_due_comes_first(shop: Shop) -> None:
    late, soon = asked(shop, "1h"), asked(shop, "1m")
    assert [due.message_id for due in dues(shop.mailbox)] == [soon, late]
