"""The guard as git runs it: real commits, pushes and merges through the installed hooks."""

import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gitmaild import wiring
from gitmaild.adapters.guard import __file__ as package_file
from tests.adapters.guarded import Guarded, present

pytestmark = pytest.mark.slow
GREEN, RED = {"GITMAILD_AGENT": "GreenCastle"}, {"GITMAILD_AGENT": "RedCat"}


@pytest.fixture
def shop(tmp_path: Path) -> Guarded:
    """GreenCastle, RedCat and BlueLake work here, the guard is installed, and nothing is held."""
    made = present(tmp_path / "shop", tmp_path / "home")
    made.commit("README.md", "src/api/routes.py", "docs/api.md", text="old\n")
    made.held()
    made.install()
    return made


def strict(shop: Guarded) -> None:
    shop.install(strict=True)


def head(shop: Guarded) -> str:
    return shop.git("rev-parse", "HEAD")


# --- commit


def test_a_commit_to_what_another_holds_is_refused(shop: Guarded) -> None:
    shop.held(shop.lease("src/api/**"))
    shop.stage("src/api/routes.py")
    before = head(shop)
    done = shop.try_git("commit", "-m", "mine", **GREEN)
    assert (done.returncode, head(shop)) == (1, before)
    assert done.stderr.startswith("BLOCKED: File 'src/api/routes.py' reserved by RedCat\nFILE_RESERVATION_CONFLICT")
    assert "Reservation expires in: 45 minutes" in done.stderr
    assert shop.try_git("commit", "-m", "holder", **RED).returncode == 0


def test_warn_mode_prints_and_commits(shop: Guarded) -> None:
    shop.held(shop.lease("src/api/**"))
    shop.stage("src/api/routes.py")
    done = shop.try_git("commit", "-m", "mine", **GREEN, AGENT_MAIL_GUARD_MODE="warn")
    assert (done.returncode, "WARNING: File 'src/api/routes.py' reserved by RedCat" in done.stderr) == (0, True)
    assert shop.passes() == [["GreenCastle", "warned", shop.git("rev-parse", "HEAD^{tree}")]]


def test_no_verify_goes_past_it(shop: Guarded) -> None:
    shop.held(shop.lease("src/api/**"))
    shop.stage("src/api/routes.py")
    assert shop.try_git("commit", "--no-verify", "-m", "mine", **GREEN).returncode == 0
    assert shop.passes() == []


@pytest.mark.parametrize("how", ["as-is", "-a", "path"])
def test_each_way_to_commit_is_judged_by_its_own_index_and_leaves_its_own_tree(shop: Guarded, how: str) -> None:
    arguments = {"as-is": [], "-a": ["-a"], "path": ["--", "src/api/routes.py"]}[how]
    shop.held(shop.lease("src/api/**"), shop.lease("docs/**", "GreenCastle"))
    shop.write("src/api/routes.py")
    if how == "as-is":
        shop.git("add", "-A")
    if how == "path":
        shop.stage("README.md")
    assert shop.try_git("commit", "-m", "x", *arguments, **GREEN).returncode == 1
    assert shop.try_git("commit", "-m", "x", *arguments, **RED).returncode == 0
    # By Python, since two hold something here.
    assert shop.passes() == [["RedCat", "holder", shop.git("rev-parse", "HEAD^{tree}")]]


@pytest.mark.parametrize("how", ["as-is", "-a", "path"])
def test_the_only_holder_s_commit_leaves_its_tree_without_python(shop: Guarded, how: str) -> None:
    arguments = {"as-is": [], "-a": ["-a"], "path": ["--", "src/api/routes.py"]}[how]
    break_python(shop)
    shop.held(shop.lease("src/api/**"))
    shop.write("src/api/routes.py")
    if how == "as-is":
        shop.git("add", "-A")
    assert shop.try_git("commit", "-m", "x", *arguments, **RED).returncode == 0
    assert shop.passes() == [["RedCat", "holder", shop.git("rev-parse", "HEAD^{tree}")]]


