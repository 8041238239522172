"""The user's own repositories: which project a directory belongs to, and the two settings that `init` leaves there."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Worktree:
    """A directory that can carry a desk root: a git worktree's top, or a plain directory."""

    top: Path
    repository: Path  # the git common directory, the same for all worktrees of one repository; else the directory itself
    is_git: bool
    name: str  # what a project slug is made of


def find(path: Path) -> Worktree:
    """The worktree that `path` lies in; `path` itself where it is in no repository. A bare one is a plain directory."""
    import git  # noqa: PLC0415 - 69 ms, and only `init` asks

    path = path.resolve()
    try:
        repository = git.Repo(path, search_parent_directories=True)
    except (git.InvalidGitRepositoryError, git.NoSuchPathError):
        return Worktree(path, path, False, path.name)
    with repository:
        if repository.working_tree_dir is None:
            return Worktree(path, path, False, path.name)
        common = Path(repository.common_dir).resolve()
        # A linked worktree is named after its repository, not after its own directory.
        name = common.parent.name if common.name == ".git" else common.name.removesuffix(".git")
        return Worktree(Path(repository.working_tree_dir).resolve(), common, True, name)


def mark(worktree: Worktree, *, home: Path, project: str, prefix: str = "") -> None:
    """Write `gitmaild.home` and `gitmaild.project` into the repository's shared configuration, for worktrees to come.

    `prefix` is where a submodule lies in the worktree of its project.
    """
    import git  # noqa: PLC0415

    if worktree.is_git:
        with git.Repo(worktree.top) as repository:
            for key, value in (("home", str(home)), ("project", project), ("prefix", prefix)):
                if value:
                    # By git itself: GitPython's own writer loses the comments of the user's file.
                    repository.git.config("--local", f"gitmaild.{key}", value)


def unmark(worktree: Worktree) -> bool:
    """Take the marks out of a submodule that only borrows its project. True where there were any."""
    import git  # noqa: PLC0415

    if not worktree.is_git:
        return False
    with git.Repo(worktree.top) as repository:
        try:
            repository.git.config("--local", "--get", "gitmaild.prefix")
        except git.GitCommandError:
            return False
        for key in ("prefix", "project", "home"):
            repository.git.config("--local", "--unset-all", f"gitmaild.{key}")
    return True


def settings(path: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """The `gitmaild.*` settings that git knows in `path`: home, project, agent. One git process, about 2 ms."""
    import subprocess  # noqa: PLC0415 - 2 ms that a caller who says home and name does not need

    try:
        done = subprocess.run(
            ["git", "config", "--null", "--get-regexp", "^gitmaild\\."],
            cwd=path,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
            env={k: v for k, v in environment.items() if k not in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")},
        )
    except OSError:
        return {}
    pairs = (entry.partition("\n") for entry in done.stdout.split("\0") if entry)
    return {key.removeprefix("gitmaild."): value for key, _, value in pairs}
