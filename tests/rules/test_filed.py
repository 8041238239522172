"""Reading and acknowledging: a message moves to a further folder of its recipient, and never back."""

import pytest

from gitmaild.model import layout
from gitmaild.model.changeset import Changeset, Put
from gitmaild.model.commands import File
from gitmaild.model.errors import Refusal
from tests.build import NOW, Shop


@pytest.fixture
def shop() -> Shop:
    shop = Shop("GreenCastle", "RedCat", "BlueLake")
    shop.accepted("GreenCastle", to="RedCat", subject="lunch?")
    return shop


def folders(shop: Shop) -> list[int]:
    """How many messages RedCat has in each folder."""
    return [len(shop.names("RedCat", folder)) for folder in layout.FOLDERS]


def test_reading_moves_the_same_blob_to_the_next_folder(shop: Shop) -> None:
    message = shop.last()
    (name,) = shop.names("RedCat")
    held = shop.mailbox.held("RedCat", name)
    change = shop.accepted("RedCat", kind="read", ids=message.id)
    assert held and change == Changeset(
        subject=f"read: RedCat: {message.id}",
        author="RedCat",
        at=change.at,
        puts=(Put(f"shop/agents/RedCat/read/2026/01/01/00/{name}", oid=change.puts[0].oid),),
        drops=(held.path,),
        trailers=(
            ("Command", "read cmd_20260101_00000006"),
            ("Project", "shop"),
            ("From", "RedCat"),
            ("Drop", "note"),
            ("Message-Id", message.id),
            ("Result", "done"),
        ),
        answer=f"kind: read\nstatus: done\nids: [{message.id}]\n",
    )
    assert change.puts[0].oid == shop.tree.oid(f"shop/messages/2026/01/01/00/{message.id}.md")


@pytest.mark.parametrize(
    ("kinds", "end"),
    [
        (["read"], [0, 1, 0]),
        (["ack"], [0, 0, 1]),
        (["read", "ack"], [0, 0, 1]),
        (["ack", "read"], [0, 0, 1]),
        (["read", "read"], [0, 1, 0]),
        (["ack", "ack"], [0, 0, 1]),
        (["ack", "read", "ack", "read"], [0, 0, 1]),
    ],
)
def test_a_message_only_ever_advances(shop: Shop, kinds: list[str], end: list[int]) -> None:
    an_id = shop.last().id
    for kind in kinds:
        shop.accepted("RedCat", kind=kind, ids=an_id)
    assert folders(shop) == end


@pytest.mark.parametrize(("first", "then"), [("read", "read"), ("ack", "ack"), ("ack", "read")])
def test_filing_again_is_answered_the_same_and_changes_no_file(shop: Shop, first: str, then: str) -> None:
    an_id = shop.last().id
    shop.accepted("RedCat", kind=first, ids=an_id)
    again = shop.accepted("RedCat", kind=then, ids=an_id)
    assert (again.puts, again.drops) == ((), ())
    assert again.answer == f"kind: {then}\nstatus: done\nids: [{an_id}]\n"


def test_filing_does_not_touch_another_recipients_copy(shop: Shop) -> None:
    shop.accepted("GreenCastle", to="RedCat, BlueLake", subject="both")
    shop.accepted("RedCat", kind="ack", ids=shop.last().id)
    assert shop.letters("BlueLake") == ["GreenCastle: both"]


def test_several_messages_are_filed_at_once(shop: Shop) -> None:
    first = shop.last().id
    shop.accepted("GreenCastle", to="RedCat", subject="dinner?")
    second = shop.last().id
    change = shop.accepted("RedCat", kind="ack", ids=f"{first}, {second}")
    assert folders(shop) == [0, 0, 2]
    assert dict(change.trailers)["Message-Id"] == f"{first}, {second}"


@pytest.mark.parametrize("agent", ["BlueLake", "GreenCastle"])
def test_mail_of_somebody_else_cannot_be_filed(shop: Shop, agent: str) -> None:
    an_id = shop.last().id
    assert shop.refused(agent, kind="ack", ids=an_id) == Refusal(
        "unknown-message",
        f"ids: {an_id} is not in {agent}'s mail",
        "ids are the first line of every message; list yours with ls inbox read acked",
        "ids",
    )


@pytest.mark.parametrize("an_id", ["msg_20260101_deadbeef", "msg_20269999_deadbeef", "msg_99991231_deadbeef"])
def test_what_nobody_has_sent_cannot_be_filed(shop: Shop, an_id: str) -> None:
    assert shop.refused("RedCat", kind="read", ids=an_id).code == "unknown-message"


def test_one_unknown_id_refuses_the_whole_command(shop: Shop) -> None:
    shop.refused("RedCat", kind="read", ids=f"{shop.last().id}, msg_20260101_deadbeef")
    assert folders(shop) == [1, 0, 0]


def test_a_note_from_postmaster_can_be_filed(shop: Shop) -> None:
    shop.accepted("GreenCastle", to="RedCat, RedCatt")
    (note,) = shop.messages("GreenCastle")
    shop.accepted("GreenCastle", kind="ack", ids=note.id)
    assert (shop.letters("GreenCastle"), len(shop.names("GreenCastle", "acked"))) == ([], 1)


def test_a_message_that_was_moved_by_hand_needs_no_answer(shop: Shop) -> None:
    an_id = shop.last().id
    change = shop.ask(File(shop.envelope("RedCat", drop=""), "read", (an_id,)))
    assert isinstance(change, Changeset)
    assert (change.answer, folders(shop)) == ("", [0, 1, 0])


def test_a_filed_message_goes_to_the_leaf_of_its_own_hour(shop: Shop) -> None:
    message = shop.last()
    shop.now = NOW.replace(month=6)
    for n in range(layout.LEAF):
        shop.tree.put(f"shop/agents/RedCat/read/2026/01/01/00/full{n}.md", b"")
    change = shop.accepted("RedCat", kind="read", ids=message.id)
    assert change.puts[0].path.startswith("shop/agents/RedCat/read/2026/01/01/00/001/")
    assert shop.accepted("RedCat", kind="ack", ids=message.id).drops == (change.puts[0].path,)


@pytest.mark.parametrize("kind", ["read", "ack"])
def test_a_blind_recipient_who_reads_does_not_tell_the_log_which_message(shop: Shop, kind: str) -> None:
    open_one = shop.last().id
    blind = shop.accepted("GreenCastle", to="BlueLake", bcc="RedCat", subject="blind", ack_within="60")
    its_id = dict(blind.trailers)["Message-Id"]
    change = shop.accepted("RedCat", kind=kind, ids=f"{its_id}, {open_one}")
    assert [len(shop.names("RedCat", folder)) for folder in ("inbox", "read" if kind == "read" else "acked")] == [0, 2]
    assert its_id not in change.message() and dict(change.trailers)["Message-Id"] == open_one
    assert change.subject == f"{kind}: RedCat: (blind), {open_one}"
    assert its_id in shop.accepted("BlueLake", kind=kind, ids=its_id).message()
