"""Recipients to fates."""

import pytest

from gitmaild.rules.contacts import Letter
from gitmaild.rules.fate import Bounce, Deliver, Fate
from gitmaild.rules.route import route
from tests.build import Shop


@pytest.fixture
def shop() -> Shop:
    shop = Shop("GreenCastle", "RedCat", "BlueLake", "TestAgent")
    shop.accepted("TestAgent", kind="retire", reason=r'"moved\nto the library"')
    return shop


def fates(shop: Shop, *recipients: str, sender: str = "GreenCastle") -> list[Fate]:
    letter = Letter(sender, "shop", "br-1", "normal", None, shop.now)
    return route(recipients, letter, shop.mailbox, shop.limits)


@pytest.mark.parametrize(
    ("recipients", "agents"),
    [
        (["RedCat"], ["RedCat"]),
        (["RedCat", "BlueLake"], ["RedCat", "BlueLake"]),
        (["BlueLake", "RedCat", "BlueLake"], ["BlueLake", "RedCat"]),
        (["GreenCastle"], ["GreenCastle"]),
        (["Overseer"], ["Overseer"]),
        (["everyone"], ["BlueLake", "RedCat"]),
        (["everyone", "GreenCastle"], ["BlueLake", "RedCat", "GreenCastle"]),
        (["RedCat", "everyone"], ["RedCat", "BlueLake"]),
        (["everyone", "Overseer"], ["BlueLake", "RedCat", "Overseer"]),
        (["RedCat@shop"], ["RedCat"]),
        (["RedCat@shop", "RedCat"], ["RedCat"]),
        (["everyone@shop"], ["BlueLake", "RedCat"]),
        ([], []),
    ],
)
def test_every_recipient_gets_one_copy_in_the_order_written(shop: Shop, recipients: list[str], agents: list[str]) -> None:
    assert fates(shop, *recipients) == [Deliver(agent) for agent in agents]


@pytest.mark.parametrize(
    ("address", "code", "reason"),
    [
        ("RedCatt", "unknown-agent", "no agent 'RedCatt'; did you mean RedCat?"),
        ("redcat", "unknown-agent", "no agent 'redcat'; did you mean RedCat?"),
        ("Oversear", "unknown-agent", "no agent 'Oversear'; did you mean Overseer?"),
        ("ZzzzZzzz", "unknown-agent", "no agent 'ZzzzZzzz'; agents here: BlueLake, GreenCastle, RedCat, TestAgent"),
        ("TestAgent", "retired", "TestAgent has retired: moved to the library"),
        ("Postmaster", "no-reader", "Postmaster reads no mail; see its note for what to do"),
        ("RedCat@shopp", "unknown-project", "no project 'shopp' in this home; did you mean shop?"),
        ("everyone@library", "unknown-project", "no project 'library' in this home"),
    ],
)
def test_who_cannot_get_mail_bounces_with_a_reason(shop: Shop, address: str, code: str, reason: str) -> None:
    assert fates(shop, address) == [Bounce(address, code, reason)]


def test_where_nobody_has_registered_the_reason_says_so() -> None:
    assert fates(Shop(), "ZzzzZzzz") == [
        Bounce("ZzzzZzzz", "unknown-agent", "no agent 'ZzzzZzzz'; nobody has registered yet")
    ]


def test_a_bounce_stands_beside_the_deliveries(shop: Shop) -> None:
    assert fates(shop, "RedCatt", "RedCat") == [
        Bounce("RedCatt", "unknown-agent", "no agent 'RedCatt'; did you mean RedCat?"),
        Deliver("RedCat"),
    ]


def test_a_name_in_wrong_case_counts_as_the_right_one_beside_it(shop: Shop) -> None:
    assert fates(shop, "redcat", "RedCat") == [Deliver("RedCat")]


def test_everyone_of_one_is_nobody() -> None:
    assert fates(Shop("GreenCastle"), "everyone") == []


def test_a_bounce_is_told_in_one_line() -> None:
    assert Bounce("RedCatt", "unknown-agent", "no agent 'RedCatt'").text() == "RedCatt: no agent 'RedCatt' (unknown-agent)"
