"""preset: through the command line, answers and exit statuses."""

import tomllib
from pathlib import Path

import pytest

from gitmaild.wiring import presets
from tests.adapters.runner import Terminal, git
from tests.adapters.test_cli_office import somebody_serves

SOURCE = Path(__file__).parents[2]


def commits(home: Path) -> int:
    return int(git(home / "mailbox.git", "rev-list", "--count", "main"))


def write(terminal: Terminal, text: str, name: str = "mine.yaml") -> str:
    (terminal.here / name).write_text(text)
    return name


def test_the_shipped_presets_are_listed_and_shown(terminal: Terminal) -> None:
    assert [line.split()[0] for line in terminal.ok("preset", "list").out.splitlines()] == ["gastown-docs", "gastown-seed"]
    for row in terminal.ok("preset", "list", "--json").json:
        assert row["source"]
        assert terminal.ok("preset", "show", row["name"]).out == presets.shipped()[row["name"]].read_text()
    shown = terminal.ok("preset", "show", "gastown-docs", "--json").json
    assert shown["entries"][2] == {
        "kind": "role",
        "name": "Witness",
        "lines": [
            "role: Witness",
            'about: "Oversees polecats and the Refinery; finds who is stuck."',
            "lease_seconds: 900",
        ],
    }


def test_applying_a_preset_twice_changes_nothing_the_second_time(crew: Terminal, home: Path) -> None:
    first = crew.ok("preset", "apply", "gastown-seed", "--bind", "Mayor=GreenCastle", "--json").json
    assert (first["success"], first["changed"], {row["status"] for row in first["entries"]}) == (True, 10, {"made"})
    before = commits(home)
    again = crew.ok("preset", "apply", "gastown-seed")
    assert (again.out, commits(home)) == ("gastown-seed: all is so already\n", before)
    assert crew.ok("role", "list", "--json").json[0] | {"since": ""} == {
        "role": "Mayor",
        "agent": "GreenCastle",
        "since": "",
        "about": "Receives status updates from all roles, and hands out the work.",
        "lease_seconds": 3600,
    }


def test_a_preset_leaves_what_people_have_added(crew: Terminal) -> None:
    crew.ok("preset", "apply", "gastown-seed", "--bind", "Mayor=GreenCastle", "--bind", "crew=RedCat")
    crew.ok("--as", "Overseer", "group", "set", "crew", "--add", "BlueLake")
    crew.ok("--as", "Overseer", "group", "set", "night-shift", "BlueLake")
    said = crew.ok("preset", "apply", "gastown-docs", "--json").json
    assert {row["name"]: row["changes"] for row in said["entries"] if row["name"] in ("crew", "Mayor")} == {
        "Mayor": [
            "about: Receives status updates from all roles, and hands out the work. -> "
            "Chief of staff; coordinates the work and tells the Overseer what matters."
        ],
        "crew": [
            "lease_seconds: 900 -> 28800",
            "about: Ephemeral workers with short leases. -> Long-lived workers, each led by a person.",
        ],
    }
    groups = {row["name"]: row["agents"] for row in crew.ok("group", "list", "--json").json}
    assert (groups["crew"], groups["night-shift"]) == (["RedCat", "BlueLake"], ["BlueLake"])
    assert sorted(groups["town"]) == ["BlueLake", "GreenCastle", "RedCat"]