def test_a_path_commit_is_not_judged_by_what_else_is_staged(shop: Guarded) -> None:
    shop.held(shop.lease("src/api/**"))
    shop.stage("src/api/routes.py", "README.md")
    assert shop.try_git("commit", "-m", "x", "--", "README.md", **GREEN).returncode == 0


def test_the_first_commit_is_guarded(tmp_path: Path) -> None:
    shop = present(tmp_path / "shop", tmp_path / "home")
    shop.held(shop.lease("a.py"))
    shop.install(strict=True)
    shop.stage("a.py")
    assert shop.try_git("commit", "-m", "x", **GREEN).returncode == 1
    assert shop.try_git("commit", "-n", "-m", "x", **GREEN).returncode == 128
    shop.git("mv", "a.py", "b.py")
    assert shop.try_git("commit", "-m", "x", **GREEN).returncode == 0


def test_nothing_in_the_repository_changes_but_the_commit(shop: Guarded) -> None:
    shop.held(shop.lease("src/api/**"), shop.lease("README.md", "GreenCastle"))
    shop.stage("src/api/routes.py")
    # Git itself writes into the index what it found out; the second time there is nothing new.
    assert shop.try_git("commit", "-m", "x", **GREEN).returncode == 1
    before = fingerprints(shop)
    assert shop.try_git("commit", "-m", "x", **GREEN).returncode == 1
    assert fingerprints(shop) == before


