"""Questions to a mailbox tree."""

from datetime import timedelta

import pytest

from gitmaild.model import layout
from gitmaild.model.layout import LEAF
from gitmaild.rules import render
from gitmaild.rules.mailbox import Held, Mailbox, Profile, parse_profile
from tests.build import NOW, Shop, a_message
from tests.fakes import DictTree

HOUR = "shop/messages/2026/01/01/00"


def a_tree_with(*paths: str) -> Mailbox:
    return Mailbox(DictTree((path, b"") for path in paths), "shop")


def test_a_project_exists_once_it_is_founded() -> None:
    assert Shop().mailbox.exists()
    assert not Mailbox(DictTree(), "shop").exists()


# --- people


def test_the_overseer_is_an_agent_from_the_start() -> None:
    assert Shop("RedCat", "GreenCastle").mailbox.agents() == ["GreenCastle", "Overseer", "RedCat"]


def test_a_directory_without_a_profile_is_no_agent() -> None:
    assert a_tree_with("shop/agents/RedCat/inbox/x", "shop/agents/profile.yaml").agents() == []


def test_everyone_is_who_is_active_but_not_the_overseer() -> None:
    shop = Shop("GreenCastle", "RedCat", "BlueLake")
    shop.accepted("RedCat", kind="retire")
    assert shop.mailbox.everyone() == ["BlueLake", "GreenCastle"]


def test_a_retired_agents_name_stays_taken() -> None:
    shop = Shop("RedCat")
    shop.accepted("RedCat", kind="retire")
    assert shop.mailbox.taken() == {"redcat", "overseer"}


def test_nobody_has_no_profile() -> None:
    assert Shop().mailbox.profile("RedCat") is None


def test_a_damaged_profile_still_says_that_the_agent_exists() -> None:
    assert parse_profile("RedCat", b"\xff\xff") == Profile("RedCat")


def test_two_profiles_of_the_same_bytes_are_two_agents() -> None:
    mailbox = Mailbox(
        DictTree([("shop/agents/RedCat/profile.yaml", b"x"), ("shop/agents/BlueLake/profile.yaml", b"x")]), "shop"
    )
    assert [mailbox.profile(name) for name in ("RedCat", "BlueLake")] == [Profile("RedCat"), Profile("BlueLake")]


# --- messages


def test_a_message_is_found_by_its_id() -> None:
    message = a_message()
    mailbox = Mailbox(DictTree([(f"{HOUR}/{message.id}.md", render.message(message))]), "shop")
    assert mailbox.message(message.id) == message


@pytest.mark.parametrize("place", ["2026/01/01/23", "2026/01/01/23/001", "2026/01/02/00"])
def test_a_message_is_found_in_any_leaf_of_its_day_and_beyond_midnight(place: str) -> None:
    path = f"shop/messages/{place}/msg_20260101_00000001.md"
    assert a_tree_with(path).canonical("msg_20260101_00000001") == path


def test_the_turn_of_the_year_is_a_midnight_too() -> None:
    path = "shop/messages/2027/01/01/00/msg_20261231_00000001.md"
    assert a_tree_with(path).canonical("msg_20261231_00000001") == path


@pytest.mark.parametrize(
    "an_id",
    [
        "",
        "..",
        "../../etc",
        "msg_20260101_00000002",
        "msg_20269999_00000001",
        "msg_00000000_00000001",
        "msg_99991231_00000001",
        "msg_20260230_00000001",
    ],
)
def test_an_id_that_no_message_has_is_not_found(an_id: str) -> None:
    mailbox = a_tree_with(f"{HOUR}/msg_20260101_00000001.md")
    assert (mailbox.canonical(an_id), mailbox.message(an_id)) == ("", None)


def test_a_canonical_copy_that_cannot_be_read_is_no_message() -> None:
    assert a_tree_with(f"{HOUR}/msg_20260101_00000001.md").message("msg_20260101_00000001") is None


