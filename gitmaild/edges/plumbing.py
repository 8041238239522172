"""Git as a program, with nothing in its way of a user's configuration, or of the hook that calls us."""

import os
import subprocess
from pathlib import Path

from gitmaild.model.errors import MailError


class Damaged(MailError):
    """The repository cannot be read: a corrupt object, a broken ref."""

    code = "damaged-mailbox"


def environment() -> dict[str, str]:
    """What git is started with."""
    return {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C",
    }


def git(repository: Path, *arguments: str, bare: bool = True) -> str:
    """What git says of a mailbox. Raises `Damaged`."""
    command = ["git", *([f"--git-dir={repository}"] if bare else []), "-c", "core.hooksPath=/dev/null", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    if done.returncode:
        raise Damaged(f"git {arguments[0]}: {done.stderr.strip() or f'exit {done.returncode}'}")
    return done.stdout


def git_version() -> tuple[int, ...]:
    words = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout.split()
    return tuple(int(part) for part in words[2].split(".")[:2] if part.isdigit())
