"""Lease files, read back; and what others have put between them."""

from datetime import UTC, datetime, timedelta

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gitmaild.model import leaseview
from gitmaild.model.lease import ACTIVE, EXPIRED, RELEASED, Lease, Thing, Waiting
from gitmaild.model.pattern import BadPattern, Pattern
from gitmaild.model.settings import Settings
from gitmaild.rules import holdings as under_test
from gitmaild.rules.holdings import Holdings, parse_lease, parse_waiting, render_lease, render_waiting
from gitmaild.rules.mailbox import Mailbox
from gitmaild.rules.tend import next_due
from tests.build import NOW, Shop, hostile, written
from tests.fakes import DictTree

LEASE_ID = "lease_20260101_0123456789ab"
NUMBER = "20260101T000000.000000Z_0123456789ab"


def a_lease(thing: Thing | None = None, **over: object) -> Lease:
    fields: dict[str, object] = {
        "id": LEASE_ID, "thing": thing or Thing("src/**"), "holder": "GreenCastle", "exclusive": True, "fence": 7,
        "granted": NOW, "expires": NOW + timedelta(hours=1), "ttl_seconds": 3600,
    }  # fmt: skip
    return Lease(**{**fields, **over})  # type: ignore[arg-type]


def _canonical(text: str) -> str:
    try:
        return Pattern.parse(text, broad=True).text
    except BadPattern:
        return ""


patterns = (
    st.lists(
        st.sampled_from(["src", "*", "**", "[slug]", "{a,b}", "*.py", "ü", "a b", "a,b", "#x", "日本", "-"]),
        min_size=1,
        max_size=4,
    )
    .map("/".join)
    .map(_canonical)
    .filter(bool)
)
literals = written.map(lambda text: _canonical(f":(literal){text}")).filter(bool)
things = st.builds(Thing, patterns | literals) | st.builds(
    lambda s: Thing(slot=s), st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
)
moments = st.datetimes(datetime(1970, 1, 1), datetime(8999, 1, 1), timezones=st.just(UTC))
agents = st.sampled_from(["GreenCastle", "RedCat", "Overseer"])
# What a command may carry in a free text: no controls but tab and newline.
reasons = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=40) | st.sampled_from(
    ["br-1: x #y", "yes", "[a]", "two\nlines", "tab\there", '"quoted"', "- a", "🎉", "\u2028", "\ufeff"]
)
leases = st.builds(
    Lease,
    id=st.from_regex(r"lease_[0-9]{8}_[0-9a-f]{8,32}", fullmatch=True),
    thing=things,
    holder=agents,
    exclusive=st.booleans(),
    fence=st.integers(1, 10**15),
    granted=moments,
    expires=moments,
    ttl_seconds=st.integers(1, 10**9),
    reason=reasons,
    warned=st.booleans(),
    state=st.sampled_from([ACTIVE, RELEASED, EXPIRED]),
    ended=st.none() | moments,
    because=reasons,
)
requests = st.builds(
    Waiting,
    number=st.just(NUMBER),
    command_id=st.from_regex(r"cmd_[0-9]{8}_[0-9a-f]{8,32}", fullmatch=True),
    agent=agents,
    things=st.lists(things, min_size=1, max_size=4, unique=True).map(
        lambda found: tuple([t for t in found if t.pattern] + [t for t in found if t.slot])
    ),
    exclusive=st.booleans(),
    ttl_seconds=st.integers(1, 10**9),
    until=moments,
    reason=reasons,
    atomic=st.booleans(),
)


@given(leases)
def test_a_lease_reads_back_as_it_was_written_and_is_yaml(lease: Lease) -> None:
    data = render_lease(lease)
    assert parse_lease(lease.id, data) == lease
    loaded = yaml.safe_load(data)
    assert (loaded["id"], loaded["holder"], loaded["fence"]) == (lease.id, lease.holder, lease.fence)
    assert (loaded.get("pattern", ""), loaded.get("slot", "")) == (lease.thing.pattern, lease.thing.slot)
    assert loaded["reason"] == lease.reason


@given(requests)
def test_a_request_that_waits_reads_back_as_it_was_written_and_is_yaml(request: Waiting) -> None:
    data = render_waiting(request)
    assert parse_waiting(request.number, data) == request
    loaded = yaml.safe_load(data)
    assert loaded.get("paths", []) == [t.pattern for t in request.things if t.pattern]


