"""Roles, groups, queues and boards: who may say who stands for whom, and what mail to them does."""

from itertools import pairwise

import pytest
import yaml

from gitmaild.model.errors import Refusal
from gitmaild.model.settings import Settings
from gitmaild.rules.boards import files
from gitmaild.rules.claims import taken_from
from tests.build import Shop


@pytest.fixture
def shop() -> Shop:
    return Shop("GreenCastle", "RedCat", "BlueLake")


def ask(shop: Shop, kind: str, **fields: str) -> str:
    """The status of what the Overseer asks for, or the code of its refusal."""
    answer = shop.drop("Overseer", kind=kind, **fields)
    return answer.code if isinstance(answer, Refusal) else str(yaml.safe_load(answer.answer)["status"])


def posted(shop: Shop, where: str, name: str) -> int:
    return sum(1 for _ in files(where, name, shop.mailbox))


# --- roles


def test_mail_to_a_role_goes_to_its_holder_and_shows_both_names(shop: Shop) -> None:
    assert ask(shop, "role-bind", role="Orchestrator", agent="GreenCastle") == "bound"
    change = shop.accepted("RedCat", to="Orchestrator", subject="done")
    (message,) = shop.messages("GreenCastle")
    assert (message.to, message.roles) == (("Orchestrator",), ("Orchestrator=GreenCastle",))
    assert change.recipients == ("GreenCastle inbox",)


def test_binding_a_role_anew_is_history(shop: Shop) -> None:
    ask(shop, "role-bind", role="Mayor", agent="GreenCastle", about="runs the town")
    change = shop.accepted("Overseer", kind="role-bind", role="Mayor", agent="RedCat")
    assert change.subject == "role: Mayor is RedCat, who follows GreenCastle"
    shop.accepted("BlueLake", to="Mayor", subject="hello")
    assert (shop.letters("RedCat"), shop.letters("GreenCastle")) == (["BlueLake: hello"], [])
    assert shop.mailbox.directory().roles["Mayor"].about == "runs the town"


def test_the_same_binding_again_changes_nothing(shop: Shop) -> None:
    ask(shop, "role-bind", role="Mayor", agent="GreenCastle")
    assert shop.accepted("Overseer", kind="role-bind", role="Mayor", agent="GreenCastle").puts == ()


def test_a_default_for_leases_is_taken_back_with_nought(shop: Shop) -> None:
    ask(shop, "role-bind", role="Mayor", agent="GreenCastle", lease_seconds="4h")
    ask(shop, "group", name="crew", members="RedCat", lease_seconds="15m")
    directory = shop.mailbox.directory()
    assert [directory.lease_seconds(agent) for agent in ("GreenCastle", "RedCat", "BlueLake")] == [14400, 900, 0]
    assert ask(shop, "role-bind", role="Mayor", lease_seconds="0") == "bound"
    assert ask(shop, "group", name="crew", lease_seconds="0") == "changed"
    directory = shop.mailbox.directory()
    assert [directory.lease_seconds(agent) for agent in ("GreenCastle", "RedCat")] == [0, 0]
    assert ask(shop, "role-bind", role="Mayor", lease_seconds="8d") == "bad-time-span"


def test_a_role_that_nobody_holds_bounces_by_its_name(shop: Shop) -> None:
    ask(shop, "role-bind", role="Mayor", agent="GreenCastle")
    assert ask(shop, "role-unbind", role="Mayor") == "vacant"
    assert shop.refused("RedCat", to="Mayor").code == "vacant"
    assert ask(shop, "role-unbind", role="Major") == "unknown-role"


def test_a_holder_who_has_retired_bounces_with_its_reason(shop: Shop) -> None:
    ask(shop, "role-bind", role="Mayor", agent="GreenCastle")
    shop.accepted("GreenCastle", kind="retire", reason="all done")
    refusal = shop.refused("RedCat", to="Mayor")
    assert (refusal.code, refusal.reason) == ("retired", "GreenCastle has retired: all done")


