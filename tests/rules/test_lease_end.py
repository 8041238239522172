"""A holder extends its lease or lets it go, or the Overseer ends it."""

from datetime import timedelta
from typing import Any

import pytest
import yaml

from gitmaild.model.changeset import Changeset
from gitmaild.model.commands import Reserve
from gitmaild.model.ids import stamp
from gitmaild.model.lease import EXPIRED, RELEASED
from tests.build import NOW, Shop


@pytest.fixture
def shop() -> Shop:
    return Shop("GreenCastle", "RedCat", "BlueLake")


def _said(change: Changeset) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(change.answer)
    return found


def _renewed(shop: Shop, agent: str, **fields: str) -> dict[str, str]:
    """What a renewal made of each lease's end."""
    said = _said(shop.accepted(agent, kind="renew", **fields))
    assert said["status"] == "renewed"
    return {row.get("pattern", row.get("slot")): row["expires"] for row in said["leases"]}


def _at(seconds: float) -> str:
    return stamp(NOW + timedelta(seconds=seconds))


# --- renew


def test_a_renewal_holds_for_a_whole_term_from_now_and_never_for_less_than_before(shop: Shop) -> None:
    lease = shop.reserve("GreenCastle", "src/**", ttl_seconds="600")["granted"][0]
    shop.later(99)
    assert _renewed(shop, "GreenCastle") == {"src/**": _at(700)}
    shop.reserve("GreenCastle", "src/**", ttl_seconds="3000")
    assert _renewed(shop, "GreenCastle") == {"src/**": _at(3101)}
    assert shop.mailbox.holdings().leases[0].id == lease["id"]


