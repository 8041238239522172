"""Planning a message: its thread, its recipients, its copies, the note where some of them bounce."""

from dataclasses import replace
from hashlib import sha256

import pytest

from gitmaild.model import layout
from gitmaild.model.changeset import Changeset, Put
from gitmaild.model.errors import Refusal
from gitmaild.model.settings import Settings
from gitmaild.rules import render
from gitmaild.rules.parse import parse
from gitmaild.rules.plan import plan
from gitmaild.rules.send import copies
from tests.build import NOW, Shop, a_message, a_send, an_attachment, an_envelope


@pytest.fixture
def shop() -> Shop:
    return Shop("GreenCastle", "RedCat", "BlueLake")


def trailers(change: Changeset) -> dict[str, str]:
    return dict(change.trailers)


# --- one message


def test_a_message_is_one_blob_at_its_canonical_place_and_in_each_inbox(shop: Shop) -> None:
    change = shop.accepted("GreenCastle", to="RedCat, BlueLake", subject="lunch?", thread_id="br-1")
    message = a_message(id="msg_20260101_00000005", thread_id="br-1", to=("RedCat", "BlueLake"))
    name = "2026/01/01/00/20260101T000000.000000Z_normal_GreenCastle_lunch_00000005.md"
    assert change == Changeset(
        subject="deliver: GreenCastle -> RedCat, BlueLake: lunch?",
        author="GreenCastle",
        at=NOW,
        puts=(
            Put("shop/messages/2026/01/01/00/msg_20260101_00000005.md", render.message(message)),
            Put(f"shop/agents/RedCat/inbox/{name}", render.message(message)),
            Put(f"shop/agents/BlueLake/inbox/{name}", render.message(message)),
            Put("shop/agents/RedCat/met/GreenCastle", b"2026-01-01\n"),
            Put("shop/agents/BlueLake/met/GreenCastle", b"2026-01-01\n"),
            Put(f"shop/participants/{sha256(b'br-1').hexdigest()[:2]}/br-1", b"GreenCastle\nRedCat\nBlueLake\n"),
        ),
        trailers=(
            ("Command", "message cmd_20260101_00000005"),
            ("Project", "shop"),
            ("From", "GreenCastle"),
            ("Drop", "note"),
            ("Message-Id", "msg_20260101_00000005"),
            ("Thread-Id", "br-1"),
            ("To", "RedCat, BlueLake"),
            ("Result", "delivered"),
        ),
        recipients=("RedCat inbox", "BlueLake inbox"),
        messages=(message,),
    )


def test_a_message_without_a_thread_starts_one_named_after_itself(shop: Shop) -> None:
    shop.accepted("GreenCastle", to="RedCat")
    assert shop.last().thread_id == shop.last().id


def test_whatever_was_dropped_is_in_the_message(shop: Shop) -> None:
    shop.accepted(
        "GreenCastle",
        "a\r\nb\r\n",
        to="RedCat",
        subject="  x  ",
        importance="high",
        ack_required="yes",
        labels="[a, b]",
        date="now",
    )
    assert shop.last() == a_message(
        id=shop.last().id,
        thread_id=shop.last().id,
        subject="x",
        importance="high",
        ack_required=True,
        extra=(("labels", "[a, b]"), ("date", "now")),
        body="a\r\nb\r\n",
    )


@pytest.mark.parametrize("own", ["br-123, HANDOFF", "[br-123, HANDOFF]", "\n- br-123\n- HANDOFF"])
def test_tags_that_repeat_the_subject_are_the_subject_s(shop: Shop, own: str) -> None:
    shop.accepted("GreenCastle", to="RedCat", subject="[br-123] [HANDOFF] Auth API", tags=own)
    assert shop.last() == a_message(
        id=shop.last().id, created=shop.last().created, thread_id=shop.last().id, subject="[br-123] [HANDOFF] Auth API"
    )


def test_mail_to_oneself_arrives(shop: Shop) -> None:
    shop.accepted("GreenCastle", to="GreenCastle", subject="Test message", thread_id="test")
    assert shop.letters("GreenCastle") == ["GreenCastle: Test message"]


def test_everyone_is_everyone_but_the_sender_and_the_overseer(shop: Shop) -> None:
    change = shop.accepted("GreenCastle", to="everyone", subject="x")
    assert [len(shop.letters(name)) for name in ("RedCat", "BlueLake", "GreenCastle", "Overseer")] == [1, 1, 0, 0]
    assert (shop.last().to, change.subject) == (("everyone",), "deliver: GreenCastle -> BlueLake, RedCat: x")


