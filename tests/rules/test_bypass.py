"""What is recorded of a commit that went past the guard."""

from datetime import timedelta

import pytest

from gitmaild.model.changeset import Changeset
from gitmaild.model.commands import Bypass
from gitmaild.rules.bypass import bypass
from tests.build import Shop

COMMIT = "1234567890abcdef1234567890abcdef12345678"


@pytest.fixture
def shop() -> Shop:
    shop = Shop("GreenCastle", "RedCat", "BlueLake")
    shop.accepted("RedCat", kind="reserve", paths="src/api/**", reason="br-123")
    shop.now += timedelta(minutes=5)
    return shop


def look(shop: Shop, *paths: str, agent: str = "GreenCastle", ago: float = 1.0) -> Changeset | None:
    at = (shop.now - timedelta(seconds=ago)).replace(microsecond=0)
    command = Bypass(shop.envelope("Postmaster"), COMMIT, at, paths, agent, "/shop")
    change = bypass(command, shop.mailbox, shop.now)
    shop.now += timedelta(seconds=1)
    if change:
        shop.tree.apply(change)
    return change


def test_a_commit_to_what_another_holds_is_recorded_and_told_to_the_holder_and_the_overseer(shop: Shop) -> None:
    change = look(shop, "src/api/routes.py", "README.md")
    assert change
    assert change.subject == "guard.bypassed: GreenCastle: 1234567890ab: src/api/routes.py"
    assert (change.author, dict(change.trailers)["Commit"]) == ("gitmaild", COMMIT)
    assert shop.letters("RedCat") == shop.letters("Overseer")
    assert len(shop.names("RedCat")) == 1
    assert shop.names("GreenCastle") == []
    assert change.messages[0].subject == "guard.bypassed: 1234567890ab touches src/api/routes.py"
    assert "src/api/routes.py: RedCat held src/api/**" in change.messages[0].body


@pytest.mark.parametrize(
    ("paths", "agent"),
    [
        pytest.param(("README.md",), "GreenCastle", id="nothing of it is held"),
        pytest.param(("src/api/routes.py",), "RedCat", id="the holder made it"),
    ],
)
def test_other_commits_are_nobodys_business(shop: Shop, paths: tuple[str, ...], agent: str) -> None:
    assert look(shop, *paths, agent=agent) is None


def test_a_commit_that_nobody_is_known_to_have_made_is_somebodys(shop: Shop) -> None:
    change = look(shop, "src/api/routes.py", agent="")
    assert change
    assert change.subject.startswith("guard.bypassed: somebody: ")


def test_what_is_on_record_is_not_recorded_again(shop: Shop) -> None:
    assert look(shop, "src/api/routes.py")
    assert look(shop, "src/api/routes.py", ago=2.0) is None


def test_a_lease_that_has_ended_since_counts_for_when_the_commit_was_made(shop: Shop) -> None:
    shop.accepted("RedCat", kind="release")
    shop.now += timedelta(minutes=5)
    assert look(shop, "src/api/routes.py", ago=60) is None
    assert look(shop, "src/api/routes.py", ago=400)


def test_a_commit_from_before_the_lease_is_not_past_it(shop: Shop) -> None:
    assert look(shop, "src/api/routes.py", ago=1000) is None


def test_a_shared_lease_refuses_nothing_and_so_nothing_goes_past_it(shop: Shop) -> None:
    shop.accepted("BlueLake", kind="reserve", paths="docs/**", exclusive="no")
    shop.now += timedelta(minutes=1)
    assert look(shop, "docs/a.md") is None


def test_names_that_are_no_text_are_shown_without_harm(shop: Shop) -> None:
    change = look(shop, "src/api/\udce9\x1b[2J\n.py")
    assert change
    assert "src/api/??[2J?.py" in change.messages[0].body
    assert change.message().encode()
    assert change.puts[0].data.decode()


def test_many_files_are_counted(shop: Shop) -> None:
    change = look(shop, *(f"src/api/{n}.py" for n in range(30)))
    assert change
    assert change.subject.endswith("src/api/0.py, src/api/1.py, src/api/10.py and 27 more")
    assert "- and 10 more" in change.messages[0].body