@pytest.mark.parametrize("role", ["GreenCastle", "mayor", "Overseer", "Postmaster", "Everyone", "May-or"])
def test_what_cannot_be_a_role_is_refused(shop: Shop, role: str) -> None:
    assert ask(shop, "role-bind", role=role, agent="GreenCastle") == "bad-role"


def test_a_role_is_held_by_an_agent(shop: Shop) -> None:
    refusal = shop.refused("Overseer", kind="role-bind", role="Mayor", agent="GreenCastel")
    assert (refusal.code, "did you mean GreenCastle?" in refusal.reason) == ("unknown-agent", True)


def test_only_the_overseer_and_editors_say_who_stands_for_whom(shop: Shop) -> None:
    refusal = shop.refused("RedCat", kind="role-bind", role="Mayor", agent="RedCat")
    assert (refusal.code, "directory_editors" in refusal.mend) == ("not-an-editor", True)
    assert shop.refused("RedCat", kind="group", name="cats", members="RedCat").code == "not-an-editor"
    ask(shop, "role-bind", role="Mayor", agent="RedCat")
    shop.limits = Settings(directory_editors=("Mayor",))
    shop.accepted("RedCat", kind="group", name="cats", members="RedCat")
    assert shop.refused("BlueLake", kind="group", name="cats", delete="yes").code == "not-an-editor"


# --- groups


def test_a_group_is_one_copy_for_each_member_but_the_sender(shop: Shop) -> None:
    assert ask(shop, "group", name="polecats", members="RedCat, BlueLake, GreenCastle") == "made"
    change = shop.accepted("GreenCastle", to="@polecats, RedCat", subject="stop")
    assert change.recipients == ("RedCat inbox", "BlueLake inbox")
    assert shop.last().to == ("polecats", "RedCat")


def test_groups_hold_groups_and_roles(shop: Shop) -> None:
    ask(shop, "role-bind", role="Mayor", agent="BlueLake")
    ask(shop, "group", name="cats", members="RedCat")
    ask(shop, "group", name="town", members="cats, Mayor, RedCat")
    assert shop.accepted("GreenCastle", to="town").recipients == ("RedCat inbox", "BlueLake inbox")


@pytest.mark.parametrize("ring", [["one"], ["one", "two"], ["one", "two", "three"]])
def test_a_group_cannot_hold_itself_at_whatever_depth(shop: Shop, ring: list[str]) -> None:
    for name in ring:
        ask(shop, "group", name=name, members="RedCat")
    for outer, inner in pairwise(ring):
        assert ask(shop, "group", name=outer, add=inner) == "changed"
    assert ask(shop, "group", name=ring[-1], add=ring[0]) == "group-cycle"


def test_members_come_and_go(shop: Shop) -> None:
    ask(shop, "group", name="cats", members="RedCat")
    ask(shop, "group", name="cats", add="BlueLake")
    ask(shop, "group", name="cats", remove="RedCat")
    assert shop.mailbox.directory().lists["cats"].members == ("BlueLake",)
    assert ask(shop, "group", name="cats", add="BlueLake") == "unchanged"


def test_who_has_retired_is_passed_over_by_a_group(shop: Shop) -> None:
    ask(shop, "group", name="cats", members="RedCat, BlueLake")
    shop.accepted("RedCat", kind="retire")
    assert shop.accepted("GreenCastle", to="cats").recipients == ("BlueLake inbox",)


def test_a_group_that_is_gone_bounces(shop: Shop) -> None:
    ask(shop, "group", name="cats", members="RedCat")
    assert ask(shop, "group", name="cats", delete="yes") == "deleted"
    assert shop.refused("GreenCastle", to="cats").code == "unknown-agent"
    assert ask(shop, "group", name="cats", delete="yes") == "unknown-group"


@pytest.mark.parametrize("name", ["everyone", "RedCat", "x", "two words", "-x", "../x"])
def test_what_cannot_be_a_group_is_refused(shop: Shop, name: str) -> None:
    assert ask(shop, "group", name=name, members="RedCat") == "bad-name"


def test_one_name_is_one_kind_of_list(shop: Shop) -> None:
    ask(shop, "group", name="cats", members="RedCat")
    assert ask(shop, "board", name="cats") == "name-taken"