def test_who_is_in_to_is_not_in_cc_as_well(shop: Shop) -> None:
    shop.accepted("GreenCastle", to="RedCat", cc="RedCat, BlueLake")
    assert (shop.last().to, shop.last().cc) == (("RedCat",), ("BlueLake",))
    assert (len(shop.letters("RedCat")), len(shop.letters("BlueLake"))) == (1, 1)


def test_an_address_with_the_own_project_is_named_in_the_log(shop: Shop) -> None:
    change = shop.accepted("GreenCastle", to="RedCat@shop", subject="x")
    assert (change.subject, trailers(change)["To"]) == ("deliver: GreenCastle -> RedCat: x", "RedCat")


def test_the_log_names_eight_and_counts_the_rest() -> None:
    agents = [f"Agent{letter}x" for letter in "ABCDEFGHIJ"]
    shop = Shop("GreenCastle", *agents)
    change = shop.accepted("GreenCastle", to="everyone", subject="x")
    assert change.subject == f"deliver: GreenCastle -> {', '.join(agents[:8])}, 2 more: x"
    assert trailers(change)["To"] == ", ".join(agents)


def test_trailers_cannot_be_forged_through_a_subject(shop: Shop) -> None:
    change = shop.accepted("GreenCastle", to="RedCat", subject="Thread-Id: br-9", thread_id="br-1")
    assert change.message().count("\nThread-Id: ") == 1
    assert trailers(change)["Thread-Id"] == "br-1"


def test_attachments_are_kept_by_their_hash_and_named_in_the_message(shop: Shop) -> None:
    file = an_attachment()
    change = plan(a_send(files=(file,)), shop.mailbox, NOW, Settings())
    assert isinstance(change, Changeset)
    assert change.puts[-1] == Put(f"shop/attachments/{file.sha256[:2]}/{file.sha256}/report.txt", b"all green\n")
    assert render.parse_message(change.puts[0].data).attachments == (f"{file.sha256}/report.txt",)


def test_attachments_over_the_limit_are_refused_with_limit_and_size(shop: Shop) -> None:
    files = (an_attachment(), an_attachment("b.txt", b"more\n"))
    answer = plan(a_send(files=files), shop.mailbox, NOW, Settings(attachments_limit=14))
    assert answer == Refusal(
        "too-large", "attachments: 15 bytes; limit 14", "attach less, or send several messages", "attachments"
    )
    assert isinstance(plan(a_send(files=files), shop.mailbox, NOW, Settings(attachments_limit=15)), Changeset)


def test_copies_go_to_the_leaf_that_takes_the_next_entry(shop: Shop) -> None:
    for n in range(layout.LEAF):
        shop.tree.put(f"shop/agents/RedCat/inbox/2026/01/01/00/full{n}.md", b"")
    canonical, red, blue = copies(a_message(), ["RedCat", "BlueLake"], shop.mailbox)
    assert canonical.path == "shop/messages/2026/01/01/00/msg_20260101_00000001.md"
    assert "/inbox/2026/01/01/00/001/" in red.path and "/inbox/2026/01/01/00/2026" in blue.path


# --- blind recipients


def blind_spots(change: Changeset) -> str:
    """Everything that somebody else may read: log, headers, bodies, without the paths of the copies."""
    return change.message() + repr(change.recipients) + b"".join(put.data for put in change.puts).decode()


def test_a_blind_recipient_gets_a_copy_and_is_named_nowhere(shop: Shop) -> None:
    change = shop.accepted("GreenCastle", to="RedCat", bcc="BlueLake", subject="x")
    assert shop.letters("BlueLake") == ["GreenCastle: x"]
    assert "BlueLake" not in blind_spots(change)
    assert change.subject == "deliver: GreenCastle -> RedCat: x"


def test_mail_to_blind_recipients_alone_says_so(shop: Shop) -> None:
    change = shop.accepted("GreenCastle", bcc="BlueLake, RedCat", subject="x")
    assert (change.subject, trailers(change)["To"]) == ("deliver: GreenCastle -> (blind): x", "")
    assert "BlueLake" not in blind_spots(change) and "RedCat" not in blind_spots(change)


@pytest.mark.parametrize("blind", ["Overseer", "GreenCastle"])
def test_who_is_blind_beside_everyone_is_not_named_with_everyone(shop: Shop, blind: str) -> None:
    change = shop.accepted("GreenCastle", to="everyone", bcc=blind, subject="x")
    assert shop.letters(blind) == ["GreenCastle: x"]
    assert trailers(change)["To"] == "BlueLake, RedCat"
    assert change.subject == "deliver: GreenCastle -> BlueLake, RedCat: x"


