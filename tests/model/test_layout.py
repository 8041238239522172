"""Paths to meaning and meaning to paths."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitmaild.model import layout
from gitmaild.model.layout import Canonical, Copy, FileName, ProfilePath
from gitmaild.model.message import IMPORTANCE
from gitmaild.model.names import ADJECTIVES, NOUNS
from tests.build import a_message

NAME = "20260101T000000.000000Z_normal_GreenCastle_lunch_00000001.md"
HOUR = "2026/01/01/00"

agent_names = st.tuples(st.sampled_from(ADJECTIVES), st.sampled_from(NOUNS)).map("".join)
slugs = st.from_regex(r"[a-z0-9-]{1,63}", fullmatch=True)
moments = st.datetimes(min_value=datetime(1000, 1, 1), timezones=st.just(UTC))
hexes = st.from_regex(r"[0-9a-f]{8,32}", fullmatch=True)


# --- a message's file


def test_a_file_name_says_when_how_urgent_from_whom_and_about_what() -> None:
    message = a_message(importance="urgent", subject="[br-123] Start: Auth API")
    assert layout.file_name(message) == "20260101T000000.000000Z_urgent_GreenCastle_br-123-start-auth-api_00000001.md"


@given(
    moments,
    st.sampled_from(IMPORTANCE),
    agent_names | st.sampled_from(["Overseer", "Postmaster"]),
    st.text(max_size=300),
    hexes,
)
def test_a_file_name_is_read_back_whatever_the_subject(
    created: datetime, importance: str, sender: str, subject: str, digits: str
) -> None:
    message = a_message(id=f"msg_20260101_{digits}", created=created, importance=importance, sender=sender, subject=subject)
    name = layout.file_name(message)
    at = created.strftime("%Y%m%dT%H%M%S.%fZ")
    assert layout.parse_file_name(name) == FileName(at, importance, sender, layout.subject_slug(subject), digits)
    assert len(name) <= 255


@given(st.lists(moments, min_size=2, max_size=10))
def test_file_names_sort_by_time(times: list[datetime]) -> None:
    names = [layout.file_name(a_message(created=created)) for created in times]
    assert [name[:23] for name in sorted(names)] == [layout.file_name(a_message(created=c))[:23] for c in sorted(times)]


@given(moments)
def test_a_file_name_knows_its_hour(created: datetime) -> None:
    parts = layout.parse_file_name(layout.file_name(a_message(created=created)))
    assert parts is not None and parts.shard == layout.shard(created)


@pytest.mark.parametrize(
    ("subject", "slug"),
    [
        ("lunch?", "lunch"),
        ("[br-123] Start: Auth API", "br-123-start-auth-api"),
        ("", "message"),
        ("日本語", "message"),
        ("../../etc/passwd", "etc-passwd"),
        ("\n\0\x1b[2J", "2j"),
        ("Ärger", "rger"),
        ("x" * 59 + " y", "x" * 59),
        ("x" * 200, "x" * 60),
    ],
)
def test_a_slug_is_at_most_sixty_plain_characters(subject: str, slug: str) -> None:
    assert layout.subject_slug(subject) == slug


@pytest.mark.parametrize(
    "name",
    ["", "note.md", NAME + "~", NAME + ".orig", "." + NAME, NAME.replace("normal", "loud"), NAME.replace("lunch", "../x"),
     NAME.replace("lunch", ""), NAME.replace("00000001", "0000001"), NAME.replace("20260101T", "２０２６0101T"), NAME + "\n"],
)  # fmt: skip
def test_any_other_name_is_no_messages_file(name: str) -> None:
    assert layout.parse_file_name(name) is None


# --- the tree


@given(st.lists(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,70}", fullmatch=True), min_size=1, max_size=3), st.text())
def test_a_file_name_never_rules_out_a_tag_that_the_subject_has(tags: list[str], rest: str) -> None:
    slug = layout.subject_slug("".join(f"[{tag}] " for tag in tags) + rest)
    assert all(layout.may_bear(slug, tag) for tag in tags)


def test_a_file_name_rules_out_most_tags_that_the_subject_does_not_have() -> None:
    slug = layout.subject_slug("[br-123] Start: Auth API")
    assert not layout.may_bear(slug, "br-12")
    assert not layout.may_bear(slug, "HANDOFF")
    assert layout.may_bear(layout.subject_slug("x" * 90), "HANDOFF")  # it was cut


@given(slugs, agent_names, st.sampled_from(layout.FOLDERS), st.sampled_from(["", "/001", "/999", "/1000"]))
def test_a_copy_is_recognised_in_any_leaf(project: str, agent: str, folder: str, leaf: str) -> None:
    path = f"{layout.folder(project, agent, folder)}/{HOUR}{leaf}/{NAME}"
    assert layout.recognise(path) == Copy(project, agent, folder, NAME)


@given(slugs, hexes, st.sampled_from(["", "/001", "/1000"]))
def test_a_canonical_copy_is_recognised(project: str, digits: str, leaf: str) -> None:
    path = f"{layout.messages(project)}/{HOUR}{leaf}/msg_20260101_{digits}.md"
    assert layout.recognise(path) == Canonical(project, f"msg_20260101_{digits}")


@given(slugs, agent_names | st.just("Overseer"))
def test_a_profile_is_recognised(project: str, agent: str) -> None:
    assert layout.recognise(layout.profile(project, agent)) == ProfilePath(project, agent)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "FORMAT",
        "shop",
        "shop/project.yaml",
        f"shop/agents/GreenCastle/inbox/{HOUR}/note.md",
        f"shop/agents/GreenCastle/inbox/{HOUR}/../{NAME}",
        f"shop/agents/GreenCastle/inbox/{NAME}",
        f"shop/agents/GreenCastle/outbox/{HOUR}/{NAME}",
        f"shop/agents/../inbox/{HOUR}/{NAME}",
        f"shop/agents/Postmaster/inbox/{HOUR}/{NAME}",
        f"shop/agents/greencastle/inbox/{HOUR}/{NAME}",
        f"Shop/agents/GreenCastle/inbox/{HOUR}/{NAME}",
        f"../agents/GreenCastle/inbox/{HOUR}/{NAME}",
        f"/shop/agents/GreenCastle/inbox/{HOUR}/{NAME}",
        f"{'s' * 64}/agents/GreenCastle/inbox/{HOUR}/{NAME}",
        f"shop/agents/{'Green' * 9}/inbox/{HOUR}/{NAME}",
        f"shop/agents/GreenCastle/inbox/２０２６/01/01/00/{NAME}",
        f"shop/agents/GreenCastle/inbox/{HOUR}/{NAME}\n",
        f"shop/messages/{HOUR}/msg_20260101_0000.md",
        f"shop/messages/{HOUR}/msg_20260101_00000001.md.orig",
        f"{'s' * 64}/messages/{HOUR}/msg_20260101_00000001.md",
        f"{'s' * 64}/agents/GreenCastle/profile.yaml",
        "shop/agents/steve/profile.yaml",
        "shop/agents/Postmaster/profile.yaml",
        "shop/agents/.git/profile.yaml",
    ],
)
def test_a_mirror_writes_nothing_that_is_not_recognised(path: str) -> None:
    assert layout.recognise(path) is None


def test_every_path_of_a_project_lies_below_its_slug() -> None:
    sha = "ab" + "0" * 62
    assert [
        layout.project_file("shop"),
        layout.agents("shop"),
        layout.profile("shop", "RedCat"),
        layout.folder("shop", "RedCat", "inbox"),
        layout.messages("shop"),
        layout.attachment("shop", sha, "a.txt"),
        layout.request("shop", "RedCat", sha),
    ] == [
        "shop/project.yaml",
        "shop/agents",
        "shop/agents/RedCat/profile.yaml",
        "shop/agents/RedCat/inbox",
        "shop/messages",
        f"shop/attachments/ab/{sha}/a.txt",
        f"shop/agents/RedCat/requests/ab/{sha}.yaml",
    ]


def test_the_search_for_a_message_starts_at_the_day_of_its_id() -> None:
    assert layout.day_of("msg_20261122_7b3dc3a7") == "2026/11/22"


def test_what_is_no_message_id_has_no_day() -> None:
    with pytest.raises(ValueError, match="not a message id"):
        layout.day_of("../../etc")
