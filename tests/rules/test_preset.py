"""Preset files: read, refused with line and mend, filled in, and back to the drops that they stand for."""

from pathlib import Path

import pytest
import yaml

from gitmaild.model.commands import BindRole, EditList
from gitmaild.model.directory import MailingList, Role
from gitmaild.model.errors import Refusal, Refused
from gitmaild.model.preset import Preset
from gitmaild.model.settings import Settings
from gitmaild.rules import preset as rules
from gitmaild.rules.parse import parse
from tests.build import Shop, an_envelope

SHIPPED = sorted((Path(__file__).parents[2] / "fixtures" / "presets").glob("*.yaml"))
HEAD = "preset: my-town\n---\n"
MAYOR = "kind: role-bind\nrole: Mayor\nabout: Coordinates: all of it.\nlease_seconds: 1h\n"


def read(text: str) -> Preset:
    return rules.read(text.encode(), "my.yaml", Settings())


def refused(text: str) -> Refusal:
    with pytest.raises(Refused) as no:
        read(text)
    return no.value.refusal


def dropped(shop: Shop, found: Preset) -> None:
    """What the Overseer's outbox makes of the drops that a preset stands for."""
    for entry in found.entries:
        kind, lines = rules.drop(entry)
        command = parse(f"---\nkind: {kind}\n{lines}---\n".encode(), shop.envelope("Overseer"), Settings())
        assert not isinstance(command, Refusal), command
        assert not isinstance(refusal := shop.ask(command), Refusal), refusal


def test_a_preset_is_drops_one_after_the_other() -> None:
    found = read(
        "# a comment\npreset: my-town\nabout: Ours\nsource: us\n---\n"
        + MAYOR
        + "---\n\nkind: group\nname: crew\nadd: [Mayor, RedCat]\n"
    )
    assert (found.name, found.about, found.source) == ("my-town", "Ours", "us")
    assert [(entry.kind, entry.name, entry.where) for entry in found.entries] == [
        ("role", "Mayor", "my.yaml: line 6"),
        ("group", "crew", "my.yaml: line 12"),
    ]
    mayor, crew = (entry.command for entry in found.entries)
    assert isinstance(mayor, BindRole)
    assert (mayor.agent, mayor.about, mayor.lease_seconds) == (None, "Coordinates: all of it.", 3600)
    assert isinstance(crew, EditList)
    assert (crew.members, crew.add) == (None, ("Mayor", "RedCat"))


@pytest.mark.parametrize(
    "text",
    ["---\n" + HEAD + MAYOR, "\ufeff" + HEAD + MAYOR, (HEAD + MAYOR).replace("\n", "\r\n"), HEAD + MAYOR + "---\n# end\n"],
)
def test_fences_at_the_ends_a_bom_and_other_line_ends_change_nothing(text: str) -> None:
    (entry,) = read(text).entries
    assert rules.drop(entry) == rules.drop(read(HEAD + MAYOR).entries[0])


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        ("", "no-preset", "my.yaml: line 1: no preset"),
        (MAYOR, "no-preset", "my.yaml: line 1: no preset"),
        ("preset: My Town\n---\n" + MAYOR, "bad-name", "my.yaml: line 1: preset: 'My Town' cannot name a preset"),
        (
            "preset: a-b\nsauce: us\n---\n",
            "unknown-field",
            "my.yaml: line 2: sauce: is not known here; did you mean source?",
        ),
        (HEAD, "empty-preset", "my.yaml: nothing after the head"),
        (HEAD + "role: Mayor\n", "unknown-kind", "my.yaml: line 3: no kind"),
        (
            HEAD + "kind: groups\nname: crew\n",
            "unknown-kind",
            "my.yaml: line 3: kind: 'groups' does not belong into a preset; did you mean group?",
        ),
        (
            HEAD + "kind: message\nto: RedCat\n",
            "unknown-kind",
            "my.yaml: line 3: kind: 'message' does not belong into a preset",
        ),
        (
            HEAD + MAYOR + "leese_seconds: 1h\n",
            "unknown-field",
            "my.yaml: line 7: leese_seconds: is not known here; did you mean lease_seconds?",
        ),
        (
            HEAD + "kind: role-bind\nrole: Mayor\n\nlease_seconds: 1 hour\n",
            "bad-time-span",
            "my.yaml: line 6: lease_seconds: '1 hour' is not a time span of 0 to 604800 seconds",
        ),
        (HEAD + "kind: role-bind\nabout: x\n", "no-role", "my.yaml: line 3: no role"),
        (HEAD + "kind: group\nname: crew\nadd: Red Cat\n", "bad-address", "my.yaml: line 5: add: bad agent name 'Red Cat'"),
        (
            HEAD + "kind: group\nname: crew\ndelete: yes\n",
            "only-adds",
            "my.yaml: line 5: delete: a preset takes nothing away",
        ),
        (HEAD + "kind: group\nname: a\n---\nkind group\n", "not-a-field", "my.yaml: line 6: 'kind group' is not key: value"),
        (
            HEAD + "kind: group\nname: a\nname: b\n",
            "duplicate-key",
            "my.yaml: line 5: duplicate key 'name' (first on line 4)",
        ),
        (
            HEAD + MAYOR + "---\n" + MAYOR,
            "duplicate-entry",
            "my.yaml: line 8: Mayor is there already: my.yaml: line 3",
        ),
    ],
)
def test_what_is_wrong_is_refused_with_its_line_and_a_mend(text: str, code: str, reason: str) -> None:
    no = refused(text)
    assert (no.code, no.reason) == (code, reason)
    assert no.mend