def test_a_copy_is_held_where_its_recipient_has_filed_it() -> None:
    shop = Shop("GreenCastle", "RedCat")
    shop.accepted("GreenCastle", to="RedCat")
    (name,) = shop.names("RedCat")
    assert shop.mailbox.held("RedCat", name) == Held("RedCat", "inbox", f"shop/agents/RedCat/inbox/2026/01/01/00/{name}")
    assert shop.mailbox.held("GreenCastle", name) is None
    assert shop.mailbox.held("RedCat", "../../x") is None


def test_the_holders_of_a_message_are_the_named_ones_first() -> None:
    shop = Shop("GreenCastle", "RedCat", "BlueLake")
    shop.accepted("GreenCastle", to="RedCat", cc="GreenCastle", bcc="BlueLake")
    assert [held.agent for held in shop.mailbox.holders(shop.last())] == ["RedCat", "GreenCastle", "BlueLake"]


def test_a_message_that_bounced_in_part_has_a_note() -> None:
    shop = Shop("GreenCastle", "RedCat")
    shop.accepted("GreenCastle", to="RedCat, RedCatt", subject="lunch?")
    note = shop.mailbox.note(shop.last())
    assert note is not None and note.subject == "not delivered to RedCatt: lunch?"


def test_files_are_listed_oldest_first_through_all_leaves() -> None:
    shop = Shop("GreenCastle", "RedCat")
    for n in range(LEAF + 2):
        shop.now = NOW + timedelta(minutes=n)
        shop.accepted("GreenCastle", to="RedCat", subject=f"n{n}")
    assert [name[:23] for name in shop.names("RedCat")] == sorted(name[:23] for name in shop.names("RedCat"))
    assert len(shop.names("RedCat")) == LEAF + 2


# --- leaves


def leaf_after(*sizes: int, hour: int = LEAF) -> str:
    """The leaf for the next entry where the hour holds `hour` messages and its numbered leaves these many."""
    paths = [f"{HOUR}/msg_20260101_{n:08x}.md" for n in range(hour)]
    for number, size in enumerate(sizes, 1):
        paths += [f"{HOUR}/{number:03d}/msg_20260101_{number:04x}{n:04x}.md" for n in range(size)]
    return a_tree_with(*paths).leaf(HOUR).removeprefix(HOUR)


@pytest.mark.parametrize(
    ("hour", "sizes", "leaf"),
    [
        (0, (), ""),
        (LEAF - 1, (), ""),
        (LEAF, (), "/001"),
        (LEAF, (1,), "/001"),
        (LEAF, (LEAF - 1,), "/001"),
        (LEAF, (LEAF,), "/002"),
        (LEAF, (LEAF, LEAF, 3), "/003"),
        (LEAF, (LEAF, LEAF, LEAF), "/004"),
    ],
)
def test_an_hour_holds_its_first_entries_and_numbered_leaves_the_rest(hour: int, sizes: tuple[int, ...], leaf: str) -> None:
    assert leaf_after(*sizes, hour=hour) == leaf


def test_the_thousandth_leaf_follows_the_nine_hundred_and_ninety_ninth() -> None:
    paths = [f"{HOUR}/msg_20260101_{n:08x}.md" for n in range(LEAF)]
    paths += [f"{HOUR}/{number}/msg_20260101_000000{n:02x}.md" for number in (999, 1000) for n in range(LEAF)]
    assert a_tree_with(*paths).leaf(HOUR) == f"{HOUR}/1001"


def test_a_storm_of_mail_fills_leaves_that_stay_small_and_every_message_is_found() -> None:
    shop = Shop("GreenCastle", "RedCat")
    for n in range(3 * LEAF + 5):
        shop.now = NOW + timedelta(seconds=n)
        shop.accepted("GreenCastle", to="RedCat", subject=f"n{n}")
    leaves = list(shop.mailbox.leaves_of("shop/agents/RedCat/inbox/2026/01/01/00"))
    assert [leaf[-3:] for leaf in leaves] == ["/00", "001", "002", "003"]
    files = [sum(not name.endswith("/") for name in shop.tree.names(leaf)) for leaf in leaves]
    assert files == [LEAF, LEAF, LEAF, 5]
    assert shop.letters("RedCat") == [f"GreenCastle: n{n}" for n in range(3 * LEAF + 5)]
    assert all(layout.recognise(path) for path in shop.tree.paths("shop/agents/RedCat/inbox"))