def test_a_renewal_by_so_much_moves_the_end_by_just_that(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/**", ttl_seconds="600")
    assert _renewed(shop, "GreenCastle", extend_seconds="1800") == {"src/**": _at(2400)}
    assert _renewed(shop, "GreenCastle", extend_seconds="30m") == {"src/**": _at(4200)}


def test_a_renewal_names_leases_by_path_slot_or_id_or_means_all(shop: Shop) -> None:
    an_id = shop.reserve("GreenCastle", "a, b, c", slots="build", ttl_seconds="60")["granted"][0]["id"]
    shop.reserve("RedCat", "d")
    assert set(_renewed(shop, "GreenCastle", paths="./b", slots="build")) == {"b", "build"}
    assert set(_renewed(shop, "GreenCastle", leases=an_id, paths="a, c")) == {"a", "c"}
    assert set(_renewed(shop, "GreenCastle")) == {"a", "b", "c", "build"}


def test_a_lease_cannot_be_extended_beyond_the_longest_term(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/**")
    refusal = shop.refused("GreenCastle", kind="renew", extend_seconds="7d")
    assert (refusal.code, refusal.field) == ("too-long", "extend_seconds")
    assert _at(1 + 7 * 86_400) in refusal.reason


def test_what_is_lost_cannot_be_renewed(shop: Shop) -> None:
    an_id = shop.reserve("GreenCastle", "src/**", ttl_seconds="60")["granted"][0]["id"]
    assert shop.later(60) == ["expire: GreenCastle: src/**"]
    for fields in ({}, {"paths": "src/**"}, {"leases": an_id}):
        refusal = shop.refused("GreenCastle", kind="renew", **fields)
        assert (refusal.code, "expired" in refusal.reason) == ("not-held", True)
    assert shop.refused("GreenCastle", kind="renew", slots="build").code == "not-held"


def test_nobody_renews_or_releases_what_somebody_else_holds(shop: Shop) -> None:
    an_id = shop.reserve("GreenCastle", "src/**")["granted"][0]["id"]
    for kind in ("renew", "release"):
        for fields in ({"paths": "src/**"}, {"leases": an_id}):
            assert (
                shop.refused("RedCat", kind=kind, reason="mine", **fields).code == "not-held" if kind == "release" else True
            )
            assert shop.refused("RedCat", kind=kind, **fields).code == "not-held"
    assert shop.held == ["GreenCastle: src/**"]


def test_one_that_is_not_held_spoils_the_whole_command(shop: Shop) -> None:
    shop.reserve("GreenCastle", "a", ttl_seconds="600")
    for kind in ("renew", "release"):
        assert "'b'" in shop.refused("GreenCastle", kind=kind, paths="a, b").reason.replace("b is", "'b' is")
    assert shop.held == ["GreenCastle: a"]
    assert stamp(shop.mailbox.holdings().leases[0].expires) == _at(600)


@pytest.mark.parametrize("seconds", [0, 50])
def test_in_its_first_term_a_lease_may_be_renewed_though_somebody_waits(shop: Shop, seconds: int) -> None:
    shop.reserve("GreenCastle", "src/**", ttl_seconds="60")
    shop.reserve("RedCat", "src/a", wait_seconds="600")
    shop.later(seconds)
    assert _renewed(shop, "GreenCastle") == {"src/**": _at(62 + seconds)}


@pytest.mark.parametrize("exclusive", ["yes", "no"])
def test_after_its_first_term_it_may_not_where_somebody_waits_who_could_have_it(shop: Shop, exclusive: str) -> None:
    shop.reserve("GreenCastle", "src/**", ttl_seconds="60", exclusive=exclusive)
    _renewed(shop, "GreenCastle", extend_seconds="600")
    shop.reserve("RedCat", "src/a", wait_seconds="6000", reason="br-2")
    shop.later(60)
    refusal = shop.refused("GreenCastle", kind="renew")
    assert (refusal.code, "RedCat waits for it" in refusal.reason, _at(660) in refusal.mend) == ("lease-wanted", True, True)
    assert shop.held == ["GreenCastle: src/**"]
    assert shop.later(600) == ["expire: GreenCastle: src/**", "grant: RedCat: src/a"]


def test_after_its_first_term_it_may_where_who_waits_waits_for_something_else(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/**", ttl_seconds="60")
    shop.reserve("BlueLake", "docs")
    shop.reserve("RedCat", "docs", wait_seconds="6000")
    _renewed(shop, "GreenCastle", extend_seconds="600")
    shop.later(60)
    assert set(_renewed(shop, "GreenCastle")) == {"src/**"}


# --- release


def test_a_release_frees_all_of_ones_own_and_counts_them(shop: Shop) -> None:
    shop.reserve("GreenCastle", "a, b", slots="build")
    shop.reserve("RedCat", "c")
    change = shop.accepted("GreenCastle", kind="release")
    assert (_said(change)["status"], _said(change)["count"]) == ("released", 3)
    assert change.subject == "release: GreenCastle: a, b, slot build"
    assert shop.held == ["RedCat: c"]
    assert _said(shop.accepted("GreenCastle", kind="release"))["count"] == 0


def test_a_released_lease_is_kept_with_the_time_of_its_end(shop: Shop) -> None:
    an_id = shop.reserve("GreenCastle", "src/**")["granted"][0]["id"]
    change = shop.accepted("GreenCastle", kind="release", leases=an_id)
    [ended] = shop.mailbox.ended_leases()
    assert (ended.id, ended.state, ended.ended, ended.because) == (an_id, RELEASED, change.at, "")
    assert shop.tree.paths("shop/leases") == []
    assert dict(change.trailers)["Lease-State"] == RELEASED


def test_ended_leases_are_listed_the_newest_end_first(shop: Shop) -> None:
    shop.reserve("GreenCastle", "a", ttl_seconds="60")
    shop.reserve("GreenCastle", "b")
    shop.reserve("GreenCastle", "c")
    shop.accepted("GreenCastle", kind="release", paths="c")
    shop.later(60)
    shop.later(86_400)
    assert [(x.thing.pattern, x.state) for x in shop.mailbox.ended_leases()] == [
        ("b", EXPIRED), ("a", EXPIRED), ("c", RELEASED),
    ]  # fmt: skip


def test_what_is_released_is_free_at_once_and_gets_another_id_and_fence(shop: Shop) -> None:
    first = shop.reserve("GreenCastle", "src/**")["granted"][0]
    shop.accepted("GreenCastle", kind="release", paths="src/**")
    second = shop.reserve("RedCat", "src/**")["granted"][0]
    shop.accepted("RedCat", kind="release")
    third = shop.reserve("GreenCastle", "src/**")["granted"][0]
    assert [row["fence"] for row in (first, second, third)] == [1, 2, 3]
    assert len({row["id"] for row in (first, second, third)}) == 3


@pytest.mark.parametrize("kind", ["renew", "release"])
def test_a_literal_path_is_named_as_it_was_reserved_with_its_mark_or_without(shop: Shop, kind: str) -> None:
    path = "app/[slug]/page.tsx"
    for named in (path, f":(literal){path}"):
        command = Reserve(shop.envelope("GreenCastle"), (path,), ttl_seconds=60, existing=frozenset({path}))
        assert isinstance(shop.ask(command), Changeset)
        shop.accepted("GreenCastle", kind=kind, paths=named)
    assert len(shop.held) == (1 if kind == "renew" else 0)


def test_the_pattern_is_meant_where_both_the_pattern_and_the_literal_path_are_held(shop: Shop) -> None:
    path = "app/[slug]/page.tsx"
    shop.reserve("GreenCastle", f"{path}, :(literal){path}")
    shop.accepted("GreenCastle", kind="release", paths=path)
    assert shop.held == [f"GreenCastle: :(literal){path}"]


def test_a_part_of_what_is_held_cannot_be_released(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/**")
    assert shop.refused("GreenCastle", kind="release", paths="src/a").code == "not-held"
    assert shop.refused("GreenCastle", kind="release", paths="src").code == "not-held"


@pytest.mark.parametrize("path", ["../x", "!x", "/etc"])
def test_a_path_that_nobody_can_hold_is_refused_as_such_or_is_not_held(shop: Shop, path: str) -> None:
    assert shop.refused("GreenCastle", kind="release", paths=path).code in ("bad-pattern", "not-held")


# --- by force


def test_the_overseer_ends_anybodys_lease_and_its_holder_is_told_why(shop: Shop) -> None:
    an_id = shop.reserve("GreenCastle", "src/**, docs")["granted"][0]["id"]
    change = shop.accepted("Overseer", kind="release", leases=an_id, reason="GreenCastle is gone")
    assert change.subject == "release: Overseer: src/**: GreenCastle is gone"
    assert shop.held == ["GreenCastle: docs"]
    assert shop.letters("GreenCastle") == ["Postmaster: Overseer released src/**"]
    [note] = shop.messages("GreenCastle")
    assert "GreenCastle is gone" in note.body and an_id in note.body
    [ended] = shop.mailbox.ended_leases()
    assert (ended.state, ended.because) == (RELEASED, "GreenCastle is gone")


def test_each_holder_is_told_of_its_own_leases_alone(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/**", exclusive="no")
    shop.reserve("RedCat", "src/**, docs", exclusive="no")
    shop.accepted("Overseer", kind="release", paths="src/**, docs", reason="a release is due")
    assert shop.letters("GreenCastle") == ["Postmaster: Overseer released src/**"]
    assert shop.letters("RedCat") == ["Postmaster: Overseer released src/**, docs"]
    assert shop.letters("Overseer") == []


def test_by_force_takes_a_reason(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/**")
    for fields in ({}, {"reason": ""}, {"reason": '""'}):
        assert shop.refused("Overseer", kind="release", paths="src/**", **fields).code == "no-reason"
    assert shop.held == ["GreenCastle: src/**"]


def test_the_overseer_who_names_nothing_ends_only_its_own(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/**")
    shop.reserve("Overseer", "docs")
    assert _said(shop.accepted("Overseer", kind="release"))["count"] == 1
    assert shop.held == ["GreenCastle: src/**"]
    assert shop.refused("Overseer", kind="renew").code == "not-held"


def test_who_is_next_in_the_queue_gets_what_the_overseer_has_freed(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/**")
    shop.reserve("RedCat", "src/a", wait_seconds="600")
    shop.accepted("Overseer", kind="release", paths="src/**", reason="x")
    assert shop.tend() == ["grant: RedCat: src/a"]


def test_a_reason_in_a_release_of_ones_own_is_not_kept(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/**")
    shop.accepted("GreenCastle", kind="release", reason="done")
    assert [lease.because for lease in shop.mailbox.ended_leases()] == [""]


# --- answers


@pytest.mark.parametrize("kind", ["renew", "release"])
def test_a_request_id_gets_the_first_answer_again(shop: Shop, kind: str) -> None:
    shop.reserve("GreenCastle", "src/**", ttl_seconds="60")
    first = shop.accepted("GreenCastle", kind=kind, request_id="r1")
    again = shop.accepted("GreenCastle", kind=kind, request_id="r1")
    assert (again.answer, again.puts, again.drops) == (first.answer, (), ())


def test_an_unknown_field_is_listed_with_the_one_that_was_meant(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/**")
    assert "extend_seconds" in _said(shop.accepted("GreenCastle", kind="renew", extend_second="60"))["ignored"][0]
    assert _said(shop.accepted("GreenCastle", kind="release", colour="red"))["ignored"] == ["colour"]


# --- the queue


def test_a_release_of_all_takes_ones_requests_out_of_the_queue_as_well() -> None:
    shop = Shop("GreenCastle", "RedCat")
    shop.accepted("GreenCastle", kind="reserve", paths="src/**")
    shop.accepted("RedCat", kind="reserve", paths="src/api", wait_seconds="600")
    change = shop.accepted("RedCat", kind="release")
    assert "withdrawn: 1" in change.answer
    assert change.subject == "release: RedCat: no longer waits for src/api"
    assert shop.mailbox.holdings().waiting == []
    assert len(shop.mailbox.holdings().leases) == 1


def test_a_request_is_taken_back_by_what_it_asked_for_and_nobody_elses_is() -> None:
    shop = Shop("GreenCastle", "RedCat", "BlueLake")
    shop.accepted("GreenCastle", kind="reserve", paths="src/**", slots="build")
    shop.accepted("RedCat", kind="reserve", paths="src/api", wait_seconds="600")
    shop.accepted("RedCat", kind="reserve", slots="build", wait_seconds="600")
    shop.accepted("BlueLake", kind="reserve", paths="src/api", wait_seconds="600")
    shop.accepted("RedCat", kind="release", paths="src/api")
    assert [(r.agent, *map(str, r.things)) for r in shop.mailbox.holdings().waiting] == [
        ("RedCat", "slot build"),
        ("BlueLake", "src/api"),
    ]
    assert shop.refused("RedCat", kind="release", paths="src/api").code == "not-held"


def test_a_renewal_of_all_leaves_out_what_is_wanted_and_says_so() -> None:
    shop = Shop("GreenCastle", "RedCat")
    shop.accepted("GreenCastle", kind="reserve", paths="src/**, docs/**", ttl_seconds="60")
    shop.accepted("RedCat", kind="reserve", paths="src/api", wait_seconds="600")
    shop.now += timedelta(seconds=59)
    change = shop.accepted("GreenCastle", kind="renew")
    assert "src/**" in change.answer.partition("wanted:")[2]
    assert "docs/**" in change.answer.partition("wanted:")[0]
    assert shop.refused("GreenCastle", kind="renew", paths="src/**").code == "lease-wanted"
