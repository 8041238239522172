"""What a drop of kind `reserve`, `renew` or `release` asks for."""

import pytest

from gitmaild.model.commands import Release, Renew, Reserve
from gitmaild.model.errors import Refusal
from gitmaild.model.settings import Settings
from gitmaild.rules.parse import parse
from tests.build import an_envelope

LIMITS = Settings()
LEASE = "lease_20260101_0123456789ab"


def asked(lines: str, kind: str = "reserve") -> object:
    return parse(f"---\nkind: {kind}\n{lines}\n---\n".encode(), an_envelope(), LIMITS)


def reserved(lines: str) -> Reserve:
    command = asked(lines)
    assert isinstance(command, Reserve), command
    return command


def refused(lines: str, kind: str = "reserve") -> Refusal:
    answer = asked(lines, kind)
    assert isinstance(answer, Refusal), answer
    return answer


def test_a_reserve_is_exclusive_for_the_usual_time_without_waiting_unless_it_says_otherwise() -> None:
    command = reserved("paths: src/api/**")
    assert (command.paths, command.slots) == (("src/api/**",), ())
    assert (command.ttl_seconds, command.exclusive, command.wait_seconds, command.atomic) == (0, True, 0, False)
    assert (command.reason, command.broad) == ("", False)


def test_a_reserve_says_everything_that_can_be_said() -> None:
    command = reserved(
        "paths: a, b\nslots: build\nttl_seconds: 90m\nexclusive: no\nreason: br-1: why, #2\nwait_seconds: 2h\natomic: yes\nbroad: true"
    )
    assert (command.paths, command.slots) == (("a", "b"), ("build",))
    assert (command.ttl_seconds, command.exclusive, command.wait_seconds) == (5400, False, 7200)
    assert (command.reason, command.atomic, command.broad) == ("br-1: why, #2", True, True)


@pytest.mark.parametrize(
    ("written", "paths"),
    [
        ("**/*.py", ("**/*.py",)),
        ("*.py", ("*.py",)),
        ("!src", ("!src",)),
        ("@scope/pkg", ("@scope/pkg",)),
        ("src/{a,b}/*.py", ("src/{a,b}/*.py",)),
        ("src/{a,b}/*.py, docs/**", ("src/{a,b}/*.py", "docs/**")),
        ("[src/{a,b}.py, x]", ("src/{a,b}.py", "x")),
        ("app/[slug]/page.tsx", ("app/[slug]/page.tsx",)),
        ("[slug]/page.tsx", ("[slug]/page.tsx",)),
        ("[a]*.[bc]", ("[a]*.[bc]",)),
        ("[app/[slug]/page.tsx, b]", ("app/[slug]/page.tsx", "b")),
        ('["a, b.py", c]', ("a, b.py", "c")),
        ("'a, b.py'", ("a", "b.py")),  # quotes around the whole list
        ("docs/über uns/日本語.md, 🎉.md", ("docs/über uns/日本語.md", "🎉.md")),
        ("a, a, b, a", ("a", "b")),
        ("\n- **/*.py\n- src/{a,b}\n- *x", ("**/*.py", "src/{a,b}", "*x")),
        ("a: b", ("a: b",)),
        ("a #b", ("a #b",)),
    ],
)
def test_paths_are_taken_literally_and_only_commas_outside_of_brackets_split(written: str, paths: tuple[str, ...]) -> None:
    assert reserved(f"paths: {written}").paths == paths


@pytest.mark.parametrize("key", ["ttl_seconds", "wait_seconds"])
@pytest.mark.parametrize(
    "value",
    [
        "-1",
        "-0",
        "10y",
        "3650d",
        "604801",
        "1e309",
        "1e3",
        "3.5",
        "inf",
        "nan",
        "",
        "an hour",
        "٣",
        "1h30m",
        "0x10",
        "9" * 400,
        "1 h",
    ],
)
def test_a_time_span_that_is_none_or_too_long_is_refused_with_the_limit(key: str, value: str) -> None:
    refusal = refused(f"paths: a\n{key}: {value}")
    assert (refusal.code, refusal.field, refusal.line) == ("bad-time-span", key, 4)
    assert "604800" in refusal.reason


def test_a_lease_of_no_time_is_refused_and_no_time_to_wait_means_not_to_wait() -> None:
    assert refused("paths: a\nttl_seconds: 0").code == "bad-time-span"
    assert reserved("paths: a\nwait_seconds: 0").wait_seconds == 0


@pytest.mark.parametrize(
    ("value", "seconds"), [("1", 1), ("604800", 604_800), ("7d", 604_800), ("1w", 604_800), ("60s", 60)]
)
def test_the_shortest_and_the_longest_term_are_granted(value: str, seconds: int) -> None:
    assert reserved(f"paths: a\nttl_seconds: {value}").ttl_seconds == seconds


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ("", "no-paths"),
        ("path: a", "no-paths"),
        ("paths:", "no-paths"),
        ("paths: ,", "no-paths"),
        ("paths: a\nslots:", "no-paths"),
        ("slots: -x", "bad-slot"),
        ("slots: a b", "bad-slot"),
        ("slots: " + "x" * 101, "bad-slot"),
        ("slots: ../x", "bad-slot"),
        ("paths: a\nexclusive: maybe", "bad-boolean"),
        ("paths: a\nreason: " + "x" * 1001, "too-long"),
        ("paths: " + ", ".join(map(str, range(101))), "too-many-patterns"),
        ("paths: a\nttl_seconds:\n- 1\n- 2", "not-a-list"),
        ('paths: "a\\u0000b"', "control-character"),
        ('paths: "a\\ud800b"', "control-character"),
    ],
)
def test_a_reserve_that_cannot_be_understood_is_refused(lines: str, code: str) -> None:
    assert refused(lines).code == code


def test_a_misspelt_field_is_named_where_nothing_else_says_what_to_reserve() -> None:
    assert "line 3 says path: instead of paths:" in refused("path: a").reason


@pytest.mark.parametrize("kind", ["renew", "release"])
def test_a_renewal_and_a_release_name_leases_by_id_path_or_slot_or_mean_all(kind: str) -> None:
    command = asked(f"leases: {LEASE}\npaths: a, b\nslots: build", kind)
    assert isinstance(command, Renew | Release)
    assert (command.leases, command.paths, command.slots) == ((LEASE,), ("a", "b"), ("build",))
    everything = asked("", kind)
    assert isinstance(everything, Renew | Release)
    assert (everything.leases, everything.paths, everything.slots) == ((), (), ())


@pytest.mark.parametrize("kind", ["renew", "release"])
@pytest.mark.parametrize("key", ["leases", "paths", "slots"])
def test_a_list_that_is_there_and_empty_does_not_mean_all(kind: str, key: str) -> None:
    assert refused(f"{key}:", kind).code == "no-paths"


@pytest.mark.parametrize("an_id", ["lease_1", "msg_20260101_0123456789ab", "../x", LEASE + "/..", LEASE.upper()])
def test_what_is_no_lease_id_is_refused(an_id: str) -> None:
    assert refused(f"leases: {an_id}", "release").code == "bad-id"


def test_an_extension_is_a_time_span() -> None:
    command = asked("extend_seconds: 30m", "renew")
    assert isinstance(command, Renew) and command.extend_seconds == 1800
    assert refused("extend_seconds: -5", "renew").code == "bad-time-span"
    assert refused("extend_seconds: 8d", "renew").code == "bad-time-span"