def fingerprints(shop: Guarded) -> dict[str, str]:
    files = [path for path in (shop.top / ".git").rglob("*") if path.is_file() and "objects" not in path.parts]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_guarded_commit_needs_no_home_and_hardly_an_environment(shop: Guarded) -> None:
    shop.held(shop.lease("src/api/**"))
    shop.stage("src/api/routes.py")
    bare = {name: os.environ[name] for name in ("PATH", "GIT_CONFIG_NOSYSTEM", "GIT_CONFIG_GLOBAL")}
    bare |= {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@b"}
    for agent, status in (("GreenCastle", 1), ("RedCat", 0)):
        done = subprocess.run(
            ["git", "commit", "-m", "x"], cwd=shop.top, env=bare | {"AGENT_NAME": agent}, capture_output=True, check=False
        )
        assert done.returncode == status, done.stderr


def test_git_dir_and_work_tree_of_the_caller_are_respected(shop: Guarded, tmp_path: Path) -> None:
    shop.held(shop.lease("src/api/**"))
    shop.write("src/api/routes.py")
    away = {"GIT_DIR": str(shop.top / ".git"), "GIT_WORK_TREE": str(shop.top)}
    assert shop.try_git("commit", "-a", "-m", "x", here=tmp_path, **away, **GREEN).returncode == 1
    assert shop.try_git("commit", "-a", "-m", "x", here=tmp_path, **away, **RED).returncode == 0
    assert shop.passes()[-1][2] == shop.git("rev-parse", "HEAD^{tree}")


def test_the_only_desk_here_says_who_commits(shop: Guarded) -> None:
    shop.held(shop.lease("src/api/**"))
    (shop.top / ".gitmaild" / "agents" / "RedCat").mkdir(parents=True)
    (shop.top / ".gitmaild" / ".gitignore").write_text("*\n")
    shop.stage("src/api/routes.py")
    assert shop.try_git("commit", "-m", "x").returncode == 0
    assert shop.passes()[0][:2] == ["RedCat", "holder"]


def test_the_overseer_s_commit_is_a_person_s(shop: Guarded) -> None:
    shop.held(shop.lease("src/api/**"))
    shop.stage("README.md")
    assert shop.try_git("commit", "-m", "x", GITMAILD_AGENT="Overseer").returncode == 0


# --- merges


def test_concluding_a_merge_is_not_blocked_by_what_its_holder_did(shop: Guarded) -> None:
    shop.git("checkout", "-q", "-b", "theirs")
    shop.commit("src/api/routes.py", "README.md", text="theirs\n")
    shop.git("checkout", "-q", "main")
    shop.commit("README.md", text="ours\n")
    shop.held(shop.lease("src/api/**"))
    assert shop.try_git("merge", "theirs", **GREEN).returncode == 1
    shop.stage("README.md", text="both\n")
    shop.write("src/api/routes.py", text="and a change of my own\n")
    assert shop.try_git("commit", "-a", "-m", "merge", **GREEN).returncode == 1
    shop.git("checkout", "-q", "theirs", "--", "src/api/routes.py")
    assert shop.try_git("commit", "-m", "merge", **GREEN).returncode == 0


def test_a_merge_that_git_concludes_is_not_judged(shop: Guarded) -> None:
    strict(shop)
    shop.git("checkout", "-q", "-b", "theirs")
    shop.commit("src/api/routes.py", text="theirs\n")
    shop.git("checkout", "-q", "main")
    shop.commit("README.md", text="ours\n")
    shop.held(shop.lease("src/api/**"))
    assert shop.try_git("merge", "-q", "--no-edit", "theirs", **GREEN).returncode == 0


# --- worktrees, submodules


def test_one_install_serves_all_worktrees(shop: Guarded, tmp_path: Path) -> None:
    shop.git("worktree", "add", "-q", str(tmp_path / "linked"))
    shop.held(shop.lease("src/api/**"))
    (tmp_path / "linked" / "src" / "api" / "routes.py").write_text("new\n")
    commit = ("-C", str(tmp_path / "linked"), "commit", "-a", "-m", "x")
    assert shop.try_git(*commit, **GREEN).returncode == 1
    assert shop.try_git(*commit, **RED).returncode == 0
    tree = shop.git("-C", str(tmp_path / "linked"), "rev-parse", "HEAD^{tree}")
    assert shop.passes() == [["RedCat", "holder", tree]]


def test_a_worktree_of_a_bare_repository_is_guarded(shop: Guarded, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    shop.git("clone", "-q", "--bare", str(shop.top), str(bare))
    for key, value in (("home", shop.home), ("project", "shop")):
        shop.git("-C", str(bare), "config", f"gitmaild.{key}", str(value))
    shop.git("-C", str(bare), "worktree", "add", "-q", str(tmp_path / "tree"))
    wiring.guard_hooks(tmp_path / "tree", os.environ).install()
    shop.held(shop.lease("README.md"))
    (tmp_path / "tree" / "README.md").write_text("new\n")
    commit = ("-C", str(tmp_path / "tree"), "commit", "-a", "-m", "x")
    assert shop.try_git(*commit, **GREEN).returncode == 1
    assert shop.try_git(*commit, **RED).returncode == 0


def test_the_paths_of_a_submodule_are_those_of_the_project(shop: Guarded, tmp_path: Path) -> None:
    lib = tmp_path / "lib"
    shop.git("clone", "-q", str(shop.top), str(lib))
    shop.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(lib), "libs/sub")
    sub = shop.top / "libs" / "sub"
    for key, value in (("home", shop.home), ("project", "shop"), ("prefix", "libs/sub/")):
        shop.git("-C", str(sub), "config", f"gitmaild.{key}", str(value))
    wiring.guard_hooks(sub, os.environ).install()
    shop.held(shop.lease("libs/sub/docs/**"), shop.lease("README.md"))
    (sub / "README.md").write_text("new\n")
    assert shop.try_git("commit", "-q", "-am", "x", here=sub, **GREEN).returncode == 0
    (sub / "docs" / "api.md").write_text("new\n")
    done = shop.try_git("commit", "-q", "-am", "x", here=sub, **GREEN)
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, "BLOCKED: File 'libs/sub/docs/api.md' reserved by RedCat")


# --- push


