"""Who may be called what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmaild.model import names
from gitmaild.model.errors import Refusal, Refused
from gitmaild.model.names import Address


def refusal_of(name: str, **arguments: object) -> Refusal:
    with pytest.raises(Refused) as caught:
        names.check_name(name, **arguments)  # type: ignore[arg-type]
    return caught.value.refusal


# --- agents


@pytest.mark.parametrize("name", ["GreenCastle", "RedCat", "BlueLake", "SwiftFalcon"])
@pytest.mark.parametrize("mode", ["camelcase", "wordlist"])
def test_adjective_and_noun_make_a_name_in_every_mode(name: str, mode: str) -> None:
    names.check_name(name, mode=mode)


@pytest.mark.parametrize(
    "name",
    [
        "TestAgent",
        "RalphWorker",
        "OpusArchitect",
        "SonnetBuilder",
        "SilentWorker",
        "OtherAgent",
        "BigRedCat",
        "A" + "b" * 18 + "C" + "d" * 20,
    ],
)
def test_two_or_more_capitalised_words_make_a_name(name: str) -> None:
    names.check_name(name)


@pytest.mark.parametrize(
    "name", ["TestAgent", "RalphWorker", "OpusArchitect", "SonnetBuilder", "SilentWorker", "OtherAgent"]
)
def test_the_wordlist_mode_refuses_other_words_and_suggests_some_of_its_own(name: str) -> None:
    refusal = refusal_of(name, mode="wordlist")
    assert (refusal.code, refusal.field) == ("bad-name", "name")
    assert "word list only" in refusal.reason
    for suggested in refusal.mend.removeprefix("free names: ").split(", "):
        names.check_name(suggested, mode="wordlist")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("claude", "program's name"),
        ("codex", "program's name"),
        ("gemini", "program's name"),
        ("ClaudeCode", "program's name"),
        ("OpenCode", "program's name"),
        ("opus-4-1", "model's name"),
        ("gpt-5", "model's name"),
        ("Sonnet4", "model's name"),
        ("o3", "model's name"),
        ("steve", "Unix user's name"),
        ("www-data", "Unix user's name"),
        ("_apt", "Unix user's name"),
        ("MyAgent123", "digits"),
        ("Overseer", "reserved"),
        ("OverSeer", "reserved"),
        ("Postmaster", "reserved"),
        ("PostMaster", "reserved"),
        ("everyone", "reserved"),
        ("EveryOne", "reserved"),
    ],
)
def test_a_refused_name_is_told_which_rule_it_breaks_and_the_rule_itself(name: str, why: str) -> None:
    refusal = refusal_of(name)
    assert refusal.code == "bad-name"
    assert why in refusal.reason and names.RULE in refusal.reason


@pytest.mark.parametrize(
    "name",
    ["", "Green", "greenCastle", "Green Castle", "GreenCastle\n", "Green-Castle", "GREENCASTLE", "GreenC", "..", "../GreenCastle", "Green/Castle",
     ".git", "GreénCastle", "ＧreenＣastle", "GreenCаstle", "GreenCastle\0", "A" + "b" * 19 + "C" + "d" * 20, "x" * 300],
)  # fmt: skip
def test_what_is_not_two_capitalised_words_is_no_agents_name(name: str) -> None:
    assert refusal_of(name).code == "bad-name"
    assert not names.is_agent_name(name)


def test_a_name_is_taken_without_regard_to_case() -> None:
    refusal = refusal_of("RedCAt".replace("CA", "Ca"), taken={"redcat"})
    assert refusal == Refusal("name-taken", "the name 'RedCat' is taken", refusal.mend, "name")


@pytest.mark.parametrize(
    ("name", "holds"), [("GreenCastle", True), ("Overseer", True), ("Postmaster", False), ("everyone", False), ("..", False)]
)
def test_a_desk_is_owned_by_an_agent_or_the_overseer(name: str, holds: bool) -> None:
    assert names.is_desk_name(name) is holds


# --- suggestions


def test_every_name_of_the_word_list_obeys_the_rule() -> None:
    pairs = [a + n for a in names.ADJECTIVES for n in names.NOUNS if a != n]
    for name in pairs:
        names.check_name(name)
    assert len({name.lower() for name in pairs}) == len(pairs)


@given(st.text(max_size=40))
def test_three_different_names_are_suggested_for_any_seed(seed: str) -> None:
    assert len(set(names.suggestions(seed, ()))) == 3


def test_the_same_seed_suggests_the_same_names() -> None:
    assert names.suggestions("steve", ()) == names.suggestions("steve", ())


def test_a_name_that_is_taken_is_never_suggested() -> None:
    taken = {name.lower() for name in names.suggestions("steve", (), count=500)}
    assert not taken & {name.lower() for name in names.suggestions("steve", taken, count=500)}


def test_the_last_free_name_is_found() -> None:
    everything = {(a + n).lower() for a in names.ADJECTIVES for n in names.NOUNS}
    assert names.suggestions("steve", everything - {"redcat"}) == ["RedCat"]


# --- projects


@pytest.mark.parametrize(
    ("text", "slug"),
    [("shop", "shop"), ("Shop Web", "shop-web"), ("my.app_2", "my-app-2"), ("--", "project"), ("日本", "project"), ("a" * 80, "a" * 63),
     ("../../etc", "etc"), ("a" * 62 + "-b", "a" * 62)],
)  # fmt: skip
def test_a_directorys_name_becomes_a_slug(text: str, slug: str) -> None:
    assert names.slug(text) == slug


@given(st.text(max_size=200))
def test_whatever_a_directory_is_called_its_slug_is_one(text: str) -> None:
    assert names.is_slug(names.slug(text))


@pytest.mark.parametrize("text", ["", "Shop", "a.b", "a/b", "..", "a" * 64, "shop\n", "ｓhop"])
def test_what_is_no_slug_is_not_taken_for_one(text: str) -> None:
    assert not names.is_slug(text)


# --- addresses


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("RedCat", Address("RedCat")),
        ("  RedCat\t", Address("RedCat")),
        ("RedCat@shop-web", Address("RedCat", "shop-web")),
        ("everyone", Address("everyone")),
        ("everyone@shop-web", Address("everyone", "shop-web")),
        ("Overseer", Address("Overseer")),
        ("Orchestrator", Address("Orchestrator")),
        ("bob", Address("bob")),
    ],
)
def test_an_address_is_a_name_and_perhaps_a_project(text: str, address: Address) -> None:
    assert names.parse_address(text) == address


@pytest.mark.parametrize("text", ["RedCat", "RedCat@shop-web", "everyone"])
def test_an_address_is_written_as_it_was_read(text: str) -> None:
    assert str(names.parse_address(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", " ", "@", "@@shop", "RedCat@", "RedCat@Shop", "RedCat@a/b", "RedCat@..", "RedCat@shop@web", "../../etc/cron.d/x", "a/b", "..", ".git", "/etc",
     "%2e%2e", "RedCat/..", "x" * 300, "Red Cat", "RedCat\0", "Red\nCat", "RedСat", "RedCat2", "-rf", "~", "*", "R", "red_cat", "<RedCat>", "\udcff"],
)  # fmt: skip
def test_anything_else_is_refused_with_its_field_and_line(text: str) -> None:
    with pytest.raises(Refused) as caught:
        names.parse_address(text, field="cc", line=7)
    assert caught.value.refusal == Refusal(
        "bad-address",
        f"cc: bad agent name {text.strip()[:80]!r}",
        "use two or more capitalised words, e.g. GreenCastle",
        "cc",
        7,
    )
