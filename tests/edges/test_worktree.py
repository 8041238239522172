"""The user's own repositories."""

import os
import subprocess
from pathlib import Path

import pytest

from gitmaild.edges.worktree import Worktree, find, mark, settings


def git(where: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(where), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A repository with one commit."""
    path = tmp_path / "shop"
    path.mkdir()
    git(path, "init", "-q")
    (path / "src").mkdir()
    (path / "src" / "a.py").write_text("a\n")
    git(path, "add", ".")
    git(path, "commit", "-q", "-m", "first")
    return path


def test_a_repository_is_found_from_its_top_and_from_below(shop: Path) -> None:
    expected = Worktree(shop, shop / ".git", True, "shop")
    assert find(shop) == find(shop / "src") == expected


def test_all_worktrees_of_a_repository_are_one_repository_of_one_name(shop: Path, tmp_path: Path) -> None:
    git(shop, "worktree", "add", "-q", "-b", "other", str(tmp_path / "elsewhere"))
    found = find(tmp_path / "elsewhere" / "src")
    assert found == Worktree(tmp_path / "elsewhere", shop / ".git", True, "shop")


def test_a_worktree_of_a_bare_repository_is_named_after_the_repository(shop: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(shop), str(tmp_path / "shop-web.git"))
    git(tmp_path / "shop-web.git", "worktree", "add", "-q", str(tmp_path / "tree"))
    assert find(tmp_path / "tree") == Worktree(tmp_path / "tree", tmp_path / "shop-web.git", True, "shop-web")
    assert find(tmp_path / "shop-web.git") == Worktree(
        tmp_path / "shop-web.git", tmp_path / "shop-web.git", False, "shop-web.git"
    )


def test_a_submodule_is_a_repository_of_its_own(shop: Path, tmp_path: Path) -> None:
    git(shop, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(shop), "lib")
    assert find(shop / "lib") == Worktree(shop / "lib", shop / ".git" / "modules" / "lib", True, "lib")


def test_a_plain_directory_is_itself_by_whatever_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "link").symlink_to("plain")
    expected = Worktree(tmp_path / "plain", tmp_path / "plain", False, "plain")
    monkeypatch.chdir(tmp_path / "plain")
    for path in (tmp_path / "plain", tmp_path / "link", Path(), Path("../link")):
        assert find(path) == expected


def test_a_repository_reached_by_a_symlink_is_the_same_repository(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(shop)
    assert find(tmp_path / "link" / "src") == find(shop)


def test_what_is_broken_or_missing_is_a_plain_directory(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / ".git").write_text("gitdir: /nowhere\n")
    for name in ("broken", "missing"):
        assert find(tmp_path / name) == Worktree(tmp_path / name, tmp_path / name, False, name)


def test_the_environment_of_a_hook_does_not_mislead(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plain").mkdir()
    monkeypatch.setenv("GIT_DIR", str(shop / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(shop))
    assert find(tmp_path / "plain").is_git is False


# --- settings in the repository


@pytest.mark.parametrize(
    "home", ["/home/me/.gitmaild", "/with blank/#hash;semi", '/with"quote\\slash', "/größe/日本", "/trailing ", "/new\nline"]
)
def test_what_is_marked_is_read_back_by_git_and_by_us_in_every_worktree(shop: Path, tmp_path: Path, home: str) -> None:
    git(shop, "worktree", "add", "-q", "-b", "other", str(tmp_path / "elsewhere"))
    for place in (shop, tmp_path / "elsewhere"):
        mark(find(place), home=Path(home), project="shop")
        mark(find(place), home=Path(home), project="shop")  # again, without harm
    for place in (shop, shop / "src", tmp_path / "elsewhere"):
        assert settings(place, os.environ) == {"home": home, "project": "shop"}
        read = subprocess.run(["git", "-C", str(place), "config", "-z", "gitmaild.home"], capture_output=True, check=True)
        assert read.stdout.decode() == f"{home}\0"


def test_the_rest_of_the_users_configuration_stays_as_it_was_written(shop: Path) -> None:
    config = shop / ".git" / "config"
    text = config.read_text() + '; a comment\n[alias]\n\tst = status # not -s\n[remote "x"]\n\tfetch = a\n\tfetch = b\n'
    config.write_text(text)
    mark(find(shop), home=Path("/h"), project="shop")
    assert config.read_text().startswith(text)


def test_a_plain_directory_is_not_marked(tmp_path: Path) -> None:
    mark(find(tmp_path), home=Path("/h"), project="shop")
    assert os.listdir(tmp_path) == ["you-forgot-to-choose-a-home"]


def test_an_agent_that_git_was_told_of_is_known(shop: Path) -> None:
    git(shop, "config", "gitmaild.agent", "GreenCastle")
    git(shop, "config", "other.key", "x")
    assert settings(shop, os.environ) == {"agent": "GreenCastle"}


def test_settings_are_those_of_the_directory_whatever_a_hook_exports(shop: Path, tmp_path: Path) -> None:
    git(shop, "config", "gitmaild.agent", "GreenCastle")
    (tmp_path / "plain").mkdir()
    environment = {**os.environ, "GIT_DIR": str(shop / ".git"), "GIT_WORK_TREE": str(shop), "GIT_INDEX_FILE": "x"}
    assert settings(tmp_path / "plain", environment) == {}
    assert settings(shop, environment) == {"agent": "GreenCastle"}


def test_where_there_is_no_git_and_no_directory_there_are_no_settings(shop: Path, tmp_path: Path) -> None:
    assert settings(tmp_path / "missing", os.environ) == {}
    assert settings(tmp_path, {"PATH": str(tmp_path)}) == {}
