"""What is granted, what is in the way, what waits."""

from dataclasses import replace
from datetime import timedelta

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gitmaild.model.changeset import Changeset
from gitmaild.model.commands import Reserve
from gitmaild.model.ids import stamp
from gitmaild.model.overlap import overlap
from gitmaild.model.pattern import Pattern
from gitmaild.model.settings import Settings
from gitmaild.rules import frontmatter
from tests.build import NOW, Shop


@pytest.fixture
def shop() -> Shop:
    return Shop("GreenCastle", "RedCat", "BlueLake")


def _reserve(shop: Shop, agent: str, path: str, *, existing: bool = True) -> Changeset:
    """As of a worktree in which `path` exists as it is written."""
    found = frozenset({path}) if existing else frozenset()
    answer = shop.ask(Reserve(shop.envelope(agent), (path,), ttl_seconds=60, existing=found))
    assert isinstance(answer, Changeset), answer
    return answer


# --- granted


def test_what_nobody_holds_is_granted_each_pattern_as_a_lease_of_its_own(shop: Shop) -> None:
    said = shop.reserve("GreenCastle", "src/api/**/*.py, tests/api/**/*.py", ttl_seconds="3600", reason="br-123")
    assert (said["status"], said["conflicts"], said["ttl_seconds"]) == ("granted", [], 3600)
    first, second = said["granted"]
    assert {key: first[key] for key in ("pattern", "exclusive", "expires", "fence", "reason")} == {
        "pattern": "src/api/**/*.py", "exclusive": True, "expires": stamp(NOW + timedelta(hours=1)), "fence": 1, "reason": "br-123",
    }  # fmt: skip
    assert (second["pattern"], second["fence"]) == ("tests/api/**/*.py", 2)
    assert first["id"] != second["id"]
    assert shop.held == ["GreenCastle: src/api/**/*.py", "GreenCastle: tests/api/**/*.py"]


def test_a_grant_is_one_commit_that_names_its_leases(shop: Shop) -> None:
    change = shop.accepted("GreenCastle", kind="reserve", paths="a, b")
    said = dict(change.trailers)
    ids = [row["id"] for row in yaml.safe_load(change.answer)["granted"]]
    assert change.subject == "reserve: GreenCastle: a, b"
    assert (said["Lease-Id"], said["Lease-State"], said["Result"]) == (", ".join(ids), "active", "granted")
    assert sorted(put.path for put in change.puts) == sorted(
        [*(f"shop/leases/{an_id}.yaml" for an_id in ids), "shop/fence.yaml"]
    )


def test_the_same_path_written_twice_is_one_lease(shop: Shop) -> None:
    assert [row["pattern"] for row in shop.reserve("GreenCastle", "*.py, **/*.py, ./src, src")["granted"]] == [
        "**/*.py",
        "src",
    ]


def test_a_slot_and_a_path_that_is_called_alike_are_two_leases(shop: Shop) -> None:
    said = shop.reserve("GreenCastle", "slot x, x", slots="x")
    assert len({row["id"] for row in said["granted"]}) == 3
    assert shop.held == ["GreenCastle: slot x", "GreenCastle: x", "GreenCastle: slot x"]


@pytest.mark.parametrize("path", ["app/[slug]/page.tsx", "a{b}c", "what?.md", "*", "[x]"])
def test_a_string_that_names_what_is_there_is_taken_as_it_stands(shop: Shop, path: str) -> None:
    _reserve(shop, "GreenCastle", path)
    [lease] = shop.mailbox.holdings().leases
    assert lease.thing.pattern == f":(literal){path}"
    assert Pattern.parse(lease.thing.pattern).matches(path)
    again = yaml.safe_load(_reserve(shop, "RedCat", path).answer)
    assert again["conflicts"][0]["witness"] == path


def test_a_literal_path_may_be_written_with_its_mark(shop: Shop) -> None:
    assert (
        shop.reserve("GreenCastle", ":(literal)app/[slug]/page.tsx")["granted"][0]["pattern"]
        == ":(literal)app/[slug]/page.tsx"
    )


@pytest.mark.parametrize("path", ["**", "*", "**/*", "*/**", "{**,**/*}"])
def test_the_whole_worktree_must_be_asked_for_as_such(shop: Shop, path: str) -> None:
    assert shop.refused("GreenCastle", kind="reserve", paths=path).code == "too-broad"
    assert shop.reserve("GreenCastle", path, broad="yes")["status"] == "granted"
    assert shop.reserve("RedCat", "any/thing")["status"] == "conflict"


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "C:/x", "!src", "a/../b", "a//b", "x" * 5000, "a/./b"])
def test_what_is_no_path_of_a_worktree_is_refused_and_nothing_of_the_request_is_done(shop: Shop, path: str) -> None:
    refusal = shop.refused("GreenCastle", kind="reserve", paths=f"src, {path}")
    assert refusal.field == "paths" and refusal.mend
    assert shop.held == []