@pytest.fixture
def remote(shop: Guarded, tmp_path: Path) -> Path:
    """The remote *origin*, with what shop had before anything was held."""
    bare = tmp_path / "origin.git"
    shop.git("clone", "-q", "--bare", str(shop.top), str(bare))
    shop.git("remote", "add", "origin", str(bare))
    shop.git("fetch", "-q", "origin")
    return bare


def push(shop: Guarded, *arguments: str, who: dict[str, str] = GREEN) -> int:
    return shop.try_git("push", "-q", *arguments, **who).returncode


def test_a_push_of_what_another_holds_is_refused(shop: Guarded, remote: Path) -> None:
    shop.held(shop.lease("src/api/**"))
    shop.commit("src/api/routes.py")
    assert push(shop, "origin", "main") == 1
    assert push(shop, "origin", "main", who=RED) == 0
    shop.commit("README.md")
    assert push(shop, "origin", "main") == 0


def test_a_new_branch_is_compared_with_what_the_remote_has(shop: Guarded, remote: Path) -> None:
    shop.held(shop.lease("src/api/**"))
    shop.git("checkout", "-q", "-b", "topic")
    shop.commit("README.md")
    assert push(shop, "origin", "topic") == 0
    shop.git("checkout", "-q", "-b", "other")
    shop.commit("src/api/routes.py")
    assert push(shop, "origin", "other") == 1
    assert push(shop, "origin", "HEAD~1:refs/heads/third") == 0


def test_a_push_is_judged_by_its_ends_not_by_its_commits(shop: Guarded, remote: Path) -> None:
    shop.held(shop.lease("src/api/**"))
    shop.commit("src/api/routes.py", text="there\n")
    shop.commit("src/api/routes.py", text="old\n")
    assert push(shop, "origin", "main") == 0


def test_what_others_pushed_and_was_merged_here_does_not_block(shop: Guarded, remote: Path) -> None:
    shop.git("checkout", "-q", "-b", "topic")
    shop.commit("README.md", text="topic\n")
    assert push(shop, "origin", "topic") == 0
    shop.git("checkout", "-q", "main")
    shop.commit("src/api/routes.py", text="the holder's\n")
    assert push(shop, "origin", "main", who=RED) == 0
    shop.held(shop.lease("src/api/**"))
    shop.git("checkout", "-q", "topic")
    shop.git("merge", "-q", "--no-edit", "main", **GREEN)
    assert push(shop, "origin", "topic") == 0


def test_deleting_a_branch_and_pushing_what_is_there_already_pass(shop: Guarded, remote: Path) -> None:
    shop.held(shop.lease("**"))
    assert push(shop, "origin", "main:refs/heads/copy") == 0
    assert push(shop, "origin", ":refs/heads/copy") == 0


def test_setting_a_branch_back_takes_away_what_its_holder_did(shop: Guarded, remote: Path) -> None:
    shop.commit("src/api/routes.py")
    assert push(shop, "origin", "main") == 0
    shop.held(shop.lease("src/api/**"))
    assert push(shop, "--force", "origin", "HEAD~1:main") == 1


def test_an_empty_remote_gets_everything_and_a_tag_is_a_push_too(shop: Guarded, tmp_path: Path) -> None:
    shop.git("init", "-q", "--bare", str(tmp_path / "new.git"))
    shop.git("remote", "add", "origin", str(tmp_path / "new.git"))
    shop.held(shop.lease("src/api/**"))
    shop.git("tag", "-a", "-m", "x", "v1")
    assert push(shop, "origin", "v1") == 1
    shop.held(shop.lease("src/not-there/**"))
    assert push(shop, "origin", "v1", "main") == 0


# --- strict


def test_strict_stops_no_verify(shop: Guarded) -> None:
    strict(shop)
    shop.held(shop.lease("src/api/**"))
    shop.stage("src/api/routes.py")
    before = head(shop)
    done = shop.try_git("commit", "--no-verify", "-m", "mine", **GREEN)
    assert (done.returncode, head(shop)) == (128, before)
    assert "BLOCKED: File 'src/api/routes.py' reserved by RedCat" in done.stderr
    assert "ref updates aborted by hook" in done.stderr
    assert shop.try_git("commit", "--no-verify", "-m", "mine", **RED).returncode == 0