@given(st.lists(leases, max_size=5, unique_by=lambda lease: lease.id))
def test_every_lease_that_is_held_stands_in_the_view_and_reads_back(found: list[Lease]) -> None:
    tree = DictTree((f"shop/leases/{lease.id}.yaml", render_lease(lease)) for lease in found)
    holdings = Holdings("shop").look(tree)
    active = [lease for lease in found if lease.state == ACTIVE]
    assert sorted(holdings.leases, key=lambda x: x.id) == sorted(active, key=lambda x: x.id)
    rows = holdings.rows()
    view = leaseview.parse(leaseview.render(rows, ["GreenCastle"], "tip"))
    assert [row.lease_id for row in view.rows] == [row.lease_id for row in rows]
    assert [row.pattern for row in view.rows] == [row.pattern for row in rows]


@given(st.lists(st.lists(leases, max_size=4, unique_by=lambda x: x.id), max_size=4))
def test_holdings_that_follow_a_tree_say_what_fresh_ones_say(states: list[list[Lease]]) -> None:
    kept = Holdings("shop")
    for state in states:
        tree = DictTree((f"shop/leases/{lease.id}.yaml", render_lease(lease)) for lease in state)
        fresh = Holdings("shop").look(tree)
        kept.look(tree)
        assert kept.leases == fresh.leases and kept.rows() == fresh.rows()
        for thing in (Thing("src/**"), Thing("*/**"), Thing(slot="a")):
            assert kept.in_the_way(thing, "BlueLake", exclusive=True) == fresh.in_the_way(thing, "BlueLake", exclusive=True)


# --- garbage


def _garbled(**over: str) -> bytes:
    lines = {
        "id": LEASE_ID, "pattern": "src/**", "exclusive": "true", "holder": "GreenCastle", "fence": "7",
        "granted": "2026-01-01T00:00:00.000000Z", "expires": "2026-01-01T01:00:00.000000Z", "ttl_seconds": "3600", "reason": '""',
        "state": "active",
    } | over  # fmt: skip
    return "".join(f"{key}: {value}\n" for key, value in lines.items() if value != "-").encode()


GARBAGE = {
    "nothing": b"",
    "bytes": b"\xff\xfe\0\x01",
    "text": b"hello\n",
    "a list": b"- a\n- b\n",
    "no id": _garbled(id="-"),
    "another id": _garbled(id="lease_20260101_aaaaaaaaaaaa"),
    "an id that climbs": _garbled(id="../../../../x"),
    "no holder": _garbled(holder="-"),
    "a holder of two lines": _garbled(holder='"Green\\nCastle"'),
    "a holder with a tab": _garbled(holder='"Green\\tCastle"'),
    "a holder that climbs": _garbled(holder="../Overseer"),
    "Postmaster": _garbled(holder="Postmaster"),
    "half a surrogate": _garbled(reason='"\\ud83d"'),
    "a control": _garbled(reason='"\\u001b[2J"'),
    "no fence": _garbled(fence="0"),
    "a negative fence": _garbled(fence="-1"),
    "a huge fence": _garbled(fence="9" * 400),
    "a fence of thousands of digits": _garbled(fence="9" * 5000),
    "a word for a fence": _garbled(fence="seven"),
    "no term": _garbled(ttl_seconds="0"),
    "a term beyond all time": _garbled(ttl_seconds="9" * 30),
    "the year 1": _garbled(expires="0001-01-01T00:00:00.000000Z"),
    "the year 9999": _garbled(expires="9999-12-31T23:59:59.999999Z"),
    "no time": _garbled(granted="yesterday"),
    "a local time": _garbled(granted="2026-01-01T00:00:00.000000"),
    "no pattern": _garbled(pattern="-"),
    "a bad pattern": _garbled(pattern="../x"),
    "a negation": _garbled(pattern="!x"),
    "a pattern with a tab": _garbled(pattern='"a\\tb"'),
    "a bad slot": _garbled(pattern="-", slot="../x"),
    "released": _garbled(state="released"),
    "a state that is none": _garbled(state="lost"),
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE)
def test_a_lease_file_that_gitmaild_would_not_write_holds_nothing(data: bytes) -> None:
    tree = DictTree([(f"shop/leases/{LEASE_ID}.yaml", data)])
    assert Holdings("shop").look(tree).leases == []
    good = a_lease(id="lease_20260101_bbbbbbbbbbbb")
    tree.put(f"shop/leases/{good.id}.yaml", render_lease(good))
    assert Holdings("shop").look(tree).leases == [good]


def test_the_same_file_without_a_mistake_holds() -> None:
    assert parse_lease(LEASE_ID, _garbled()) == a_lease()