def test_an_agent_that_has_not_registered_or_has_retired_gets_nothing(shop: Shop) -> None:
    assert shop.refused("QuietOtter", kind="reserve", paths="src").code == "not-registered"
    shop.accepted("RedCat", kind="retire")
    assert shop.refused("RedCat", kind="reserve", paths="src").code == "retired"
    assert shop.held == []


# --- conflicts


def test_a_conflict_names_the_holder_a_path_that_both_mean_and_until_when(shop: Shop) -> None:
    lease = shop.reserve("GreenCastle", "src/api/**", reason="br-1: [x], y")["granted"][0]
    said = shop.reserve("RedCat", "src/**/routes.py")
    assert (said["status"], said["granted"]) == ("conflict", [])
    [conflict] = said["conflicts"]
    witness = conflict.pop("witness")
    assert Pattern.parse("src/api/**").matches(witness) and Pattern.parse("src/**/routes.py").matches(witness)
    assert conflict == {
        "pattern": "src/**/routes.py", "holder": "GreenCastle", "holds": "src/api/**", "expires": lease["expires"],
        "expires_in_seconds": 3599, "reason": "br-1: [x], y", "lease": lease["id"],
    }  # fmt: skip
    assert shop.held == ["GreenCastle: src/api/**"]


@pytest.mark.parametrize("other", ["src/api/*.py", "src/**/routes.py", "src/api/routes.py", "src/api", "src", "*.py"])
def test_whatever_has_a_path_in_common_is_a_conflict_in_both_orders(other: str) -> None:
    for first, second in (("src/api/**", other), (other, "src/api/**")):
        shop = Shop("GreenCastle", "RedCat")
        shop.reserve("GreenCastle", first)
        assert shop.reserve("RedCat", second)["status"] == "conflict"


@pytest.mark.parametrize("other", ["src/ui/**", "src/apis", "src/api2/**", "docs/*.md"])
def test_what_has_no_path_in_common_is_granted(shop: Shop, other: str) -> None:
    shop.reserve("GreenCastle", "src/api/**")
    assert shop.reserve("RedCat", other)["status"] == "granted"


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [("no", "no", "granted"), ("no", "yes", "conflict"), ("yes", "no", "conflict"), ("yes", "yes", "conflict")],
)
def test_only_shared_goes_with_shared(shop: Shop, first: str, second: str, status: str) -> None:
    shop.reserve("GreenCastle", "src/**", exclusive=first)
    assert shop.reserve("RedCat", "src/*.py", exclusive=second)["status"] == status