def test_a_slip_of_the_pen_gets_what_was_meant(shop: Shop) -> None:
    ask(shop, "group", name="polecats", members="RedCat")
    assert "did you mean polecats?" in shop.refused("GreenCastle", to="polecat").reason


# --- queues


def test_mail_to_a_queue_goes_to_exactly_one_claimer(shop: Shop) -> None:
    ask(shop, "queue", name="reviewers", members="RedCat, BlueLake")
    shop.accepted("GreenCastle", to="reviewers", subject="look at br-1")
    message = shop.last()
    assert (shop.letters("RedCat"), posted(shop, "queues", "reviewers")) == ([], 1)
    first = yaml.safe_load(shop.accepted("RedCat", kind="claim", queue="reviewers").answer)
    second = yaml.safe_load(shop.accepted("BlueLake", kind="claim", queue="reviewers").answer)
    assert (first["status"], first["ids"], second["status"]) == ("claimed", [message.id], "empty")
    assert (shop.letters("RedCat"), shop.letters("BlueLake")) == (["GreenCastle: look at br-1"], [])


def test_a_claim_that_is_not_acknowledged_in_time_goes_back(shop: Shop) -> None:
    ask(shop, "queue", name="reviewers", claim_seconds="30m")
    shop.accepted("GreenCastle", to="reviewers", subject="look")
    shop.accepted("RedCat", kind="claim", queue="reviewers")
    message = shop.messages("RedCat")[0]
    shop.accepted("RedCat", kind="read", ids=message.id)
    assert shop.later(29 * 60) == []
    assert shop.later(120) == [f"return: reviewers: {message.id} from RedCat"]
    assert (posted(shop, "queues", "reviewers"), shop.letters("RedCat", "read")) == (1, [])
    assert shop.letters("RedCat") == [f"Postmaster: returned to reviewers: {message.id}"]
    shop.accepted("BlueLake", kind="claim", queue="reviewers")
    assert shop.letters("BlueLake") == ["GreenCastle: look"]


def test_what_is_acknowledged_is_done_and_stays(shop: Shop) -> None:
    ask(shop, "queue", name="reviewers", claim_seconds="30m")
    shop.accepted("GreenCastle", to="reviewers", subject="look")
    shop.accepted("RedCat", kind="claim", queue="reviewers")
    shop.accepted("RedCat", kind="ack", ids=shop.messages("RedCat")[0].id)
    assert (shop.later(3600), list(taken_from(shop.mailbox))) == ([], [])
    assert shop.letters("RedCat", "acked") == ["GreenCastle: look"]


def test_what_was_claimed_may_be_given_back(shop: Shop) -> None:
    ask(shop, "queue", name="reviewers")
    shop.accepted("GreenCastle", to="reviewers", subject="look")
    message = shop.last()
    shop.accepted("RedCat", kind="claim", queue="reviewers", ids=message.id)
    assert shop.refused("BlueLake", kind="give-back", ids=message.id).code == "not-claimed"
    shop.accepted("RedCat", kind="give-back", ids=message.id)
    assert (shop.letters("RedCat"), posted(shop, "queues", "reviewers")) == ([], 1)


def test_who_was_written_to_besides_the_queue_may_claim_and_keeps_its_own_copy(shop: Shop) -> None:
    ask(shop, "queue", name="reviewers", members="RedCat, BlueLake", claim_seconds="30m")
    shop.accepted("GreenCastle", to="reviewers, RedCat", subject="both")
    message = shop.last()
    said = yaml.safe_load(shop.accepted("RedCat", kind="claim", queue="reviewers").answer)
    assert (said["status"], said["ids"]) == ("claimed", [message.id])
    assert [(taken.agent, taken.own) for taken in taken_from(shop.mailbox)] == [("RedCat", True)]
    shop.accepted("RedCat", kind="give-back", ids=message.id)
    assert (shop.letters("RedCat"), posted(shop, "queues", "reviewers")) == (["GreenCastle: both"], 1)
    shop.accepted("RedCat", kind="claim", queue="reviewers")
    assert shop.later(1801) == [f"return: reviewers: {message.id} from RedCat"]
    assert shop.letters("RedCat")[:1] == ["GreenCastle: both"]
    shop.accepted("BlueLake", kind="claim", queue="reviewers")
    assert (shop.letters("BlueLake"), posted(shop, "queues", "reviewers")) == (["GreenCastle: both"], 0)


