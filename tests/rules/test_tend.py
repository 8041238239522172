"""What happens to leases by itself: they run out, they are handed to who waits, and their holders are warned in time."""

from datetime import timedelta

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gitmaild.model.changeset import Changeset
from gitmaild.model.lease import EXPIRED, RELEASED, Waiting
from gitmaild.rules.holdings import meet
from gitmaild.rules.tend import next_due, tend
from tests.build import NOW, Shop


@pytest.fixture
def shop() -> Shop:
    return Shop("GreenCastle", "RedCat", "BlueLake", "QuietOtter")


def _due(shop: Shop) -> float | None:
    """Seconds from NOW until leases want looking after."""
    due = next_due(shop.mailbox, shop.limits)
    return (due - NOW).total_seconds() if due else None


# --- running out


def test_a_lease_runs_out_at_its_end_and_not_before(shop: Shop) -> None:
    an_id = shop.reserve("GreenCastle", "src/**", ttl_seconds="60")["granted"][0]["id"]
    assert _due(shop) == 60
    shop.now = NOW + timedelta(seconds=60) - timedelta(microseconds=1)
    assert shop.tend() == []
    shop.now = NOW + timedelta(seconds=60)
    assert shop.tend() == ["expire: GreenCastle: src/**"]
    [ended] = shop.mailbox.ended_leases()
    assert (ended.id, ended.state, ended.ended) == (an_id, EXPIRED, NOW + timedelta(seconds=60))
    assert (shop.held, _due(shop)) == ([], None)


def test_an_expiry_is_gitmailds_commit_and_names_lease_and_holder(shop: Shop) -> None:
    an_id = shop.reserve("GreenCastle", "src/**", ttl_seconds="60")["granted"][0]["id"]
    change = tend(shop.envelope("Postmaster"), shop.mailbox, NOW + timedelta(seconds=60), shop.limits)
    assert isinstance(change, Changeset)
    said = dict(change.trailers)
    assert (change.author, said["From"], said["Lease-Id"], said["Lease-State"]) == (
        "gitmaild",
        "GreenCastle",
        an_id,
        EXPIRED,
    )