def test_each_pattern_is_granted_or_refused_by_itself_unless_it_is_all_or_nothing(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/api/**")
    said = shop.reserve("RedCat", "src/api/x.py, docs/**", atomic="yes")
    assert (said["status"], said["granted"], len(said["conflicts"])) == ("conflict", [], 1)
    said = shop.reserve("RedCat", "src/api/x.py, docs/**")
    assert (said["status"], [row["pattern"] for row in said["granted"]], len(said["conflicts"])) == (
        "partly",
        ["docs/**"],
        1,
    )
    assert shop.reserve("BlueLake", "lib, bin", atomic="yes")["status"] == "granted"


def test_a_slot_is_a_name_that_one_agent_has(shop: Shop) -> None:
    said = yaml.safe_load(shop.accepted("GreenCastle", kind="reserve", slots="frontend-build").answer)
    assert said["granted"][0]["slot"] == "frontend-build"
    said = yaml.safe_load(shop.accepted("RedCat", kind="reserve", slots="frontend-build").answer)
    assert (said["status"], said["conflicts"][0]["holder"], said["conflicts"][0]["witness"]) == (
        "conflict",
        "GreenCastle",
        "",
    )
    assert yaml.safe_load(shop.accepted("RedCat", kind="reserve", slots="Frontend-build").answer)["status"] == "granted"
    assert shop.reserve("RedCat", "frontend-build")["status"] == "granted"


# --- one's own


def test_the_same_pattern_again_renews_the_lease_and_keeps_its_id_and_fence(shop: Shop) -> None:
    first = shop.reserve("GreenCastle", "src/**", ttl_seconds="60", reason="br-1")["granted"][0]
    second = shop.reserve("GreenCastle", "src/**", ttl_seconds="600")["granted"][0]
    assert second == {**first, "expires": stamp(NOW + timedelta(seconds=601))}
    third = shop.reserve("GreenCastle", "src/**", ttl_seconds="1", reason="br-2")["granted"][0]
    assert third == {**second, "reason": "br-2"}, "a shorter term takes nothing away"
    assert shop.held == ["GreenCastle: src/**"]


def test_ones_own_leases_are_never_in_the_way(shop: Shop) -> None:
    for path in ("src/**", "src/*.py", "src/a.py", "src"):
        assert shop.reserve("GreenCastle", path)["status"] == "granted"
    assert len(shop.held) == 4


def test_a_shared_lease_becomes_exclusive_where_nobody_else_shares_it(shop: Shop) -> None:
    shared = shop.reserve("GreenCastle", "src/**", exclusive="no")["granted"][0]
    own = shop.reserve("GreenCastle", "src/**")["granted"][0]
    assert (own["id"], own["exclusive"]) == (shared["id"], True)
    assert shop.reserve("RedCat", "src/a", exclusive="no")["status"] == "conflict"


def test_a_shared_lease_stays_shared_where_somebody_else_shares_it(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/**", exclusive="no")
    shop.reserve("RedCat", "src/a", exclusive="no")
    assert shop.reserve("GreenCastle", "src/**")["conflicts"][0]["holder"] == "RedCat"
    assert [lease.exclusive for lease in shop.mailbox.holdings().leases] == [False, False]


def test_an_exclusive_lease_that_becomes_shared_lets_who_waits_share_it(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/**")
    shop.reserve("RedCat", "src/a", exclusive="no", wait_seconds="60")
    assert shop.reserve("GreenCastle", "src/**", exclusive="no")["status"] == "granted"
    assert shop.tend() == ["grant: RedCat: src/a"]


def test_two_that_share_and_both_want_it_alone_are_served_one_after_the_other(shop: Shop) -> None:
    for agent in ("GreenCastle", "RedCat"):
        shop.reserve(agent, "src/**", exclusive="no", ttl_seconds="60")
    for agent in ("GreenCastle", "RedCat"):
        assert shop.reserve(agent, "src/**", wait_seconds="600", ttl_seconds="60")["status"] == "waiting"
    assert shop.tend() == []
    assert shop.later(60) == ["expire: GreenCastle: src/**", "expire: RedCat: src/**", "grant: GreenCastle: src/**"]
    assert shop.later(60) == ["expire: GreenCastle: src/**", "grant: RedCat: src/**"]


def test_in_its_first_term_a_lease_is_renewed_though_somebody_waits_and_later_it_is_not(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/**", ttl_seconds="60")
    shop.reserve("RedCat", "src/a", wait_seconds="600")
    assert shop.reserve("GreenCastle", "src/**", ttl_seconds="60")["status"] == "granted"
    shop.later(58)
    said = shop.reserve("GreenCastle", "src/**", ttl_seconds="60")
    assert (said["status"], said["conflicts"][0]["holder"], said["conflicts"][0]["waiting"]) == ("conflict", "RedCat", "yes")
    assert shop.held == ["GreenCastle: src/**"], "what it has it keeps to the end of its term"


def test_who_holds_a_part_does_not_get_the_rest_before_who_waits_for_it(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/a")
    shop.reserve("RedCat", "src/**", wait_seconds="600")
    assert shop.reserve("GreenCastle", "src/b")["conflicts"][0]["waiting"] == "yes"


# --- waiting


def test_what_is_held_may_be_waited_for_and_the_answer_says_so(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/**")
    change = shop.accepted("RedCat", kind="reserve", paths="src/a, docs", wait_seconds="60", reason="br-2")
    said = yaml.safe_load(change.answer)
    assert (said["status"], said["position"]) == ("waiting", 1)
    assert ([row["pattern"] for row in said["granted"]], [row["pattern"] for row in said["conflicts"]]) == (
        ["docs"],
        ["src/a"],
    )
    assert shop.queue == ["RedCat: src/a"]
    assert change.subject == "reserve: RedCat: docs; src/a is held by GreenCastle; queued"
    [request] = shop.mailbox.holdings().waiting
    assert (request.until, request.reason, request.ttl_seconds) == (change.at + timedelta(seconds=60), "br-2", 3600)


def test_all_or_nothing_waits_for_all(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/**")
    said = shop.reserve("RedCat", "docs, src/a", wait_seconds="60", atomic="yes")
    assert (said["status"], said["granted"]) == ("waiting", [])
    assert shop.queue == ["RedCat: docs, src/a"]
    assert shop.reserve("BlueLake", "docs")["conflicts"][0]["waiting"] == "yes"


def test_what_is_free_is_granted_at_once_also_where_one_would_have_waited(shop: Shop) -> None:
    assert shop.reserve("RedCat", "src/a", wait_seconds="60")["status"] == "granted"
    assert shop.queue == []


def test_narrow_requests_do_not_overtake_a_broad_one(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/a", ttl_seconds="60")
    assert shop.reserve("RedCat", "src/**", wait_seconds="600")["status"] == "waiting"
    for number in range(5):
        said = shop.reserve("BlueLake", f"src/b{number}")
        assert (said["status"], said["conflicts"][0]["holder"]) == ("conflict", "RedCat")
    assert shop.reserve("BlueLake", "docs")["status"] == "granted"
    shop.later(60)
    assert shop.held == ["BlueLake: docs", "RedCat: src/**"]


def test_who_shares_does_not_overtake_who_waits_to_have_it_alone(shop: Shop) -> None:
    shop.reserve("GreenCastle", "src/**", exclusive="no")
    shop.reserve("RedCat", "src/**", wait_seconds="600")
    assert shop.reserve("BlueLake", "src/a", exclusive="no")["status"] == "conflict"


# --- requests that are repeated


def test_a_request_id_gets_the_first_answer_again_and_reserves_once(shop: Shop) -> None:
    fields = {"kind": "reserve", "paths": "src/**", "request_id": "r1"}
    first = shop.accepted("GreenCastle", **fields)
    shop.later(100)
    again = shop.accepted("GreenCastle", **fields)
    assert (again.answer, again.puts) == (first.answer, ())
    shop.accepted("GreenCastle", kind="release", paths="src/**")
    assert shop.accepted("GreenCastle", **fields).answer == first.answer
    assert shop.held == []
    assert shop.refused("GreenCastle", **{**fields, "paths": "docs"}).code == "request-id-used"


# --- limits


def test_one_agent_holds_and_waits_for_so_much_at_most() -> None:
    shop = Shop("GreenCastle", "RedCat", limits=Settings(leases_per_agent=3))
    shop.reserve("RedCat", "x")
    shop.reserve("GreenCastle", "a")
    shop.reserve("GreenCastle", "x", wait_seconds="60")
    shop.reserve("GreenCastle", "a, b")
    refusal = shop.refused("GreenCastle", kind="reserve", paths="c")
    assert (refusal.code, "4 leases; limit 3" in refusal.reason) == ("too-many-leases", True)
    assert shop.refused("GreenCastle", kind="reserve", paths="x", wait_seconds="60").code == "too-many-leases"
    shop.accepted("GreenCastle", kind="release", paths="b")
    assert shop.reserve("GreenCastle", "c")["status"] == "granted"


def test_a_thousand_leases_are_held_with_a_thousand_ids_and_fences() -> None:
    shop = Shop("GreenCastle", "RedCat")
    for hundred in range(10):
        shop.reserve("GreenCastle", ", ".join(f"d{hundred}/f{n}" for n in range(100)))
    leases = shop.mailbox.holdings().leases
    assert len({lease.id for lease in leases}) == 1000
    assert [lease.fence for lease in leases] == list(range(1, 1001))
    assert shop.reserve("RedCat", "d7/*")["conflicts"][0]["holds"] == "d7/f0"
    assert shop.reserve("RedCat", "e/*")["granted"][0]["fence"] == 1001
    answer = shop.accepted("GreenCastle", kind="release").answer
    assert yaml.safe_load(answer)["count"] == 1000
    assert shop.held == ["RedCat: e/*"]


# --- answers


odd = st.lists(
    st.sampled_from(["src/{a,b}/*.py", "a b", "ü/日本語", "🎉", "#x", "x: y", "- z", "[a]", "{a,b}", "'q'", "yes", "null", "1e3", "é", "\u2028x", "~"]),
    min_size=1, max_size=4, unique=True,
)  # fmt: skip


@given(odd, odd, st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=30))
def test_every_answer_is_yaml_and_each_item_json_whatever_the_paths_and_reasons_are(
    first: list[str], second: list[str], reason: str
) -> None:
    shop = Shop("GreenCastle", "RedCat")
    for agent, paths in (("GreenCastle", first), ("RedCat", second)):
        answer = shop.ask(Reserve(shop.envelope(agent), tuple(paths), ttl_seconds=60, reason=reason, wait_seconds=60))
        if not isinstance(answer, Changeset):
            assert answer.code == "bad-pattern"
            continue
        said = yaml.safe_load(answer.answer)
        fields, _ = frontmatter.read(answer.answer.encode(), limit=1 << 20, fenced=False)
        for key in ("granted", "conflicts"):
            assert frontmatter.read_rows(fields[key].items or ()) == said[key]
        assert all(row["reason"] == reason for row in said["granted"])


parts = st.sampled_from(["a", "b", "*", "**", "*.py", "{a,b}", "[ab]"])
globs = st.lists(parts, min_size=1, max_size=3).map("/".join)
steps = st.tuples(
    st.sampled_from(["GreenCastle", "RedCat", "BlueLake"]), st.lists(globs, min_size=1, max_size=3), st.booleans(), st.booleans(), st.booleans(),
    st.sampled_from(["reserve", "reserve", "release", "renew", "later"]),
)  # fmt: skip


@settings(max_examples=settings.default.max_examples // 3)
@given(st.lists(steps, max_size=15))
def test_whatever_is_asked_for_leases_of_two_agents_never_overlap_and_fences_grow(
    script: list[tuple[str, list[str], bool, bool, bool, str]],
) -> None:
    shop = Shop("GreenCastle", "RedCat", "BlueLake")
    seen: dict[str, int] = {}
    for agent, paths, exclusive, waits, atomic, what in script:
        if what == "reserve":
            command = Reserve(
                shop.envelope(agent),
                tuple(paths),
                ttl_seconds=60,
                exclusive=exclusive,
                wait_seconds=300 * waits,
                atomic=atomic,
                broad=True,
            )
            shop.ask(command)
        elif what == "later":
            shop.later(40)
        else:
            shop.drop(agent, kind=what)
        shop.tend()
        leases = shop.mailbox.holdings().leases
        for number, lease in enumerate(leases):
            assert seen.setdefault(lease.id, lease.fence) == lease.fence
            for other in leases[:number]:
                if other.holder != lease.holder and (other.exclusive or lease.exclusive):
                    assert (
                        overlap(
                            Pattern.parse(other.thing.pattern, broad=True), Pattern.parse(lease.thing.pattern, broad=True)
                        )
                        is None
                    )
        assert len(set(seen.values())) == len(seen)
        things = [(lease.holder, lease.thing) for lease in leases]
        assert len(set(things)) == len(things)
        held = {path.rpartition("/")[2] for path in shop.tree.paths("shop/leases")}
        ended = [path.rpartition("/")[2] for path in shop.tree.paths("shop/leases-ended")]
        assert held & set(ended) == set() and len(ended) == len(set(ended))
        assert {f"{an_id}.yaml" for an_id in seen} == held | set(ended)


# --- a file has nothing below it


def test_a_file_has_no_path_in_common_with_what_would_be_below_it() -> None:
    shop = Shop("GreenCastle", "RedCat")
    shop.accepted("GreenCastle", kind="reserve", paths="Makefile, src/config.json, src/new.ts")
    granted = shop.accepted("RedCat", kind="reserve", paths="src/**/*.py, docs/**/*.md")
    assert dict(granted.trailers)["Result"] == "granted"


def test_a_path_that_may_be_a_directory_conflicts_with_what_may_be_below_it() -> None:
    shop = Shop("GreenCastle", "RedCat")
    shop.accepted("GreenCastle", kind="reserve", paths="src/config")
    answer = shop.accepted("RedCat", kind="reserve", paths="src/**/*.py")
    assert dict(answer.trailers)["Result"] == "conflict"
    assert '"witness": "src/config/a.py"' in answer.answer


def test_a_file_still_conflicts_with_every_pattern_that_means_it() -> None:
    shop = Shop("GreenCastle", "RedCat")
    shop.accepted("GreenCastle", kind="reserve", paths="src/api/routes.py")
    for paths in ("src/api/routes.py", "src/api", "src/api/**", "**/routes.py", "src/*/r*.py"):
        assert dict(shop.accepted("RedCat", kind="reserve", paths=paths).trailers)["Result"] == "conflict"


def test_a_file_that_came_to_be_later_is_the_same_thing_to_renew() -> None:
    shop = Shop("GreenCastle")
    shop.accepted("GreenCastle", kind="reserve", paths="Makefile")
    command = Reserve(shop.envelope("GreenCastle"), ("Makefile",), ttl_seconds=60, existing=frozenset({"Makefile"}))
    shop.ask(replace(command, files=frozenset({"Makefile"})))
    assert len(shop.mailbox.holdings().leases) == 1
