"""A commit as an event: what its trailers say, and nothing that they hide."""

from dataclasses import replace

from gitmaild.model.changeset import Changeset
from gitmaild.model.history import Recorded
from gitmaild.rules.events import event, is_of
from tests.build import Shop


def recorded(change: Changeset, **over: object) -> Recorded:
    seconds = int(change.at.timestamp())
    commit = Recorded("ab" * 20, (), change.author, "gitmaild <gitmaild@localhost>", seconds, seconds, change.message())
    return replace(commit, **over)  # type: ignore[arg-type]


def test_a_delivery_tells_who_to_whom_and_which_ids() -> None:
    shop = Shop("GreenCastle", "RedCat", "BlueLake")
    change = shop.accepted("GreenCastle", to="RedCat", cc="BlueLake", subject="lunch?", thread_id="br-123")
    assert event(recorded(change)) == {
        "commit": "ab" * 20,
        "at": "2026-01-01T00:00:00.000000Z",
        "kind": "message",
        "project": "shop",
        "from": "GreenCastle",
        "subject": "deliver: GreenCastle -> RedCat, BlueLake: lunch?",
        "command_id": "cmd_20260101_00000005",
        "to": ["RedCat", "BlueLake"],
        "message_ids": ["msg_20260101_00000005"],
        "thread_id": "br-123",
        "result": "delivered",
    }


def test_blind_recipients_are_in_no_event() -> None:
    shop = Shop("GreenCastle", "RedCat", "BlueLake")
    change = shop.accepted("GreenCastle", to="RedCat", bcc="BlueLake", subject="x")
    assert "BlueLake" not in str(event(recorded(change)))


def test_several_ids_of_one_command_come_as_a_list() -> None:
    shop = Shop("GreenCastle", "RedCat")
    for _ in range(2):
        shop.accepted("GreenCastle", to="RedCat", subject="x")
    ids = [message.id for message in shop.messages("RedCat")]
    assert event(recorded(shop.accepted("RedCat", kind="ack", ids=", ".join(ids))))["message_ids"] == ids


def test_a_reservation_tells_its_leases() -> None:
    shop = Shop("GreenCastle")
    told = event(recorded(shop.accepted("GreenCastle", kind="reserve", paths="src/api/**", reason="br-123")))
    assert (told["kind"], told["lease_state"], len(told["lease_ids"])) == ("reserve", "active", 1)  # type: ignore[arg-type]


def test_a_commit_that_gitmaild_did_not_make_is_foreign_and_is_not_believed() -> None:
    commit = Recorded("cd" * 20, (), "Mallory", "Mallory <m@x>", 0, 0, "hello\n\nFrom: GreenCastle\nTo: RedCat\n")
    assert event(commit) == {
        "commit": "cd" * 20,
        "at": "1970-01-01T00:00:00.000000Z",
        "kind": "foreign",
        "project": "",
        "from": "Mallory",
        "subject": "hello",
    }
    assert is_of(commit, "shop")


def test_a_time_that_no_calendar_has_is_the_first() -> None:
    commit = Recorded("cd" * 20, (), "Mallory", "Mallory <m@x>", 0, 1 << 60, "hello\n")
    assert event(commit)["at"] == "1970-01-01T00:00:00.000000Z"


def test_a_project_has_its_own_events_and_the_foreign_ones() -> None:
    shop = Shop("GreenCastle")
    commit = recorded(shop.accepted("GreenCastle", kind="register", task_description="x"))
    assert [is_of(commit, name) for name in ("shop", "", "other")] == [True, True, False]