def test_a_request_that_is_repeated_does_not_tell_the_log_of_blind_recipients(shop: Shop) -> None:
    fields = {"to": "RedCat", "bcc": "BlueLake, TestAgentt", "subject": "x", "request_id": "r1"}
    shop.accepted("GreenCastle", **fields)
    again = shop.accepted("GreenCastle", **fields)
    assert trailers(again)["Result"] == "repeated"
    assert "BlueLake" not in again.message() and "TestAgentt" not in again.message()


def test_a_blind_recipient_who_bounces_is_told_to_the_sender_alone(shop: Shop) -> None:
    change = shop.accepted("GreenCastle", to="RedCat", bcc="BlueLakes", subject="x")
    assert "BlueLakes" not in change.message()
    assert "BlueLakes" not in shop.last().body + repr(shop.last().extra)
    assert shop.letters("GreenCastle") == ["Postmaster: not delivered to BlueLakes: x"]


@pytest.mark.parametrize("bcc", ["BlueLakes", "../BlueLakes", "Postmaster"])
def test_a_refusal_over_a_blind_recipient_does_not_tell_the_log_whom(shop: Shop, bcc: str) -> None:
    refusal = shop.refused("GreenCastle", bcc=bcc)
    note = shop.note(refusal, "GreenCastle")
    assert note is not None
    assert refusal.field == "bcc" and bcc not in note.message()
    assert bcc in shop.messages("GreenCastle")[0].body


@pytest.mark.parametrize("line", ["bcc BlueLake", '"bcc": BlueLake', "-bcc:BlueLake"])
def test_a_line_that_was_to_name_blind_recipients_is_not_quoted_in_the_log(shop: Shop, line: str) -> None:
    refusal = parse(f"---\nto: RedCat\n{line}\n---\n".encode(), an_envelope(), Settings())
    assert isinstance(refusal, Refusal) and "BlueLake" in refusal.reason
    note = shop.note(refusal, "GreenCastle")
    assert note is not None and "BlueLake" not in note.message()


def test_a_note_to_somebody_else_cannot_be_answered_and_gives_its_subject_to_nobody(shop: Shop) -> None:
    shop.accepted("GreenCastle", to="RedCat", bcc="BlueLakes", subject="x")
    (note,) = (message.id for message in shop.messages("GreenCastle"))
    assert shop.refused("RedCat", to="BlueLake", in_reply_to=note).code == "unknown-message"
    assert "BlueLakes" in shop.accepted("GreenCastle", to="RedCat", in_reply_to=note).subject


# --- bounces


def test_who_is_known_gets_the_mail_and_the_sender_a_note_about_the_rest(shop: Shop) -> None:
    change = shop.accepted("GreenCastle", to="RedCat, RedCatt", subject="lunch?")
    assert shop.letters("RedCat") == ["GreenCastle: lunch?"]
    assert trailers(change)["Result"] == "partly"
    assert change.recipients == ("RedCat inbox", "RedCatt bounced: no agent 'RedCatt'; did you mean RedCat?")
    (note,) = shop.messages("GreenCastle")
    assert (note.sender, note.to, note.importance, note.in_reply_to) == (
        "Postmaster",
        ("GreenCastle",),
        "high",
        shop.last().id,
    )
    assert note.extra == (("bounced", ("RedCatt: no agent 'RedCatt'; did you mean RedCat? (unknown-agent)",)),)
    assert note.body == (
        f"\nYour message {shop.last().id} was not delivered to everybody:\n\n"
        "- RedCatt: no agent 'RedCatt'; did you mean RedCat? (unknown-agent)\n\n"
        "Everybody else has it. Send it again to the right name alone.\n"
    )


def test_where_nobody_can_get_it_the_message_is_refused_with_all_reasons(shop: Shop) -> None:
    assert shop.refused("GreenCastle", to="RedCatt", cc="BlueLak") == Refusal(
        "unknown-agent",
        "no agent 'RedCatt'; did you mean RedCat?; no agent 'BlueLak'; did you mean BlueLake?",
        "correct the name in to: and drop the file again",
        "to",
    )


def test_a_message_to_somebody_who_has_retired_is_refused(shop: Shop) -> None:
    shop.accepted("RedCat", kind="retire", reason="done")
    refusal = shop.refused("GreenCastle", to="RedCat")
    assert (refusal.code, refusal.reason) == ("retired", "RedCat has retired: done")


def test_a_message_to_everyone_of_one_is_refused() -> None:
    assert Shop("GreenCastle").refused("GreenCastle", to="everyone").code == "no-recipient"


def test_a_subject_that_is_full_still_fits_its_note(shop: Shop) -> None:
    shop.accepted("GreenCastle", to="RedCat, RedCatt", subject="x" * 200)
    assert len(shop.messages("GreenCastle")[0].subject) == 200