def test_a_dry_run_says_what_would_change_and_changes_nothing(crew: Terminal, home: Path) -> None:
    before = commits(home)
    said = crew.ok("preset", "apply", "gastown-seed", "--bind", "dogs=RedCat,BlueLake", "--dry-run").out
    assert "made  group  dogs           members: RedCat, BlueLake; lease_seconds: 1800;" in said
    assert said.endswith("gastown-seed: 10 of 10 would be made or changed\n")
    assert (commits(home), crew.ok("role", "list", "--json").json) == (before, [])


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--bind", "Mayor=GreenCastel"), "unknown-agent", "Mayor=GreenCastel: agent: no agent 'GreenCastel'; did you mean"),
        (("--bind", "crew=RedCat,NoBody"), "unknown-agent", "crew=RedCat,NoBody: members: no agent, role or group 'NoBody'"),
        (("--bind", "Dogs=RedCat"), "unknown-entry", "no 'Dogs' in gastown-seed; did you mean dogs?"),
        (("--as", "RedCat"), "not-an-editor", "gastown-seed.yaml: line 8: RedCat may not change roles"),
    ],
)
def test_where_one_part_would_be_refused_nothing_is_done(
    crew: Terminal, home: Path, options: tuple[str, ...], code: str, words: str
) -> None:
    before = commits(home)
    refused = crew("preset", "apply", "gastown-seed", *options, "--json")
    assert (refused.status, refused.json["status"], refused.json["code"]) == (65, "refused", code)
    assert words in refused.json["reason"]
    assert (commits(home), crew.ok("board", "list", "--json").json[0]["name"]) == (before, "general")


def test_a_name_that_is_something_else_already_is_refused_with_its_line(crew: Terminal) -> None:
    crew.ok("--as", "Overseer", "board", "set", "crew")
    file = write(crew, "preset: my-town\n---\nkind: group\nname: dogs\n---\nkind: group\nname: crew\n")
    refused = crew("preset", "apply", file)
    assert (refused.status, refused.err) == (
        65,
        "gitmaild: refused: mine.yaml: line 6: crew is a board; choose another name, or delete that one (name-taken)\n",
    )
    assert crew.ok("group", "list", "--json").json == []


def test_an_own_file_is_applied_and_a_wrong_one_refused(crew: Terminal) -> None:
    file = write(crew, "preset: my-town\n---\nkind: role-bind\nrole: Mayor\nagent: RedCat\nlease_seconds: 2h\n")
    assert crew.ok("preset", "apply", f"./{file}").out == (
        "made  role  Mayor  holder: RedCat; lease_seconds: 7200\nmy-town: 1 of 1 made or changed\n"
    )
    wrong = crew("preset", "apply", write(crew, "preset: my-town\n---\nkind: role-bind\nrole: mayor town\nabout: x\n"))
    assert (wrong.status, wrong.err) == (
        65,
        "gitmaild: refused: mine.yaml: line 3: 'mayor town' cannot name a role; use one capitalised word: Orchestrator "
        "(bad-role)\n",
    )


def test_neither_a_preset_nor_a_file_and_a_bad_binding_say_so(crew: Terminal) -> None:
    missing = crew("preset", "show", "gastown-sede")
    assert (missing.status, "did you mean gastown-seed?" in missing.err) == (65, True)
    bad = crew("preset", "apply", "gastown-seed", "--bind", "Mayor")
    assert (bad.status, "write ROLE=AGENT" in bad.err) == (64, True)


def test_whom_the_setting_names_may_apply_a_preset(crew: Terminal, home: Path) -> None:
    (home / "config.yaml").write_text("directory_editors: [RedCat]\n")
    assert crew.ok("--as", "RedCat", "preset", "apply", "gastown-docs", "--json").json["changed"] == 12
    assert git(home / "mailbox.git", "log", "-1", "--format=%an", "main") == "RedCat\n"


def test_where_a_daemon_does_not_answer_the_rest_waits_for_another_try(crew: Terminal, home: Path) -> None:
    with somebody_serves(home):
        queued = crew("preset", "apply", "gastown-seed")
    assert (queued.status, "0 of 10 done; once it is answered, apply the preset again" in queued.err) == (3, True)
    crew.ok("serve", "--once")
    assert [row["role"] for row in crew.ok("role", "list", "--json").json] == ["Mayor"]
    assert crew.ok("preset", "apply", "gastown-seed", "--json").json["changed"] == 9


def test_presets_are_in_the_wheel_where_they_are_looked_for() -> None:
    wheel = tomllib.loads((SOURCE / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"]["fixtures/presets"] == "gitmaild/presets"
    assert list(presets.shipped().values()) == sorted((SOURCE / "fixtures" / "presets").glob("*.yaml"))