@pytest.mark.parametrize(
    "name", ["x.yaml", "lease_1.yaml", f"{LEASE_ID}.yml", f"{LEASE_ID}", f".{LEASE_ID}.yaml", f"{LEASE_ID}.yaml/x.yaml"]
)
def test_a_lease_under_a_name_that_no_lease_has_holds_nothing(name: str) -> None:
    assert Holdings("shop").look(DictTree([(f"shop/leases/{name}", _garbled())])).leases == []


any_value = written | hostile | st.sampled_from(
    ["true", "7", "-7", "9" * 30, "2026-01-01T00:00:00.000000Z", "0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z", "GreenCastle", "src/**", LEASE_ID, "active"]
)  # fmt: skip


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "id",
                "pattern",
                "slot",
                "exclusive",
                "holder",
                "fence",
                "granted",
                "expires",
                "ttl_seconds",
                "reason",
                "state",
                "ended",
                "warned",
                "because",
            ]
        ),
        any_value,
    ),
    st.booleans(),
)
def test_whatever_stands_in_a_lease_file_breaks_neither_the_view_nor_the_look_ahead(
    over: dict[str, str], quoted: bool
) -> None:
    import json

    data = _garbled(**{key: json.dumps(value) if quoted else value for key, value in over.items()})
    tree = DictTree([(f"shop/leases/{LEASE_ID}.yaml", data)])
    mailbox = Mailbox(tree, "shop")
    found = mailbox.holdings()
    view = leaseview.parse(leaseview.render(found.rows(), [], "tip"))
    assert len(view.rows) == len(found.rows())
    next_due(mailbox, Settings())
    for lease in found.leases:
        assert parse_lease(lease.id, render_lease(lease)) == lease
        lease.first_term


def _request(**over: str) -> bytes:
    lines = {
        "command": "cmd_20260101_0123456789ab", "agent": "RedCat", "exclusive": "true", "ttl_seconds": "60",
        "until": "2026-01-01T01:00:00.000000Z", "reason": '""', "atomic": "false", "paths": "[src/a]",
    } | over  # fmt: skip
    return "".join(f"{key}: {value}\n" for key, value in lines.items() if value != "-").encode()


@pytest.mark.parametrize(
    "over",
    [
        {"paths": "-"},
        {"paths": "[]"},
        {"paths": "[../x]"},
        {"paths": "-", "slots": "[../x]"},
        {"agent": "../x"},
        {"agent": '"Red\\nCat"'},
        {"command": "x"},
        {"command": "cmd_20260101_../../x"},
        {"ttl_seconds": "-1"},
        {"ttl_seconds": "9" * 30},
        {"until": "never"},
        {"until": "9999-12-31T23:59:59.999999Z"},
    ],
)
def test_a_request_that_gitmaild_would_not_write_waits_for_nothing(over: dict[str, str]) -> None:
    assert parse_waiting(NUMBER, _request()) is not None
    assert Holdings("shop").look(DictTree([(f"shop/lease-queue/{NUMBER}.yaml", _request(**over))])).waiting == []


@pytest.mark.parametrize("name", ["0.yaml", "x.yaml", "20260101.yaml", f"{NUMBER}.md"])
def test_a_request_under_a_name_that_none_has_waits_for_nothing(name: str) -> None:
    assert Holdings("shop").look(DictTree([(f"shop/lease-queue/{name}", _request())])).waiting == []


def test_leases_and_queue_of_other_projects_are_not_looked_at() -> None:
    shop = Shop("GreenCastle")
    shop.reserve("GreenCastle", "src/**")
    assert Holdings("shop-web").look(shop.tree).leases == []


@pytest.mark.parametrize("data", [b"", b"fence\n", b"fence: -1\n", b"fence: " + b"9" * 5000 + b"\n", b"\xff"])
def test_a_fence_counter_that_somebody_broke_goes_on_after_the_newest_lease(data: bytes) -> None:
    shop = Shop("GreenCastle")
    for path in ("a", "b", "c"):
        shop.reserve("GreenCastle", path)
    shop.tree.put("shop/fence.yaml", data)
    assert shop.reserve("GreenCastle", "d")["granted"][0]["fence"] == 4
    assert shop.reserve("GreenCastle", "e")["granted"][0]["fence"] == 5


def test_the_number_of_a_request_sorts_by_time_and_tells_two_of_one_moment_apart() -> None:
    first = under_test.number("cmd_20260101_ffffffff", NOW)
    second = under_test.number("cmd_20260101_00000000", NOW + timedelta(microseconds=1))
    assert first < second
    assert first != under_test.number("cmd_20260101_00000000", NOW)