def test_strict_lets_pulls_and_fast_forwards_and_new_branches_pass(shop: Guarded, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shop.git("clone", "-q", str(shop.top), str(other))
    (other / "src" / "api" / "routes.py").write_text("the holder's\n")
    shop.git("-C", str(other), "commit", "-qam", "theirs")
    strict(shop)
    shop.held(shop.lease("src/api/**"))
    shop.git("branch", "copy", **GREEN)
    shop.git("tag", "v1", **GREEN)
    shop.git("pull", "-q", str(other), "main", **GREEN)
    shop.git("fetch", "-q", str(other), "main:fetched", **GREEN)
    shop.git("remote", "add", "origin", str(other))
    shop.git("fetch", "-q", "origin", **GREEN)
    shop.git("reset", "-q", "--hard", "HEAD~1", **GREEN)
    shop.git("merge", "-q", "--ff-only", "origin/main", **GREEN)


def test_strict_judges_an_amendment_by_what_it_amends(shop: Guarded) -> None:
    shop.commit("src/api/routes.py")
    strict(shop)
    shop.held(shop.lease("src/api/**"))
    shop.stage("README.md")
    shop.git("commit", "-q", "--amend", "-m", "more", **GREEN)
    shop.stage("src/api/routes.py", text="newer\n")
    assert shop.try_git("commit", "-nq", "--amend", "-m", "more", **GREEN).returncode == 128


def test_strict_sees_a_cherry_pick_which_runs_no_other_hook(shop: Guarded) -> None:
    shop.git("checkout", "-q", "-b", "theirs")
    shop.commit("src/api/routes.py")
    shop.git("checkout", "-q", "main")
    shop.commit("README.md")
    strict(shop)
    shop.held(shop.lease("src/api/**"))
    before = head(shop)
    assert shop.try_git("cherry-pick", "theirs", **GREEN).returncode != 0
    assert head(shop) == before


def test_strict_lets_a_rebase_pass(shop: Guarded) -> None:
    shop.git("checkout", "-q", "-b", "topic")
    shop.commit("src/api/routes.py")
    shop.git("checkout", "-q", "main")
    shop.commit("README.md")
    strict(shop)
    shop.held(shop.lease("src/api/**"))
    shop.git("checkout", "-q", "topic", **GREEN)
    shop.git("rebase", "-q", "main", **GREEN)
    assert shop.git("rev-parse", "HEAD~1") == shop.git("rev-parse", "main")


def test_strict_lets_a_merge_pass_but_not_what_it_adds(shop: Guarded) -> None:
    strict(shop)
    shop.git("checkout", "-q", "-b", "theirs")
    shop.commit("docs/api.md", text="theirs\n")
    shop.git("checkout", "-q", "main")
    shop.commit("README.md", text="ours\n")
    shop.held(shop.lease("src/api/**"), shop.lease("docs/**"))
    shop.git("merge", "-q", "--no-commit", "theirs", **GREEN)
    shop.stage("src/api/routes.py")
    done = shop.try_git("commit", "-n", "-m", "merge", **GREEN)
    assert (done.returncode, "File 'src/api/routes.py'" in done.stderr, "docs" in done.stderr) == (128, True, False)


# --- the script


def break_python(shop: Guarded, event: str = "pre-commit") -> Path:
    hook = shop.top / ".git" / "hooks" / event
    hook.write_text(hook.read_text().replace(f"python={sys.executable}\n", "python=/nowhere/python\n"))
    assert "/nowhere/python" in hook.read_text()
    return hook


@pytest.mark.parametrize("view", ["no holder", "own", "foreign", "torn", "own, torn", "shared", "missing"])
def test_without_python_only_what_the_view_s_first_line_decides_passes(shop: Guarded, view: str) -> None:
    break_python(shop)
    rows = {"foreign": [shop.lease("a")], "own": [shop.lease("a", "GreenCastle")]}
    shop.held(*rows.get(view.removesuffix(", torn"), []))
    if view == "shared":
        shop.held(shop.lease("a", "GreenCastle", exclusive=False))
    if "torn" in view:
        shop.view.write_bytes(shop.view.read_bytes().rpartition(b"end")[0])
    if view == "missing":
        shop.view.unlink()
    shop.stage("README.md")
    done = shop.try_git("commit", "-m", "x", **GREEN)
    assert done.returncode == (0 if view in ("no holder", "own") else 1)
    if done.returncode:
        assert "BLOCKED: the guard is broken" in done.stderr
        assert "gitmaild guard remove" in done.stderr
        assert shop.try_git("commit", "-m", "x", **GREEN, AGENT_MAIL_GUARD_MODE="warn").returncode == 0


def test_a_guard_that_breaks_blocks_and_names_the_ways_out(shop: Guarded, tmp_path: Path) -> None:
    hook = shop.top / ".git" / "hooks" / "pre-commit"
    broken = tmp_path / "package" / "gitmaild" / "adapters" / "guard" / "__main__.py"
    broken.parent.mkdir(parents=True)
    program = Path(package_file).with_name("__main__.py")
    broken.write_bytes(program.read_bytes())
    hook.write_text(hook.read_text().replace(f"guard={program}\n", f"guard={broken}\n"))
    shop.held(shop.lease("README.md"))
    shop.stage("README.md")
    done = shop.try_git("commit", "-m", "x", **GREEN)
    assert (done.returncode, "BLOCKED: the guard is broken: it ended with status 70" in done.stderr) == (1, True)
    assert "ModuleNotFoundError" in done.stderr


def test_the_probe_is_answered_before_anything_else(shop: Guarded) -> None:
    hook = shop.top / ".git" / "hooks" / "pre-commit"
    kept = hook.with_name("pre-commit.before-gitmaild")
    kept.write_text("#!/bin/sh\necho ran\n")
    kept.chmod(0o755)
    done = subprocess.run([hook], env={"GITMAILD_GUARD_PROBE": "a b"}, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("gitmaild-guard a b\n", "")


RECORDER = """#!/bin/sh
{ printf '%s\\n' "$0 $*"; cat; } >> "$RECORD"
exit "${STATUS-0}"
"""


def keep(shop: Guarded, event: str, text: str = RECORDER) -> Path:
    """A hook that was there before; its record."""
    hook = shop.top / ".git" / "hooks" / event
    hook.unlink(missing_ok=True)
    hook.write_text(text)
    hook.chmod(0o755)
    return shop.top.parent / "record"


def test_the_hook_that_was_there_before_gets_arguments_and_input_and_has_a_say(shop: Guarded, remote: Path) -> None:
    for event in ("pre-commit", "pre-push", "reference-transaction"):
        record = keep(shop, event)
    shop.install(strict=True)
    seen = {"RECORD": str(record), **GREEN}
    shop.stage("README.md")
    shop.git("commit", "-qm", "x", **seen)
    new, old = head(shop), shop.git("rev-parse", "HEAD~1")
    assert record.read_text().splitlines() == [
        ".git/hooks/pre-commit.before-gitmaild ",
        ".git/hooks/reference-transaction.before-gitmaild prepared",
        f"{old} {new} HEAD",
        f"{old} {new} refs/heads/main",
        ".git/hooks/reference-transaction.before-gitmaild committed",
        f"{old} {new} HEAD",
        f"{old} {new} refs/heads/main",
    ]
    record.unlink()
    shop.git("push", "-q", "origin", "main", **seen)
    assert record.read_text().splitlines()[:2] == [
        f".git/hooks/pre-push.before-gitmaild origin {remote}",
        f"refs/heads/main {new} refs/heads/main {old}",
    ]
    shop.stage("README.md", text="again\n")
    assert shop.try_git("commit", "-m", "x", **seen, STATUS="3").returncode == 1
    assert head(shop) == new


def test_where_the_guard_blocks_the_hook_before_it_does_not_run(shop: Guarded) -> None:
    record = keep(shop, "pre-commit")
    shop.install()
    shop.held(shop.lease("README.md"))
    shop.stage("README.md")
    assert shop.try_git("commit", "-m", "x", RECORD=str(record), **GREEN).returncode == 1
    assert not record.exists()


@pytest.mark.parametrize("others", [0, 1])
def test_the_trace_has_the_tree_that_a_formatter_after_the_guard_left(shop: Guarded, others: int) -> None:
    keep(shop, "pre-commit", "#!/bin/sh\necho formatted >> README.md\ngit add README.md\n")
    shop.install()
    shop.held(shop.lease("README.md"), *[shop.lease("elsewhere", "BlueLake")][:others])
    shop.stage("README.md")
    shop.git("commit", "-qm", "x", **RED)
    assert shop.git("show", "HEAD:README.md") == "new\nformatted"
    assert shop.passes()[-1][2] == shop.git("rev-parse", "HEAD^{tree}")


def test_a_hook_moved_aside_by_pre_commit_the_framework_still_guards(shop: Guarded) -> None:
    hooks = shop.top / ".git" / "hooks"
    (hooks / "pre-commit").rename(hooks / "pre-commit.legacy")
    (hooks / "pre-commit.before-gitmaild").write_text("#!/bin/sh\nexit 1\n")
    (hooks / "pre-commit.before-gitmaild").chmod(0o755)
    (hooks / "pre-commit").write_text('#!/bin/sh\nexec "$(dirname "$0")/pre-commit.legacy"\n')
    (hooks / "pre-commit").chmod(0o755)
    shop.held(shop.lease("README.md"))
    shop.stage("README.md")
    assert shop.try_git("commit", "-m", "x", **GREEN).returncode == 1
    assert shop.try_git("commit", "-m", "x", **RED).returncode == 0


@pytest.mark.parametrize("home", ["with blank", "it's $HOME `x`", "größe", "two\nlines"])
def test_a_home_of_any_name_is_found(tmp_path: Path, home: str) -> None:
    shop = present(tmp_path / "my shop", tmp_path / home)
    shop.install()
    shop.held()
    shop.stage("a.py")
    shop.git("commit", "-qm", "x", **GREEN)
    shop.held(shop.lease("b.py"))
    shop.stage("b.py")
    assert shop.try_git("commit", "-m", "x", **GREEN).returncode == 1


def test_hooks_are_executable_and_read_in_a_minute(shop: Guarded) -> None:
    hook = shop.top / ".git" / "hooks" / "pre-commit"
    assert stat.S_IMODE(hook.stat().st_mode) & 0o111
    assert len(hook.read_text().splitlines()) < 130


def test_the_console_script_serves_hook_managers(shop: Guarded) -> None:
    guard = [str(Path(sys.executable).with_name("gitmaild-guard"))]
    if not Path(guard[0]).exists():
        guard = [sys.executable, "-c", "from gitmaild.adapters.guard.program import run; run()"]
    shop.held(shop.lease("README.md"))
    shop.commit("README.md")
    told = {"PRE_COMMIT_REMOTE_NAME": "origin", "PRE_COMMIT_LOCAL_BRANCH": "refs/heads/main"}
    told |= {"PRE_COMMIT_TO_REF": head(shop), "PRE_COMMIT_FROM_REF": shop.git("rev-parse", "HEAD~1")}
    for environment, status in ((told, 1), ({}, 0)):
        done = subprocess.run(
            guard, cwd=shop.top, env={**os.environ, **GREEN, **environment}, capture_output=True, check=False
        )
        assert done.returncode == status, done.stderr
    shop.stage("README.md", text="newer\n")
    assert subprocess.run(guard, cwd=shop.top, env={**os.environ, **GREEN}, capture_output=True, check=False).returncode == 1