def test_who_has_acknowledged_a_message_is_done_with_it_when_it_claims_it(shop: Shop) -> None:
    ask(shop, "queue", name="reviewers", members="RedCat")
    shop.accepted("GreenCastle", to="reviewers, RedCat", subject="both")
    message = shop.last()
    shop.accepted("RedCat", kind="ack", ids=message.id)
    said = yaml.safe_load(shop.accepted("RedCat", kind="claim", queue="reviewers").answer)
    assert said["ids"] == [message.id]
    assert (list(taken_from(shop.mailbox)), posted(shop, "queues", "reviewers")) == ([], 0)


def test_a_queue_whose_members_stand_for_nobody_is_closed_and_not_open_to_all(shop: Shop) -> None:
    ask(shop, "role-bind", role="Refinery", about="merges")
    ask(shop, "queue", name="merge-queue", members="Refinery")
    shop.accepted("GreenCastle", to="merge-queue", subject="ready")
    assert shop.refused("BlueLake", kind="claim", queue="merge-queue").code == "not-a-member"
    ask(shop, "role-bind", role="Refinery", agent="BlueLake")
    shop.accepted("BlueLake", kind="claim", queue="merge-queue")
    assert shop.letters("BlueLake") == ["GreenCastle: ready"]


def test_only_members_claim_and_only_from_a_queue(shop: Shop) -> None:
    ask(shop, "queue", name="reviewers", members="RedCat")
    ask(shop, "board", name="news")
    assert shop.refused("BlueLake", kind="claim", queue="reviewers").code == "not-a-member"
    assert "did you mean reviewers?" in shop.refused("RedCat", kind="claim", queue="reviewer").reason
    assert shop.refused("RedCat", kind="claim", queue="news").code == "unknown-queue"


# --- boards


def test_what_is_posted_is_seen_by_all_and_is_in_nobodys_inbox(shop: Shop) -> None:
    change = shop.accepted("GreenCastle", to="general", subject="no merges after noon")
    assert change.recipients == ("general posted",)
    assert dict(change.trailers)["Posted"] == "boards/general"
    assert [shop.letters(agent) for agent in ("RedCat", "BlueLake", "GreenCastle")] == [[], [], []]
    assert posted(shop, "boards", "general") == 1


def test_a_board_keeps_its_newest(shop: Shop) -> None:
    ask(shop, "board", name="news", keep="3")
    for number in range(5):
        shop.accepted("GreenCastle", to="news", subject=f"news {number}")
    names = [name for name, _ in files("boards", "news", shop.mailbox)]
    assert [name.rsplit("_", 2)[1] for name in names] == ["news-2", "news-3", "news-4"]


# --- what a role reserves for


def test_a_lease_without_a_time_has_that_of_the_role_or_the_group(shop: Shop) -> None:
    ask(shop, "role-bind", role="Mayor", agent="GreenCastle", lease_seconds="4h")
    ask(shop, "group", name="crew", members="RedCat", lease_seconds="15m")
    for agent, seconds in (("GreenCastle", 4 * 3600), ("RedCat", 900), ("BlueLake", 3600)):
        shop.reserve(agent, f"src/{agent}")
        assert shop.mailbox.holdings().of(agent)[0].ttl_seconds == seconds
    ask(shop, "group", name="crew", lease_seconds="30m")
    shop.reserve("RedCat", "tests/**")
    assert shop.mailbox.holdings().of("RedCat")[-1].ttl_seconds == 1800
    shop.reserve("RedCat", "docs/**", ttl_seconds="60")
    assert shop.mailbox.holdings().of("RedCat")[-1].ttl_seconds == 60
