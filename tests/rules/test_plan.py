"""Commands to changesets: who may speak, repeated requests, notes about refusals."""

import pytest

from gitmaild.model.changeset import Changeset, parse_commit_message
from gitmaild.model.commands import File, Found
from gitmaild.model.errors import Refusal
from gitmaild.model.settings import Settings
from gitmaild.rules import render
from gitmaild.rules.mailbox import Mailbox
from gitmaild.rules.plan import plan, refusal_note
from tests.build import NOW, Shop, an_envelope
from tests.fakes import DictTree

REFUSAL = Refusal("no-recipient", "no recipient", 'add "to:"', "to")


# --- who may speak


@pytest.mark.parametrize("fields", [{"to": "RedCat"}, {"kind": "retire"}, {"kind": "read", "ids": "msg_20260101_00000001"}])
def test_who_is_not_registered_is_told_how(fields: dict[str, str]) -> None:
    refusal = Shop("RedCat").refused("GreenCastle", **fields)
    assert (refusal.code, refusal.reason) == ("not-registered", "from_agent not registered: GreenCastle")
    assert "kind: register" in refusal.mend


@pytest.mark.parametrize("agent", ["steve", "Postmaster", "MyAgent123", ".git"])
def test_a_desk_that_breaks_the_naming_rule_is_told_the_rule(agent: str) -> None:
    assert Shop("RedCat").refused(agent, to="RedCat").code == "bad-name"


def test_the_overseer_may_write_from_the_start() -> None:
    shop = Shop("RedCat")
    shop.accepted("Overseer", to="RedCat", subject="status?")
    assert shop.letters("RedCat") == ["Overseer: status?"]


# --- repeated requests


@pytest.fixture
def shop() -> Shop:
    return Shop("GreenCastle", "RedCat", "BlueLake")


def test_a_repeated_request_gets_the_first_answer_and_changes_nothing(shop: Shop) -> None:
    shop.accepted("GreenCastle", to="RedCat, RedCatt", subject="x", thread_id="br-1", request_id="r1")
    first = shop.last()
    again = shop.accepted("GreenCastle", to="RedCat, RedCatt", subject="x", thread_id="br-1", request_id="r1")
    assert again == Changeset(
        subject="repeat: GreenCastle: request r1 again",
        author="GreenCastle",
        at=again.at,
        trailers=(
            ("Command", f"repeat cmd_20260101_{shop.commands:08x}"),
            ("Project", "shop"),
            ("From", "GreenCastle"),
            ("Drop", "note"),
            ("Result", "repeated"),
        ),
        answer=(
            f"id: {first.id}\nthread_id: br-1\nstatus: partly\nrecipients:\n- RedCat inbox\n"
            "- \"RedCatt bounced: no agent 'RedCatt'; did you mean RedCat?\"\n"
        ),
    )
    assert shop.letters("RedCat") == ["GreenCastle: x"]


def test_a_request_may_be_repeated_again_and_again(shop: Shop) -> None:
    answers = [shop.accepted("GreenCastle", to="RedCat", request_id="r1").answer for _ in range(4)]
    assert len(set(answers[1:])) == 1 and len(shop.letters("RedCat")) == 1


def test_the_same_request_id_with_other_bytes_is_refused(shop: Shop) -> None:
    shop.accepted("GreenCastle", to="RedCat", request_id="r1")
    assert shop.refused("GreenCastle", to="BlueLake", request_id="r1") == Refusal(
        "request-id-used",
        "request_id 'r1' was used on 2026-01-01T00:00:00.000000Z with other bytes",
        "use a fresh request_id for a fresh request",
        "request_id",
    )


def test_a_request_id_is_its_senders_own(shop: Shop) -> None:
    shop.accepted("GreenCastle", to="RedCat", request_id="r1")
    shop.accepted("BlueLake", to="RedCat", request_id="r1")
    assert len(shop.letters("RedCat")) == 2


def test_a_request_that_was_refused_may_be_mended_under_its_id(shop: Shop) -> None:
    shop.refused("GreenCastle", to="RedCatt", request_id="r1")
    shop.accepted("GreenCastle", to="RedCat", request_id="r1")
    assert len(shop.letters("RedCat")) == 1


def test_two_drops_of_the_same_words_without_a_request_id_are_two_messages(shop: Shop) -> None:
    for _ in range(2):
        shop.accepted("GreenCastle", to="RedCat", subject="x")
    assert shop.letters("RedCat") == ["GreenCastle: x"] * 2