# --- limits


def test_recipients_are_counted_after_groups_are_expanded() -> None:
    shop = Shop("GreenCastle", "RedCat", "BlueLake", limits=Settings(recipient_limit=1))
    assert shop.refused("GreenCastle", to="everyone") == Refusal(
        "too-many-recipients", "2 recipients; limit 1", "write to a group", "to"
    )


def test_who_is_named_twice_counts_once() -> None:
    shop = Shop("GreenCastle", "RedCat", "BlueLake", limits=Settings(recipient_limit=2))
    assert shop.accepted("GreenCastle", to="everyone, RedCat").recipients == ("BlueLake inbox", "RedCat inbox")


# --- replies


def reply(shop: Shop, agent: str, **fields: str) -> Changeset:
    return shop.accepted(agent, in_reply_to=shop.last().id, **fields)


def test_a_reply_goes_to_the_sender_in_the_same_thread_under_re(shop: Shop) -> None:
    shop.accepted("GreenCastle", to="RedCat", cc="BlueLake", subject="[br-123] Start: Auth API", thread_id="br-123")
    original = shop.last()
    reply(shop, "RedCat")
    answer = shop.last()
    assert (answer.to, answer.cc, answer.subject, answer.thread_id, answer.in_reply_to) == (
        ("GreenCastle",),
        (),
        "RE: [br-123] Start: Auth API",
        "br-123",
        original.id,
    )


@pytest.mark.parametrize("subject", ["RE: lunch?", "Re: lunch?", "re:lunch?"])
def test_a_reply_to_a_reply_has_one_re(shop: Shop, subject: str) -> None:
    shop.accepted("GreenCastle", to="RedCat", subject=subject)
    reply(shop, "RedCat")
    assert shop.last().subject == subject


def test_what_a_reply_says_itself_is_kept(shop: Shop) -> None:
    shop.accepted("GreenCastle", to="RedCat", subject="lunch?", thread_id="br-1")
    reply(shop, "RedCat", to="BlueLake", subject="dinner?", thread_id="br-2")
    answer = shop.last()
    assert (answer.to, answer.subject, answer.thread_id) == (("BlueLake",), "dinner?", "br-2")


@pytest.mark.parametrize("key", ["cc", "bcc"])
def test_a_reply_that_names_anybody_goes_to_nobody_else(shop: Shop, key: str) -> None:
    shop.accepted("GreenCastle", to="RedCat")
    reply(shop, "RedCat", **{key: "BlueLake"})
    assert (shop.last().to, shop.letters("GreenCastle"), len(shop.letters("BlueLake"))) == ((), [], 1)


def test_an_empty_subject_of_a_reply_stays_empty(shop: Shop) -> None:
    shop.accepted("GreenCastle", to="RedCat", subject="lunch?")
    reply(shop, "RedCat", subject="")
    assert shop.last().subject == ""


@pytest.mark.parametrize("key", ["to", "cc"])
def test_a_reply_to_ones_own_message_goes_to_its_recipients(shop: Shop, key: str) -> None:
    shop.accepted("GreenCastle", **{key: "RedCat, BlueLake"})
    reply(shop, "GreenCastle")
    assert shop.last().to == ("RedCat", "BlueLake")


def test_a_subject_that_is_full_is_cut_behind_its_re(shop: Shop) -> None:
    shop.accepted("GreenCastle", to="RedCat", subject="x" * 200)
    reply(shop, "RedCat")
    assert shop.last().subject == "RE: " + "x" * 196


@pytest.mark.parametrize(
    "an_id", ["msg_20260101_deadbeef", "msg_20269999_deadbeef", "msg_99991231_deadbeef", "msg_00000000_deadbeef"]
)
def test_a_reply_to_a_message_that_is_not_there_is_refused(shop: Shop, an_id: str) -> None:
    assert shop.refused("RedCat", in_reply_to=an_id) == Refusal(
        "unknown-message",
        f"in_reply_to: there is no message {an_id}",
        "copy the id from the first line of the message that you answer",
        "in_reply_to",
    )


def test_a_reply_to_a_note_is_refused_since_postmaster_reads_no_mail(shop: Shop) -> None:
    shop.accepted("GreenCastle", to="RedCat, RedCatt")
    (note,) = shop.messages("GreenCastle")
    refusal = shop.refused("GreenCastle", in_reply_to=note.id)
    assert refusal.code == "no-reader"


def test_the_same_command_plans_the_same_commit(shop: Shop) -> None:
    command = replace(a_send(), to=("RedCat", "RedCatt"), bcc=("BlueLake",))
    assert plan(command, shop.mailbox, NOW, Settings()) == plan(command, shop.mailbox, NOW, Settings())
