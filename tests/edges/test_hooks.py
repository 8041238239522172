"""The guard's hooks: installed beside what is there, and gone again byte for byte."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from gitmaild.edges.hookfile import append_line, drop_line, is_edited, is_ours, render
from gitmaild.edges.hooks import KEPT, Hooks, superproject
from gitmaild.model.errors import Refused
from tests.edges.test_worktree import git

TEMPLATE = (Path(__file__).parents[2] / "hooks" / "guard").read_text()
STUB = render(TEMPLATE, python=Path("/usr/bin/python3"), program=Path("/opt/git maild/guard"))
OLDER = render(TEMPLATE.replace("event=", "# of another version\nevent="), python=Path("/p"), program=Path("/g"))
FOREIGN = b"#!/bin/sh\n# theirs \xff\nexit 0"
HUSKY = '! command -v gitmaild-guard >/dev/null 2>&1 || gitmaild-guard pre-commit "$@" || exit 1'
GUARDED = "command -v gitmaild-guard >/dev/null 2>&1 || exit 0"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop"
    path.mkdir()
    git(path, "init", "-q")
    git(path, "commit", "-q", "--allow-empty", "-m", "first")
    return path


def hooks(place: Path, *, stub: bytes = STUB, version: tuple[int, ...] | None = None, **more: str) -> Hooks:
    return Hooks(place, stub, {**os.environ, **more}, version=version)


def files(directory: Path) -> dict[str, tuple[bytes, int]]:
    """What is in a directory of hooks: bytes and modes; of links, where they lead."""
    return {
        path.name: (os.readlink(path).encode() if path.is_symlink() else path.read_bytes(), path.lstat().st_mode)
        for path in directory.iterdir()
        if not path.name.endswith(".sample") and not path.is_dir()
    }


def put(path: Path, data: bytes = FOREIGN, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
    return path


# --- the file


def test_the_two_paths_are_words_of_the_shell() -> None:
    assert b"\npython=/usr/bin/python3\nguard='/opt/git maild/guard'\n" in STUB
    assert STUB.startswith(b"#!/bin/sh\n# gitmaild-guard stub 1 ")
    subprocess.run(["sh", "-n"], input=STUB, check=True)


def test_a_hook_of_ours_is_known_in_any_version_and_so_is_an_edit() -> None:
    assert [is_ours(STUB), is_ours(OLDER), is_ours(FOREIGN), is_ours(b"")] == [True, True, False, False]
    assert [is_edited(STUB), is_edited(OLDER), is_edited(FOREIGN)] == [False, False, False]
    assert is_edited(STUB + b"echo mine\n")
    assert is_edited(STUB.replace(b"/usr/bin/python3", b"/bin/python3"))


@pytest.mark.parametrize("before", [b"", b"npm test\n", b"npm test", b"a\n\nb\n", b"a\r\n\r\n"])
def test_a_line_goes_in_and_out_again_byte_for_byte(tmp_path: Path, before: bytes) -> None:
    path = tmp_path / "pre-commit"
    if before:
        put(path, before, 0o640)
    append_line(path, "one\n  two")
    assert b"\none\n  two\n" in b"\n" + path.read_bytes() + b"\n"
    assert drop_line(path, "one\n  two")
    assert (path.read_bytes() if path.exists() else b"") == before
    if before:
        assert path.stat().st_mode & 0o777 == 0o640
    assert not drop_line(path, "one\n  two")


def test_a_line_is_taken_out_of_the_middle(tmp_path: Path) -> None:
    path = put(tmp_path / "pre-commit", b"a\nx\nb\n")
    assert drop_line(path, "x")
    assert path.read_bytes() == b"a\nb\n"


# --- plain hooks


def test_install_writes_executable_hooks_and_may_be_repeated(shop: Path) -> None:
    done = hooks(shop).install()
    directory = shop / ".git" / "hooks"
    assert (done.way, done.changed, done.kept, done.note) == ("hooks", True, [], "")
    assert done.paths == [str(directory / "pre-commit"), str(directory / "pre-push")]
    assert {name: data == STUB for name, (data, mode) in files(directory).items() if mode & 0o111} == {
        "pre-commit": True,
        "pre-push": True,
    }
    assert not hooks(shop).install().changed


def test_each_install_says_which_events_are_guarded(shop: Path) -> None:
    directory = shop / ".git" / "hooks"
    hooks(shop).install(strict=True)
    assert sorted(files(directory)) == ["pre-commit", "pre-push", "reference-transaction"]
    assert hooks(shop).install(pre_push=False).changed
    assert sorted(files(directory)) == ["pre-commit"]


def test_remove_leaves_nothing_and_may_be_repeated(shop: Path) -> None:
    before = files(shop / ".git" / "hooks")
    hooks(shop).install(strict=True)
    assert hooks(shop).remove().changed
    assert files(shop / ".git" / "hooks") == before
    assert not hooks(shop).remove().changed


def test_a_stub_of_another_version_is_replaced(shop: Path) -> None:
    hooks(shop, stub=OLDER).install()
    assert hooks(shop).install().changed
    assert (shop / ".git" / "hooks" / "pre-commit").read_bytes() == STUB
    assert sorted(files(shop / ".git" / "hooks")) == ["pre-commit", "pre-push"]


def test_a_hook_that_is_no_longer_executable_is_written_anew(shop: Path) -> None:
    hooks(shop).install()
    (shop / ".git" / "hooks" / "pre-commit").chmod(0o644)
    assert hooks(shop).install().changed
    assert os.access(shop / ".git" / "hooks" / "pre-commit", os.X_OK)


@pytest.mark.parametrize("mode", [0o755, 0o700, 0o644])
def test_a_hook_that_was_there_is_kept_and_comes_back_with_its_mode(shop: Path, mode: int) -> None:
    directory = shop / ".git" / "hooks"
    put(directory / "pre-commit", mode=mode)
    before = files(directory)
    done = hooks(shop).install()
    assert done.kept == [str(directory / f"pre-commit{KEPT}")]
    assert files(directory)[f"pre-commit{KEPT}"] == before["pre-commit"]
    hooks(shop).install()
    assert hooks(shop).remove().changed
    assert files(directory) == before


def test_a_linked_hook_is_kept_as_a_link(shop: Path) -> None:
    directory = shop / ".git" / "hooks"
    put(shop / "scripts" / "check")
    (directory / "pre-commit").symlink_to("../../scripts/check")
    before = files(directory)
    hooks(shop).install()
    assert (directory / f"pre-commit{KEPT}").read_bytes() == FOREIGN
    hooks(shop).remove()
    assert files(directory) == before
    assert (shop / "scripts" / "check").read_bytes() == FOREIGN


def test_a_link_that_leads_nowhere_is_a_hook_too(shop: Path) -> None:
    directory = shop / ".git" / "hooks"
    (directory / "pre-commit").symlink_to("/nowhere")
    before = files(directory)
    hooks(shop).install()
    hooks(shop).remove()
    assert files(directory) == before


def test_a_repository_without_a_directory_for_hooks_gets_one(shop: Path) -> None:
    for path in (shop / ".git" / "hooks").iterdir():
        path.unlink()
    (shop / ".git" / "hooks").rmdir()
    assert hooks(shop).install().changed


def test_an_edited_hook_is_neither_replaced_nor_removed(shop: Path) -> None:
    hooks(shop).install()
    path = shop / ".git" / "hooks" / "pre-push"
    put(path, path.read_bytes() + b"echo mine\n")
    before = files(shop / ".git" / "hooks")
    for act in (hooks(shop, stub=OLDER).install, hooks(shop).remove):
        with pytest.raises(Refused) as refused:
            act()
        assert (refused.value.refusal.code, str(path) in refused.value.refusal.reason) == ("edited-hook", True)
    assert files(shop / ".git" / "hooks") == before


def test_a_hook_that_another_put_over_ours_stays(shop: Path) -> None:
    directory = shop / ".git" / "hooks"
    put(directory / "pre-commit")
    hooks(shop).install()
    put(directory / "pre-commit", b"#!/bin/sh\nnew\n")
    done = hooks(shop).remove()
    assert (directory / "pre-commit").read_bytes() == b"#!/bin/sh\nnew\n"
    assert done.kept == [str(directory / f"pre-commit{KEPT}")]
    assert "left where it was" in done.note
    with pytest.raises(Refused, match="somebody else's"):
        hooks(shop).install()


def test_pre_commit_the_framework_may_be_there_before_and_come_again(shop: Path) -> None:
    directory = shop / ".git" / "hooks"
    framework = b"#!/usr/bin/env bash\n# File generated by pre-commit: https://pre-commit.com\n"
    put(directory / "pre-commit", framework)
    hooks(shop).install(pre_push=False)
    assert (directory / "pre-commit").read_bytes() == STUB
    # What `pre-commit install` does with a hook that it did not write.
    (directory / "pre-commit").rename(directory / "pre-commit.legacy")
    put(directory / "pre-commit", framework)
    assert hooks(shop).state()[0].state == "chained"
    assert hooks(shop).install(pre_push=False).changed
    assert sorted(files(directory)) == ["pre-commit", f"pre-commit{KEPT}"]
    (directory / "pre-commit").rename(directory / "pre-commit.legacy")
    put(directory / "pre-commit", framework)
    assert hooks(shop).remove().changed
    assert files(directory) == {"pre-commit": (framework, 0o100755)}


def test_linked_worktrees_and_directories_below_share_the_hooks(shop: Path, tmp_path: Path) -> None:
    (shop / "src").mkdir()
    git(shop, "worktree", "add", "-q", str(tmp_path / "linked"))
    hooks(tmp_path / "linked").install()
    assert not hooks(shop / "src").install().changed
    assert hooks(shop).state()[0].is_proven


def test_what_is_no_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="in no git repository"):
        hooks(tmp_path)


# --- core.hooksPath


@pytest.mark.parametrize("path", [".githooks", "absolute"])
def test_a_hooks_path_of_this_repository_is_where_hooks_go(shop: Path, tmp_path: Path, path: str) -> None:
    directory = shop / path if path.startswith(".") else tmp_path / path
    (shop / "src").mkdir()
    git(shop, "config", "core.hooksPath", path if path.startswith(".") else str(directory))
    put(directory / "pre-commit")
    before = files(directory)
    done = hooks(shop / "src").install()
    assert done.paths[0] == str(directory / "pre-commit")
    assert ("do not commit them" in done.note) == path.startswith(".")
    assert hooks(shop).state()[0].is_proven
    hooks(shop).remove()
    assert files(directory) == before


def test_a_hooks_path_of_all_repositories_is_refused_with_the_line_to_add(shop: Path, tmp_path: Path) -> None:
    config = put(tmp_path / "gitconfig", f"[core]\n\thooksPath = {tmp_path}/all\n".encode())
    with pytest.raises(Refused) as refused:
        hooks(shop, GIT_CONFIG_GLOBAL=str(config)).install()
    assert (refused.value.refusal.code, HUSKY in refused.value.refusal.mend) == ("foreign-hooks-path", True)
    assert not (tmp_path / "all").exists()


# --- husky, lefthook


@pytest.fixture
def husky(shop: Path) -> Path:
    git(shop, "config", "core.hooksPath", ".husky/_")
    put(shop / ".husky" / "_" / "pre-commit", b"#!/usr/bin/env sh\n. ./h\n")
    put(shop / ".husky" / "pre-commit", b"npm test\n", 0o644)
    return shop


def test_under_husky_the_exact_line_is_told(husky: Path) -> None:
    done = hooks(husky).install()
    assert (done.way, done.changed) == ("husky", False)
    assert [(todo.file, todo.text) for todo in done.todo] == [
        (str(husky / ".husky" / "pre-commit"), HUSKY),
        (str(husky / ".husky" / "pre-push"), HUSKY.replace("pre-commit", "pre-push")),
    ]
    assert (husky / ".husky" / "pre-commit").read_bytes() == b"npm test\n"


def test_under_husky_the_line_is_written_where_that_is_asked_for(husky: Path) -> None:
    assert hooks(husky).install(write=True).changed
    assert (husky / ".husky" / "pre-commit").read_text() == f"npm test\n{HUSKY}\n"
    again = hooks(husky).install()
    assert (again.changed, again.todo) == (False, [])
    assert [(state.state, state.is_proven) for state in hooks(husky).state()][:2] == [("chained", None)] * 2
    assert hooks(husky).remove().changed
    assert files(husky / ".husky") == {"pre-commit": (b"npm test\n", 0o100644)}


def test_the_line_fails_a_hook_only_where_the_guard_does(tmp_path: Path) -> None:
    for name, status in (("yes", 0), ("no", 1)):
        put(tmp_path / name / "gitmaild-guard", f"#!/bin/sh\nexit {status}\n".encode())
        for shell in (["sh", "-c"], ["sh", "-e", "-c"]):
            path = {"PATH": f"{tmp_path / name}:{os.environ['PATH']}"}
            assert subprocess.run([*shell, f"{HUSKY}\ntrue"], env=path, check=False).returncode == status
    assert subprocess.run(["/bin/sh", "-e", "-c", HUSKY], env={"PATH": "/nowhere"}, check=False).returncode == 0


def test_for_lefthook_the_exact_job_is_told_or_written_where_nothing_is_yet(shop: Path) -> None:
    file = put(shop / "lefthook.yml", b"pre-commit:\n  jobs:\n    - run: npm test\n", 0o644)
    done = hooks(shop).install()
    assert [todo.text.splitlines()[3:] for todo in done.todo] == [
        [f"      run: {GUARDED}; gitmaild-guard pre-commit"],
        [f"      run: {GUARDED}; gitmaild-guard pre-push {{0}}", "      use_stdin: true"],
    ]
    written = hooks(shop).install(write=True)
    assert (written.changed, [todo.text.splitlines()[0] for todo in written.todo]) == (True, ["pre-commit:"])
    assert file.read_text().endswith(f"npm test\n{done.todo[1].text}\n")
    assert yaml.safe_load(file.read_text())["pre-push"]["jobs"][0] == {
        "name": "gitmaild",
        "run": f"{GUARDED}; gitmaild-guard pre-push {{0}}",
        "use_stdin": True,
    }
    assert hooks(shop).remove().changed
    assert file.read_bytes() == b"pre-commit:\n  jobs:\n    - run: npm test\n"


# --- git 2.54


def config(shop: Path) -> list[str]:
    done = subprocess.run(
        ["git", "config", "--local", "--get-regexp", r"^hook\."], cwd=shop, capture_output=True, text=True, check=False
    )
    return done.stdout.splitlines()


def test_a_git_that_has_hooks_in_its_configuration_gets_them_there(shop: Path) -> None:
    directory = shop / ".git" / "hooks"
    put(directory / "pre-commit")
    before, settings = files(directory), (shop / ".git" / "config").read_bytes()
    new = hooks(shop, version=(2, 54))
    done = new.install(strict=True)
    assert (done.way, done.changed, files(directory)) == ("config", True, before)
    program = shop / ".git" / "gitmaild-guard"
    assert config(shop) == [
        f"hook.gitmaild-guard.command GITMAILD_GUARD_EVENT=pre-commit {program}",
        "hook.gitmaild-guard.event pre-commit",
        f"hook.gitmaild-guard-pre-push.command GITMAILD_GUARD_EVENT=pre-push {program}",
        "hook.gitmaild-guard-pre-push.event pre-push",
        f"hook.gitmaild-guard-reference-transaction.command GITMAILD_GUARD_EVENT=reference-transaction {program}",
        "hook.gitmaild-guard-reference-transaction.event reference-transaction",
    ]
    assert not new.install(strict=True).changed
    assert new.install(pre_push=False).changed
    assert [line.split()[0] for line in config(shop)] == ["hook.gitmaild-guard.command", "hook.gitmaild-guard.event"]
    assert new.remove().changed
    assert ((shop / ".git" / "config").read_bytes(), program.exists()) == (settings, False)


def test_a_git_that_does_not_list_what_is_configured_does_not_run_it(shop: Path) -> None:
    """The git of these tests may be too old to know of it: then nothing is proven, and that is the truth."""
    new = hooks(shop, version=(2, 54))
    new.install()
    state = new.state()[0]
    listed = subprocess.run(["git", "hook", "list", "pre-commit"], cwd=shop, capture_output=True, text=True, check=False)
    assert (state.state, state.is_proven) == ("installed", "gitmaild-guard" in listed.stdout.splitlines())


def test_the_command_in_the_configuration_knows_its_event(shop: Path) -> None:
    hooks(shop, version=(2, 54)).install()
    command = config(shop)[0].partition(" ")[2]
    asked = {**os.environ, "GITMAILD_GUARD_PROBE": "x"}
    done = subprocess.run(["sh", "-c", f'{command} "$@"', "-"], env=asked, capture_output=True, text=True, check=True)
    assert done.stdout == "gitmaild-guard x\n"


def test_what_an_older_git_needed_gives_way_to_the_configuration(shop: Path) -> None:
    put(shop / ".git" / "hooks" / "pre-commit")
    hooks(shop, version=(2, 39)).install()
    hooks(shop, version=(2, 54)).install()
    assert files(shop / ".git" / "hooks") == {"pre-commit": (FOREIGN, 0o100755)}


def test_the_configuration_needs_no_leave_of_husky(husky: Path) -> None:
    done = hooks(husky, version=(2, 55)).install()
    assert (done.way, done.todo) == ("config", [])


# --- status


@pytest.mark.parametrize("version", [(2, 39), (2, 30)])
def test_status_is_what_git_runs(shop: Path, version: tuple[int, ...]) -> None:
    assert [(state.state, state.is_proven) for state in hooks(shop).state()] == [("absent", False)] * 3
    hooks(shop).install()
    put(shop / ".git" / "hooks" / f"pre-commit{KEPT}", b"#!/bin/sh\nexit 9\n")
    states = hooks(shop, version=version).state()
    assert [(state.state, state.is_proven) for state in states] == [
        ("installed", True),
        ("installed", True),
        ("absent", False),
    ]
    assert states[0].kept == str(shop / ".git" / "hooks" / f"pre-commit{KEPT}")
    git(shop, "config", "core.hooksPath", "/nowhere")
    assert hooks(shop, version=version).state()[0].state == "absent"


@pytest.mark.parametrize("version", [(2, 39), (2, 30)])
def test_a_hook_that_git_does_not_run_is_not_proven(shop: Path, version: tuple[int, ...]) -> None:
    hooks(shop).install()
    (shop / ".git" / "hooks" / "pre-commit").chmod(0o644)
    assert hooks(shop, version=version).state()[0].is_proven is False


def test_a_submodule_knows_what_it_lies_in(shop: Path, tmp_path: Path) -> None:
    git(shop, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(shop), "lib")
    assert superproject(shop / "lib", os.environ) == shop
    assert superproject(shop, os.environ) is None
    assert superproject(tmp_path, os.environ) is None
    hooks(shop / "lib").install()
    assert (shop / ".git" / "modules" / "lib" / "hooks" / "pre-commit").read_bytes() == STUB
