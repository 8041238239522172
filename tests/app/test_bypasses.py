"""A commit past the guard, in a real repository: found afterwards, by the daemon alone."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from gitmaild import wiring
from tests.post import Post


class Repository:
    """The user's own repository in the first worktree, with the guard installed."""

    def __init__(self, post: Post) -> None:
        self.post, self.top = post, post.worktree
        self.git("init", "-q", "-b", "main")
        self.git("config", "gitmaild.home", str(post.home.path))
        self.git("config", "gitmaild.project", "shop")
        self.write("README.md", "src/api/routes.py")
        self.git("add", "README.md", "src")
        self.git("commit", "-q", "-m", "first", "--no-verify")
        wiring.guard_hooks(self.top, os.environ).install(pre_push=False)

    def git(self, *arguments: str, **environment: str) -> str:
        who = {f"GIT_{role}_{what}": "x@y" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        at = {"GIT_COMMITTER_DATE": f"{int(self.post.clock.now.timestamp())} +0000"}
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.top,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | who | at | environment,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, *paths: str) -> None:
        for path in paths:
            (self.top / path).parent.mkdir(parents=True, exist_ok=True)
            (self.top / path).write_text(f"{path} {time.monotonic_ns()}\n")

    def commit(self, *paths: str) -> str:
        """Commit changes to these files past the guard, at the time of the post office."""
        self.write(*paths)
        self.git("add", *paths)
        self.git("commit", "-q", "-m", "work", "--no-verify")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(post: Post) -> Repository:
    made = Repository(post)
    post.agents("GreenCastle", "RedCat")
    post.drop("RedCat", kind="reserve", paths="src/api/**")
    post.turn()
    post.turn(60)
    return made


def recorded(post: Post) -> list[str]:
    return [subject for subject in post.log() if subject.startswith("guard.bypassed")]


def test_a_commit_with_no_verify_is_on_record_a_scan_later(post: Post, repository: Repository) -> None:
    commit = repository.commit("src/api/routes.py", "README.md")
    post.turn(5)
    assert recorded(post) == [f"guard.bypassed: somebody: {commit[:12]}: src/api/routes.py"]
    assert post.inbox("RedCat") == [f"Postmaster: guard.bypassed: {commit[:12]} touches src/api/routes.py"]
    post.turn(5)
    assert len(recorded(post)) == 1
    post.check_mirrors()


def test_one_is_found_after_a_restart_and_recorded_once_though_the_daemon_was_killed(
    post: Post, repository: Repository
) -> None:
    post.stop()
    repository.commit("src/api/routes.py")
    post.turn(5)
    assert len(recorded(post)) == 1
    (post.home.state / "reflogs").write_text(f"0 {repository.top}\n")
    post.crash()
    post.turn(5)
    assert len(recorded(post)) == 1


def test_a_holders_own_commit_has_left_its_trace(post: Post, repository: Repository) -> None:
    repository.write("src/api/routes.py")
    repository.git("add", "src")
    repository.git("commit", "-q", "-m", "mine", GITMAILD_AGENT="RedCat")
    post.turn(5)
    assert recorded(post) == []


def test_commits_from_before_the_first_look_are_nobodys_news(post: Post) -> None:
    repository = Repository(post)
    repository.commit("README.md")
    post.agents("GreenCastle", "RedCat")
    assert recorded(post) == []


def test_where_no_guard_is_installed_nothing_can_go_past_it(post: Post, repository: Repository) -> None:
    (repository.top / ".git" / "hooks" / "pre-commit").unlink()
    repository.commit("src/api/routes.py")
    post.turn(5)
    assert recorded(post) == []


@pytest.mark.parametrize("what", ["fifo", "symlink", "directory", "garbage", "gone"])
def test_a_hostile_reflog_stops_nothing(post: Post, repository: Repository, what: str) -> None:
    reflog: Path = repository.top / ".git" / "logs" / "HEAD"
    old = reflog.read_bytes()
    reflog.unlink()
    if what == "fifo":
        os.mkfifo(reflog)
    elif what == "symlink":
        reflog.symlink_to("/etc/passwd")
    elif what == "directory":
        reflog.mkdir()
    elif what == "garbage":
        line = f"{'0' * 40} {'f' * 40} a <b> 1767225600 +0000\tcommit: forged\n"
        reflog.write_bytes(old + line.encode() * 3 + b"\xff\0\n" + b"half a line")
    post.drop("GreenCastle", to="RedCat", subject="still here")
    post.turn(5)
    assert recorded(post) == []
    assert post.inbox("RedCat") == ["GreenCastle: still here"]
    assert post.alarms() == []


@pytest.mark.parametrize("pointer", [b"a\0b", b"x" * 300, b"/dev/null", b"a/" * 2000])
def test_a_hostile_pointer_to_the_repository_stops_nothing(post: Post, repository: Repository, pointer: bytes) -> None:
    (repository.top / ".git").rename(repository.top / "moved")
    (repository.top / ".git").write_bytes(b"gitdir: " + pointer)
    post.drop("GreenCastle", to="RedCat", subject="still here")
    post.turn(5)
    assert (post.inbox("RedCat"), post.alarms()) == (["GreenCastle: still here"], [])


def test_a_commit_of_a_year_that_no_calendar_has_stops_nothing_and_hides_no_other(
    post: Post, repository: Repository
) -> None:
    repository.write("src/api/x.py")
    repository.git("add", "src")
    repository.git("commit", "-qnm", "far", GIT_COMMITTER_DATE="@999999999999 +0000")
    commit = repository.commit("src/api/routes.py")
    post.turn(5)
    assert recorded(post) and commit[:12] in str(recorded(post)) and len(recorded(post)) == 1
    post.crash()
    post.drop("GreenCastle", to="RedCat", subject="still here")
    post.turn(5)
    assert (post.inbox("RedCat")[-1], post.alarms()) == ("GreenCastle: still here", [])


def test_a_mistake_of_our_own_in_looking_for_them_stops_no_mail_and_is_told(
    post: Post, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gitmaild.app import intake

    repository.commit("src/api/routes.py")
    post.drop("GreenCastle", to="RedCat", subject="still here")
    with monkeypatch.context() as patch:
        patch.setattr(intake, "bypass", lambda *_: 1 / 0)
        post.turn(5)
    assert (post.inbox("RedCat"), post.alarms()) == (["GreenCastle: still here"], ["bypasses"])
    post.crash()
    post.turn(5)
    assert (recorded(post), post.alarms()) == ([], [])


def test_a_merge_that_only_moves_a_branch_goes_past_nobody(post: Post, repository: Repository) -> None:
    repository.git("checkout", "-q", "-b", "side")
    repository.commit("README.md")
    repository.git("checkout", "-q", "main")
    repository.git("merge", "-q", "--ff-only", "side")
    post.turn(5)
    assert recorded(post) == []
