"""guard install, remove, status, check: what a person sees."""

import os
from pathlib import Path

import pytest

from tests.adapters.guarded import Guarded, present
from tests.adapters.runner import Terminal, git, repository


@pytest.fixture
def shop(terminal: Terminal, home: Path) -> Guarded:
    """The terminal's repository, with a view in which nothing is held."""
    made = present(terminal.here, home)
    made.held()
    return made


def test_install_says_what_it_did_and_status_proves_it(terminal: Terminal, shop: Guarded) -> None:
    absent = terminal("guard", "status")
    assert (absent.status, "absent" in absent.out) == (1, True)
    hooks = terminal.here / ".git" / "hooks"
    assert terminal.ok("guard", "install").out == f"installed: {hooks}/pre-commit, {hooks}/pre-push\n"
    assert terminal.ok("guard", "install").out.startswith("was installed already: ")
    said = terminal.ok("guard", "status").out.splitlines()
    assert said[0].split("  ")[:1] == ["pre-commit"]
    assert [("git runs it" in line) for line in said] == [True, True, False]
    state = terminal.ok("guard", "status", "--json").json
    assert state["project"] == "shop"
    assert state["events"][0] == {
        "event": "pre-commit",
        "state": "installed",
        "path": f"{hooks}/pre-commit",
        "kept": "",
        "is_proven": True,
    }
    assert terminal.ok("guard", "remove").out == "removed\n"
    assert terminal.ok("guard", "remove", "--json").json == {"success": True, "changed": False, "left": []}


def test_install_says_where_nothing_writes_the_view(terminal: Terminal, shop: Guarded) -> None:
    assert "no lease view" not in terminal.ok("guard", "install").out
    shop.view.unlink()
    assert "every commit is blocked: gitmaild serve" in terminal.ok("guard", "install").out


def test_what_was_installed_blocks(terminal: Terminal, shop: Guarded) -> None:
    terminal.ok("guard", "install", "--strict")
    shop.held(shop.lease("README.md"))
    shop.stage("README.md")
    assert shop.try_git("commit", "-m", "x", GITMAILD_AGENT="GreenCastle").returncode == 1
    assert shop.try_git("commit", "-nm", "x", GITMAILD_AGENT="GreenCastle").returncode == 128
    assert shop.try_git("commit", "-m", "x", GITMAILD_AGENT="RedCat").returncode == 0


def test_a_kept_hook_is_named(terminal: Terminal, shop: Guarded) -> None:
    hook = terminal.here / ".git" / "hooks" / "pre-commit"
    hook.write_text("#!/bin/sh\n")
    assert f"kept, and run after it: {hook}.before-gitmaild\n" in terminal.ok("guard", "install").out


def test_settings_that_were_lost_are_written_again(terminal: Terminal, shop: Guarded) -> None:
    shop.git("config", "--unset", "gitmaild.project")
    terminal.ok("guard", "install")
    assert shop.git("config", "gitmaild.project") == "shop"


def test_a_repository_in_no_project_is_refused(bare_terminal: Terminal) -> None:
    refused = bare_terminal("guard", "install")
    assert (refused.status, "gitmaild init" in refused.err) == (65, True)


def test_project_and_repository_may_be_named_as_agent_mail_does(
    terminal: Terminal, shop: Guarded, tmp_path: Path, home: Path
) -> None:
    other = repository(tmp_path / "other")
    for project in ("shop", str(terminal.here)):
        assert terminal.ok("guard", "install", project, str(other), "--json").json["project"] == "shop"
    assert git(other, "config", "gitmaild.home") == f"{home}\n"
    assert (other / ".git" / "hooks" / "pre-commit").exists()
    assert terminal("guard", "install", "nowhere", str(other)).status == 65


def test_a_submodule_belongs_to_the_project_of_what_it_lies_in(terminal: Terminal, shop: Guarded, tmp_path: Path) -> None:
    repository(tmp_path / "lib")
    git(terminal.here, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(tmp_path / "lib"), "libs/sub")
    sub = terminal.here / "libs" / "sub"
    assert terminal.ok("guard", "install", "--repo", "libs/sub", "--json").json["prefix"] == "libs/sub/"
    shop.held(shop.lease("libs/sub/a.py"))
    (sub / "a.py").write_text("new\n")
    git(sub, "add", "a.py")
    assert shop.try_git("commit", "-m", "x", here=sub).returncode == 1
    terminal.ok("guard", "remove", "--repo", "libs/sub")
    assert shop.try_git("config", "--get-regexp", "gitmaild", here=sub).stdout == ""


def test_husky_is_given_its_line_or_told_of_it(terminal: Terminal, shop: Guarded) -> None:
    (terminal.here / ".husky").mkdir()
    told = terminal("guard", "install")
    assert (told.status, f"add to {terminal.here}/.husky/pre-commit:" in told.out) == (1, True)
    assert 'gitmaild-guard pre-commit "$@"' in told.out
    asked = terminal("guard", "install", "--json")
    assert (asked.json["success"], len(asked.json["todo"])) == (False, 2)
    terminal.ok("guard", "install", "--write")
    assert "not proven" in terminal.ok("guard", "status").out


def test_check_asks_before_an_edit(terminal: Terminal, shop: Guarded) -> None:
    shop.held(shop.lease("src/api/**", left=2700, lease_id="lease_20260101_0a1b2c3d"))
    assert terminal.ok("--as", "RedCat", "guard", "check", "src/api/routes.py").out == "free\n"
    assert terminal.ok("--as", "GreenCastle", "guard", "check", "README.md", "--json").json == {
        "free": True,
        "as": "GreenCastle",
        "conflicts": [],
    }
    held = terminal("--as", "GreenCastle", "guard", "check", "README.md", "src/api/routes.py")
    assert (held.status, held.err.splitlines()[0]) == (1, "BLOCKED: File 'src/api/routes.py' reserved by RedCat")
    conflict = terminal("guard", "check", "src/api/routes.py", "--json").json["conflicts"][0]
    assert 2600 < conflict.pop("expires_in_seconds") <= 2700
    assert conflict == {
        "path": "src/api/routes.py",
        "more": 0,
        "pattern": "src/api/**",
        "holder": "RedCat",
        "lease": "lease_20260101_0a1b2c3d",
        "expires": shop.lease("x").expires,
        "reason": "br-123",
    }


def test_check_without_a_view_or_a_project_is_a_no(terminal: Terminal, shop: Guarded, tmp_path: Path) -> None:
    shop.view.unlink()
    (terminal.here / ".gitmaild" / "leases" / ".view").unlink()
    blind = terminal("guard", "check", "README.md", "--json")
    assert (blind.status, blind.json["free"], "no lease view" in blind.json["blind"]) == (1, False, True)
    assert "gitmaild rebuild" in terminal("guard", "check", "README.md").err
    other = repository(tmp_path / "other")
    outside = terminal("guard", "check", "x", here=other)
    assert (outside.status, "in no project" in outside.err) == (1, True)


def test_an_edited_hook_is_refused_in_words(terminal: Terminal, shop: Guarded) -> None:
    terminal.ok("guard", "install")
    hook = terminal.here / ".git" / "hooks" / "pre-commit"
    hook.write_text(hook.read_text() + "# mine\n")
    refused = terminal("guard", "remove", "--json")
    assert (refused.status, refused.json["code"]) == (65, "edited-hook")
    assert os.access(hook, os.X_OK)