def test_nothing_runs_out_while_the_clock_is_not_trusted(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/**", ttl_seconds="60")
    shop.now += timedelta(days=30)
    assert shop.tend(expiring=False) == []
    assert shop.reserve("RedCat", "src/**")["status"] == "conflict"
    assert shop.tend() == ["expire: GreenCastle: src/**"]


def test_nobody_has_waited_long_enough_while_the_clock_is_not_trusted(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/**", ttl_seconds="60")
    shop.reserve("RedCat", "src/a", wait_seconds="60")
    shop.now += timedelta(days=30)
    assert shop.tend(expiring=False) == []
    shop.accepted("GreenCastle", kind="release")
    assert shop.tend(expiring=False) == ["grant: RedCat: src/a"]


# --- who is gone


def test_what_a_retired_agent_holds_is_released_and_what_it_waits_for_is_given_up(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/**, docs")
    shop.reserve("RedCat", "lib")
    shop.reserve("GreenCastle", "lib", wait_seconds="600")
    shop.accepted("GreenCastle", kind="retire")
    assert shop.tend() == [
        "release: GreenCastle: src/**: GreenCastle has retired",
        "release: GreenCastle: docs: GreenCastle has retired",
        "give up: GreenCastle: lib",
    ]
    assert [(x.state, x.because) for x in shop.mailbox.ended_leases()] == [(RELEASED, "GreenCastle has retired")] * 2
    assert (shop.held, shop.queue, shop.letters("GreenCastle")) == (["RedCat: lib"], [], [])
    shop.accepted("GreenCastle", kind="register")
    assert shop.tend() == []


def test_a_lease_of_somebody_who_never_registered_is_released(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/**")
    [path] = shop.tree.paths("shop/leases")
    data = shop.tree.read(path) or b""
    shop.tree.put(path, data.replace(b"GreenCastle", b"SilentWorker"))
    assert shop.tend() == ["release: SilentWorker: src/**: SilentWorker has retired"]


# --- the queue


def test_who_waits_gets_it_when_it_is_released_and_is_told_by_mail(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/**")
    waiting = shop.accepted(
        "RedCat", kind="reserve", paths="src/a, src/b", wait_seconds="600", ttl_seconds="60", reason="br-2"
    )
    request = dict(waiting.trailers)["Command"].partition(" ")[2]
    shop.accepted("GreenCastle", kind="release")
    assert shop.tend() == ["grant: RedCat: src/a, src/b"]
    assert (shop.held, shop.queue) == (["RedCat: src/a", "RedCat: src/b"], [])
    first, second = shop.mailbox.holdings().leases
    assert (first.reason, first.expires - first.granted, first.granted) == ("br-2", timedelta(seconds=60), shop.now)
    assert shop.letters("RedCat") == ["Postmaster: granted: src/a, src/b"]
    [note] = shop.messages("RedCat")
    assert dict(note.extra) == {"request": request, "leases": (first.id, second.id)}


def test_who_waits_gets_it_when_it_runs_out(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/**", ttl_seconds="60")
    shop.reserve("RedCat", "src/a", wait_seconds="600")
    assert _due(shop) == 60
    assert shop.later(60) == ["expire: GreenCastle: src/**", "grant: RedCat: src/a"]


def test_requests_are_served_in_the_order_of_asking(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/**")
    for agent in ("RedCat", "BlueLake", "QuietOtter"):
        shop.reserve(agent, "src/**", wait_seconds="6000")
    assert shop.queue == ["RedCat: src/**", "BlueLake: src/**", "QuietOtter: src/**"]
    served = []
    for agent in ("GreenCastle", "RedCat", "BlueLake", "QuietOtter"):
        shop.accepted(agent, kind="release")
        served += shop.tend()
    assert served == ["grant: RedCat: src/**", "grant: BlueLake: src/**", "grant: QuietOtter: src/**"]


def test_who_shares_is_served_together_up_to_who_wants_it_alone(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/**")
    shop.reserve("RedCat", "src/a", wait_seconds="6000", exclusive="no")
    shop.reserve("BlueLake", "src/a", wait_seconds="6000")
    shop.reserve("QuietOtter", "src/a", wait_seconds="6000", exclusive="no")
    shop.accepted("GreenCastle", kind="release")
    assert shop.tend() == ["grant: RedCat: src/a"]
    shop.accepted("RedCat", kind="release")
    assert shop.tend() == ["grant: BlueLake: src/a"]
    shop.accepted("BlueLake", kind="release")
    assert shop.tend() == ["grant: QuietOtter: src/a"]


def test_requests_for_other_paths_do_not_wait_for_each_other(shop: Shop) -> None:
    shop.reserve("GreenCastle", "a, b")
    shop.reserve("RedCat", "a", wait_seconds="6000")
    shop.reserve("BlueLake", "b", wait_seconds="6000")
    shop.accepted("GreenCastle", kind="release", paths="b")
    assert shop.tend() == ["grant: BlueLake: b"]


def test_an_early_broad_request_is_not_starved_by_later_narrow_ones(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/a", ttl_seconds="60")
    shop.reserve("QuietOtter", "src/b", ttl_seconds="90")
    shop.reserve("RedCat", "src/**", wait_seconds="6000")
    for path in ("src/c", "src/d", "src/a"):
        assert shop.reserve("BlueLake", path, wait_seconds="6000")["status"] == "waiting"
    assert shop.later(60) == ["expire: GreenCastle: src/a"]
    assert shop.later(90) == ["expire: QuietOtter: src/b", "grant: RedCat: src/**"]
    shop.accepted("RedCat", kind="release")
    assert shop.tend() == ["grant: BlueLake: src/c", "grant: BlueLake: src/d", "grant: BlueLake: src/a"]


def test_two_who_wait_for_each_other_both_get_on_once_a_lease_has_ended(shop: Shop) -> None:
    shop.reserve("GreenCastle", "a", ttl_seconds="60")
    shop.reserve("RedCat", "b", ttl_seconds="90")
    shop.reserve("GreenCastle", "b", wait_seconds="6000", ttl_seconds="60")
    shop.reserve("RedCat", "a", wait_seconds="6000", ttl_seconds="60")
    assert shop.later(60) == ["expire: GreenCastle: a", "grant: RedCat: a"]
    assert shop.later(60) == ["expire: RedCat: b", "expire: RedCat: a", "grant: GreenCastle: b"]


def test_all_or_nothing_is_granted_at_once_when_the_last_of_it_is_free(shop: Shop) -> None:
    shop.reserve("GreenCastle", "a")
    shop.reserve("QuietOtter", "b")
    shop.reserve("RedCat", "a, b, c", wait_seconds="6000", atomic="yes")
    shop.accepted("GreenCastle", kind="release")
    assert shop.tend() == []
    shop.accepted("QuietOtter", kind="release")
    assert shop.tend() == ["grant: RedCat: a, b, c"]


def test_a_grant_renews_what_its_agent_has_got_meanwhile(shop: Shop) -> None:
    shop.reserve("GreenCastle", "a")
    shop.reserve("RedCat", "a", wait_seconds="6000", ttl_seconds="60")
    shop.reserve("RedCat", "a", wait_seconds="6000", ttl_seconds="600")
    shop.accepted("GreenCastle", kind="release")
    assert shop.tend() == ["grant: RedCat: a", "grant: RedCat: a"]
    [lease] = shop.mailbox.holdings().leases
    assert lease.expires == shop.now + timedelta(seconds=600)


def test_who_has_waited_long_enough_is_told_who_still_holds_it(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/**", reason="br-1")
    shop.reserve("RedCat", "src/a", wait_seconds="60")
    assert _due(shop) == 61
    assert shop.later(59) == ["give up: RedCat: src/a"]
    assert (shop.queue, shop.letters("RedCat")) == ([], ["Postmaster: not granted in time: src/a"])
    assert "src/a is still held by GreenCastle" in shop.messages("RedCat")[0].body


def test_who_is_granted_it_in_the_very_last_moment_has_it(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/**", ttl_seconds="61")
    shop.reserve("RedCat", "src/a", wait_seconds="60")
    assert shop.later(59) == ["expire: GreenCastle: src/**", "grant: RedCat: src/a"]


def test_who_has_gone_on_long_ago_is_granted_nothing_any_more(shop: Shop) -> None:
    """Nobody looked after the leases meanwhile: the daemon was down."""
    shop.reserve("GreenCastle", "src/**", ttl_seconds="60")
    shop.reserve("RedCat", "src/a", wait_seconds="600")
    assert shop.later(6000) == ["expire: GreenCastle: src/**", "give up: RedCat: src/a"]
    assert (shop.held, shop.letters("RedCat")) == ([], ["Postmaster: not granted in time: src/a"])
    assert "It is free again" in shop.messages("RedCat")[0].body


def test_who_waited_behind_another_is_told_of_that_one(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/b")
    shop.reserve("RedCat", "src/**", wait_seconds="600")
    shop.reserve("BlueLake", "src/a", wait_seconds="60")
    shop.later(60)
    assert "src/a is wanted by RedCat, who asked first" in shop.messages("BlueLake")[0].body


def test_a_request_that_is_given_up_lets_the_next_one_pass(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/a")
    shop.reserve("RedCat", "src/**", wait_seconds="60")
    shop.reserve("BlueLake", "src/b", wait_seconds="600")
    assert shop.later(59) == ["give up: RedCat: src/**", "grant: BlueLake: src/b"]


def test_a_slot_is_handed_on_as_well(shop: Shop) -> None:
    shop.accepted("GreenCastle", kind="reserve", slots="build", ttl_seconds="60")
    shop.accepted("RedCat", kind="reserve", slots="build", wait_seconds="60")
    assert shop.later(58) == ["expire: GreenCastle: slot build", "grant: RedCat: slot build"]


# --- warnings


def test_a_holder_is_warned_once_before_the_end_for_all_that_ends_then(shop: Shop) -> None:
    shop.reserve("GreenCastle", "a, b", ttl_seconds="900")
    shop.reserve("RedCat", "c", ttl_seconds="900")
    assert _due(shop) == 600
    shop.now = NOW + timedelta(seconds=600)
    assert shop.tend() == ["warn: GreenCastle: a, b expires soon"]
    assert shop.letters("GreenCastle") == ["Postmaster: expires soon: a, b"]
    assert shop.later(1) == ["warn: RedCat: c expires soon"]
    assert shop.tend() == []
    assert _due(shop) == 900


def test_a_renewed_lease_warns_anew(shop: Shop) -> None:
    shop.reserve("GreenCastle", "a", ttl_seconds="900")
    assert len(shop.later(650)) == 1
    shop.accepted("GreenCastle", kind="renew")
    assert shop.later(100) == []
    assert shop.later(700) == ["warn: GreenCastle: a expires soon"]


@pytest.mark.parametrize(("ttl", "warned"), [("899", False), ("900", True)])
def test_a_short_lease_ends_without_a_warning(shop: Shop, ttl: str, warned: bool) -> None:
    shop.reserve("GreenCastle", "a", ttl_seconds=ttl)
    shop.now = NOW + timedelta(seconds=int(ttl) - 1)
    assert bool(shop.tend()) is warned


# --- whatever is asked


@st.composite
def _requests(draw: st.DrawFn) -> list[tuple[str, str, bool, int]]:
    paths = st.sampled_from(["a", "b", "a/x", "**/x", "{a,b}/*", "c"])
    agents = st.sampled_from(["GreenCastle", "RedCat", "BlueLake", "QuietOtter"])
    return draw(st.lists(st.tuples(agents, paths, st.booleans(), st.sampled_from([30, 60, 90])), min_size=2, max_size=10))


def _overtaken(shop: Shop, granted: Waiting, before: list[Waiting]) -> list[Waiting]:
    """Requests of others that asked earlier, wanted some of the same, and still wait."""
    now = {request.number for request in shop.mailbox.holdings().waiting}
    return [
        other
        for other in before
        if other.number < granted.number
        and other.number in now
        and other.agent != granted.agent
        and (other.exclusive or granted.exclusive)
        and any(meet(a, b) is not None for a in other.things for b in granted.things)
    ]


@settings(max_examples=settings.default.max_examples // 2)
@given(_requests())
def test_nobody_is_overtaken_by_who_asked_later_for_the_same_and_everybody_is_served(
    script: list[tuple[str, str, bool, int]],
) -> None:
    shop = Shop("GreenCastle", "RedCat", "BlueLake", "QuietOtter")
    for agent, path, exclusive, ttl in script:
        fields = {"exclusive": "yes" if exclusive else "no", "ttl_seconds": str(ttl), "wait_seconds": "6000"}
        shop.reserve(agent, path, **fields)
    for _ in range(len(script) + 1):
        shop.now += timedelta(seconds=100)
        while True:
            before = shop.mailbox.holdings().waiting
            change = tend(shop.envelope("Postmaster"), shop.mailbox, shop.now, shop.limits)
            if change is None:
                break
            shop.tree.apply(change)
            left = {request.number for request in shop.mailbox.holdings().waiting}
            for request in before:
                if request.number not in left:
                    assert change.subject.startswith("grant: ")
                    assert _overtaken(shop, request, before) == []
    assert shop.queue == [], "every lease ends, so every request is served"


def test_answers_and_notes_of_grants_are_yaml(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/{a,b}/*.py")
    shop.reserve("RedCat", "src/a/*.py, ü x/[a]", wait_seconds="60", atomic="yes", reason="x: #y")
    shop.accepted("GreenCastle", kind="release")
    change = tend(shop.envelope("Postmaster"), shop.mailbox, shop.now, shop.limits)
    assert isinstance(change, Changeset)
    assert [row["pattern"] for row in yaml.safe_load(change.answer)["granted"]] == ["src/a/*.py", "ü x/[a]"]
    for put in change.puts:
        if put.path.endswith(".yaml"):
            yaml.safe_load(put.data)
        else:
            yaml.safe_load(put.data.decode().split("---\n")[1])
