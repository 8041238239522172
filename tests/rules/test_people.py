"""Who is here: founding, registering, retiring."""

import pytest

from gitmaild.model import names
from gitmaild.model.changeset import Changeset, Put
from gitmaild.model.commands import Found
from gitmaild.model.errors import Refusal
from gitmaild.model.settings import Settings
from gitmaild.rules.mailbox import Mailbox, Profile
from gitmaild.rules.people import free_name
from gitmaild.rules.plan import plan
from tests.build import NOW, Shop, an_envelope
from tests.fakes import DictTree

AT = "2026-01-01T00:00:00.000000Z"


# --- founding


def test_a_project_is_founded_with_its_overseer_and_the_format() -> None:
    change = plan(Found(an_envelope("Overseer", drop="")), Mailbox(DictTree(), "shop"), NOW, Settings())
    assert change == Changeset(
        subject="found: project shop",
        author="Overseer",
        at=NOW,
        puts=(
            Put("shop/project.yaml", f'project: shop\nfounded: "{AT}"\n'.encode()),
            Put(
                "shop/agents/Overseer/profile.yaml",
                'agent_name: Overseer\nprogram: gitmaild\nmodel: ""\ntask_description: the person who oversees this project\n'
                f'registered: "{AT}"\nupdated: "{AT}"\nstate: active\n'.encode(),
            ),
            Put("FORMAT", b"1\n"),
        ),
        trailers=(
            ("Command", "found cmd_20260101_00000001"),
            ("Project", "shop"),
            ("From", "Overseer"),
            ("Result", "founded"),
        ),
    )


def test_a_second_project_leaves_the_format_alone() -> None:
    change = plan(Found(an_envelope("Overseer", project="library")), Mailbox(Shop().tree, "library"), NOW, Settings())
    assert isinstance(change, Changeset)
    assert [put.path for put in change.puts] == ["library/project.yaml", "library/agents/Overseer/profile.yaml"]


# --- registering


def test_an_agent_registers_with_all_it_says() -> None:
    shop = Shop()
    change = shop.accepted(
        "GreenCastle", kind="register", program="Claude Code", model="Opus 4.5", task_description="Backend API: auth"
    )
    assert change.subject == "register: GreenCastle (Claude Code Opus 4.5)"
    assert change.answer == (
        "kind: register\nstatus: registered\nagent_name: GreenCastle\nprogram: Claude Code\n"
        'model: Opus 4.5\ntask_description: "Backend API: auth"\n'
        f'registered: "{AT}"\nupdated: "{AT}"\nstate: active\n'
    )
    assert shop.mailbox.profile("GreenCastle") == Profile(
        "GreenCastle", "Claude Code", "Opus 4.5", "Backend API: auth", registered=AT, updated=AT
    )


def test_registering_again_unchanged_changes_no_file() -> None:
    shop = Shop("GreenCastle")
    again = shop.accepted("GreenCastle", kind="register", program="Claude Code", model="Opus 4.5")
    assert (again.puts, again.drops, again.subject) == ((), (), "register again: GreenCastle (Claude Code Opus 4.5)")
    assert dict(again.trailers)["Result"] == "registered"


def test_registering_again_with_news_is_an_update() -> None:
    shop = Shop("GreenCastle")
    before = shop.mailbox.profile("GreenCastle")
    change = shop.accepted("GreenCastle", kind="register", task_description="the tests")
    after = shop.mailbox.profile("GreenCastle")
    assert change.subject == "update: GreenCastle (Claude Code Opus 4.5)"
    assert before and after == Profile(
        "GreenCastle", "Claude Code", "Opus 4.5", "the tests", registered=before.registered, updated=AT
    )


def test_an_empty_field_empties_what_was_said_before() -> None:
    shop = Shop("GreenCastle")
    shop.accepted("GreenCastle", kind="register", model="")
    profile = shop.mailbox.profile("GreenCastle")
    assert profile and (profile.program, profile.model) == ("Claude Code", "")


def test_whatever_an_agent_says_of_itself_is_read_back() -> None:
    shop = Shop()
    shop.accepted("GreenCastle", kind="register", program="- x: 'y'", model="yes", task_description="|\n  one\n  two")
    profile = shop.mailbox.profile("GreenCastle")
    assert profile and (profile.program, profile.model, profile.task_description) == ("- x: 'y'", "yes", "one\ntwo")