@pytest.mark.parametrize("fields", [{"kind": "register", "program": "x"}, {"kind": "retire"}])
def test_other_commands_are_remembered_with_their_whole_answer(shop: Shop, fields: dict[str, str]) -> None:
    first = shop.accepted("RedCat", request_id="r1", **fields)
    if fields["kind"] == "retire":
        shop.accepted("RedCat", kind="register")
    assert shop.accepted("RedCat", request_id="r1", **fields).answer == first.answer


@pytest.mark.parametrize("request_id", ["../../x", "a/b", ".git", "日本", "x" * 200, "a: b", "-"])
def test_a_request_id_of_any_text_is_kept_under_its_hash(shop: Shop, request_id: str) -> None:
    change = shop.accepted("GreenCastle", to="RedCat", request_id=request_id)
    assert change.puts[-1].path.startswith("shop/agents/GreenCastle/requests/")
    assert change.puts[-1].path.isascii() and ".." not in change.puts[-1].path
    assert shop.accepted("GreenCastle", to="RedCat", request_id=request_id).puts == ()


def test_a_command_that_has_no_answer_is_not_remembered(shop: Shop) -> None:
    shop.accepted("GreenCastle", to="RedCat")
    read = plan(
        File(an_envelope("RedCat", 9, drop="", request_id="r1"), "read", (shop.last().id,)), shop.mailbox, NOW, Settings()
    )
    opened = plan(Found(an_envelope("Overseer", 9, drop="", request_id="r1")), Mailbox(DictTree(), "shop"), NOW, Settings())
    assert isinstance(read, Changeset) and isinstance(opened, Changeset)
    assert not [put for put in (*read.puts, *opened.puts) if "/requests/" in put.path]


# --- the answer in the commit


@pytest.mark.parametrize(
    "fields",
    [{"kind": "register", "program": "a: b"}, {"kind": "retire", "reason": "x"}, {"to": "RedCat", "request_id": "r1"}],
)
def test_answer_and_trailers_are_read_back_from_the_commit(shop: Shop, fields: dict[str, str]) -> None:
    shop.accepted("GreenCastle", **{"to": "RedCat", "request_id": "r1"})
    change = shop.accepted("GreenCastle", **fields)
    trailers, answer = parse_commit_message(change.message())
    assert {**dict(change.trailers), "Accepted": trailers["Accepted"]} == trailers
    assert answer == change.answer.rstrip("\n")


# --- notes about refusals


def test_a_refusal_comes_to_its_senders_inbox_as_a_note(shop: Shop) -> None:
    change = shop.note(REFUSAL, "GreenCastle", "start.md")
    assert change is not None
    (note,) = shop.messages("GreenCastle")
    assert (note.sender, note.to, note.importance, note.subject, note.extra) == (
        "Postmaster",
        ("GreenCastle",),
        "high",
        "refused: start.md",
        (("code", "no-recipient"),),
    )
    assert note.body == (
        '\nstart.md: refused: no recipient; add "to:" (no-recipient)\n\n'
        "Your file is in rejected/, its bytes unchanged. Mend a copy and drop it again.\n"
    )
    assert change.subject == "refuse: GreenCastle: start.md: no recipient (no-recipient)"
    assert change.trailers == (
        ("Command", f"refuse cmd_20260101_{shop.commands:08x}"),
        ("Project", "shop"),
        ("Note-Id", note.id),
        ("From", "GreenCastle"),
        ("Result", "no-recipient"),
    )


def test_who_has_no_inbox_gets_no_note(shop: Shop) -> None:
    assert shop.note(REFUSAL, "TestAgent") is None


def test_who_has_retired_still_gets_a_note(shop: Shop) -> None:
    shop.accepted("RedCat", kind="retire")
    assert shop.note(REFUSAL, "RedCat") is not None


@pytest.mark.parametrize("file", ["x" * 255 + ".md", "日本.md", "a: b.md", "- x.md", "\x07\x1b[2J.md", "---.md"])
def test_a_note_about_any_file_name_is_read_back(shop: Shop, file: str) -> None:
    change = refusal_note(REFUSAL, an_envelope(), file, shop.mailbox, NOW)
    assert change is not None
    assert render.parse_message(change.puts[0].data).subject == f"refused: {file}"[:200]
    assert len(change.subject.splitlines()) == 1


def test_the_same_refusal_gives_the_same_note(shop: Shop) -> None:
    assert refusal_note(REFUSAL, an_envelope(), "a.md", shop.mailbox, NOW) == refusal_note(
        REFUSAL, an_envelope(), "a.md", shop.mailbox, NOW
    )