def test_bytes_that_are_no_text_and_too_many_are_refused() -> None:
    with pytest.raises(Refused, match=r"my\.yaml: .*UTF-8"):
        rules.read(b"preset: a-b\n---\nabout: \xff\n", "my.yaml", Settings())
    with pytest.raises(Refused, match=r"my\.yaml: .*limit"):
        rules.read(b"#" * (rules.LIMIT + 1), "my.yaml", Settings())


# --- binding

TOWN = HEAD + MAYOR + "---\nkind: group\nname: crew\nadd: Mayor\n---\nkind: board\nname: news\n"


def test_holders_are_bound_to_roles_and_added_to_groups() -> None:
    bound = rules.bind(read(TOWN), {"Mayor": ("GreenCastle",), "crew": ("RedCat", "Mayor", "RedCat")})
    assert [rules.drop(entry)[1].splitlines()[:2] for entry in bound.entries] == [
        ["role: Mayor", "agent: GreenCastle"],
        ["name: crew", "add: [Mayor, RedCat]"],
        ["name: news"],
    ]


@pytest.mark.parametrize(
    ("bindings", "code", "reason"),
    [
        ({"mayor": ("RedCat",)}, "unknown-entry", "no 'mayor' in my-town; did you mean Mayor?"),
        ({"Mayor": ("RedCat", "BlueLake")}, "one-holder", "Mayor=RedCat,BlueLake: a role has one holder"),
        ({"news": ("RedCat",)}, "no-members", "news=RedCat: a board has no members"),
    ],
)
def test_what_cannot_be_bound_is_refused(bindings: dict[str, tuple[str, ...]], code: str, reason: str) -> None:
    with pytest.raises(Refused) as no:
        rules.bind(read(TOWN), bindings)
    assert (no.value.refusal.code, no.value.refusal.reason) == (code, reason)


# --- what changes


def test_changes_are_told_a_line_each() -> None:
    after = MailingList("crew", "group", ("Mayor",), "Workers.", lease_seconds=900)
    assert rules.changes(None, after) == ("members: Mayor", "lease_seconds: 900", "about: Workers.")
    before = MailingList("crew", "group", ("RedCat",), "Workers.", lease_seconds=60)
    assert rules.changes(before, after) == ("members: RedCat -> Mayor", "lease_seconds: 60 -> 900")
    assert rules.changes(after, after) == ()
    assert rules.changes(Role("Mayor", "RedCat"), Role("Mayor")) == ("holder: RedCat -> none",)


# --- those that are shipped


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_preset_says_where_its_reading_is_from_and_is_accepted_whole(path: Path) -> None:
    found = rules.read(path.read_bytes(), path.name, Settings())
    assert (found.name, bool(found.about), bool(found.source)) == (path.stem, True, True)
    shop = Shop()
    dropped(shop, found)
    directory = shop.mailbox.directory()
    said = [*(role.name for role in directory.roles.values()), *directory.lists]
    assert sorted(said) == sorted(entry.name for entry in found.entries)
    assert all(role.about and role.lease_seconds for role in directory.roles.values())
    assert all(mailing.about for mailing in directory.lists.values())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_any_reader_of_yaml_reads_a_shipped_preset_the_same(path: Path) -> None:
    head, *parts = yaml.safe_load_all(path.read_text())
    found = rules.read(path.read_bytes(), path.name, Settings())
    assert (head["preset"], head["about"], head["source"]) == (found.name, found.about, found.source)
    for part, entry in zip(parts, found.entries, strict=True):
        lines = "".join(f"{key}: {value}\n" for key, value in part.items())
        command = parse(f"---\n{lines}---\n".encode(), an_envelope("Overseer"), Settings())
        again = parse(
            f"---\nkind: {part['kind']}\n{rules.drop(entry)[1]}---\n".encode(), an_envelope("Overseer"), Settings()
        )
        assert command == again


def test_the_two_readings_of_gas_town_differ_where_they_are_said_to() -> None:
    seconds = {}
    for path in SHIPPED:
        shop = Shop()
        dropped(shop, rules.read(path.read_bytes(), path.name, Settings()))
        seconds[path.stem] = {name: one.lease_seconds for name, one in shop.mailbox.directory().lists.items()}
    seed, docs = seconds["gastown-seed"], seconds["gastown-docs"]
    assert seed["polecats"] > 3600 > seed["crew"]
    assert docs["crew"] > 3600 >= docs["polecats"]