def test_an_unknown_field_of_a_registration_is_reported() -> None:
    change = Shop().accepted("GreenCastle", kind="register", programm="x")
    assert 'ignored: ["programm; did you mean program?"]\n' in change.answer


@pytest.mark.parametrize("name", ["steve", "claude", "opus-4-1", "MyAgent123", "Postmaster", "Green"])
def test_a_bad_name_is_refused_and_nothing_is_written(name: str) -> None:
    shop = Shop()
    before = shop.tree.paths()
    refusal = shop.refused(name, kind="register")
    assert (refusal.code, shop.tree.paths()) == ("bad-name", before)


def test_a_name_is_unique_without_regard_to_case() -> None:
    assert Shop("BlueLakeside").refused("BlueLakeSide", kind="register").code == "name-taken"


def test_three_names_that_are_free_here_are_suggested() -> None:
    shop = Shop(*names.suggestions("steve", (), count=3))
    refusal = shop.refused("steve", kind="register")
    suggested = refusal.mend.removeprefix("free names: ").split(", ")
    assert len(suggested) == 3
    assert not {name.lower() for name in suggested} & shop.mailbox.taken()


def test_a_home_of_the_wordlist_admits_its_words_only() -> None:
    shop = Shop(limits=Settings(names="wordlist"))
    assert shop.refused("TestAgent", kind="register").code == "bad-name"
    assert shop.accepted("GreenCastle", kind="register").puts


def test_a_generated_name_is_unused_and_obeys_the_rule() -> None:
    shop = Shop(*names.suggestions("seed", (), count=2))
    name = free_name("seed", shop.mailbox)
    assert shop.accepted(name, kind="register", program="x").puts


def test_the_overseer_may_register_news_of_itself() -> None:
    shop = Shop()
    shop.accepted("Overseer", kind="register", task_description="release")
    profile = shop.mailbox.profile("Overseer")
    assert profile and profile.task_description == "release"


# --- retiring


def test_an_agent_retires_itself() -> None:
    shop = Shop("GreenCastle")
    change = shop.accepted("GreenCastle", kind="retire", reason="all done")
    profile = shop.mailbox.profile("GreenCastle")
    assert (change.subject, change.answer) == (
        "retire: GreenCastle: all done",
        "kind: retire\nstatus: retired\nagent_name: GreenCastle\n",
    )
    assert profile and (profile.state, profile.reason, profile.program, profile.updated) == (
        "retired",
        "all done",
        "Claude Code",
        AT,
    )


def test_who_has_retired_asks_for_nothing_more() -> None:
    shop = Shop("GreenCastle", "RedCat")
    shop.accepted("GreenCastle", kind="retire")
    assert shop.refused("GreenCastle", to="RedCat") == Refusal(
        "retired", "GreenCastle has retired", "drop a kind: register to come back"
    )


def test_who_registers_again_has_come_back() -> None:
    shop = Shop("GreenCastle", "RedCat")
    shop.accepted("GreenCastle", kind="retire", reason="done")
    assert shop.accepted("GreenCastle", kind="register").subject == "update: GreenCastle (Claude Code Opus 4.5)"
    profile = shop.mailbox.profile("GreenCastle")
    assert profile and (profile.state, profile.reason) == ("active", "")
    assert shop.accepted("RedCat", to="GreenCastle").recipients == ("GreenCastle inbox",)


def test_the_overseer_retires_an_agent() -> None:
    shop = Shop("GreenCastle")
    change = shop.accepted("Overseer", kind="retire", agent="GreenCastle")
    assert (change.author, shop.mailbox.everyone()) == ("Overseer", [])


def test_retiring_twice_changes_no_file() -> None:
    shop = Shop("GreenCastle")
    shop.accepted("Overseer", kind="retire", agent="GreenCastle", reason="done")
    assert shop.accepted("Overseer", kind="retire", agent="GreenCastle").puts == ()


def test_an_agent_cannot_retire_another() -> None:
    refusal = Shop("GreenCastle", "RedCat").refused("GreenCastle", kind="retire", agent="RedCat")
    assert (refusal.code, refusal.reason) == ("not-your-desk", "GreenCastle cannot retire RedCat")


@pytest.mark.parametrize("agent", ["RedCatt", "Overseer", "everyone", "RedCat@shop"])
def test_who_is_no_agent_cannot_be_retired(agent: str) -> None:
    assert Shop("RedCat").refused("Overseer", kind="retire", agent=agent).code == "unknown-agent"
