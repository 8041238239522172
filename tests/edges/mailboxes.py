"""Real repositories for the tests of the edges, and what git itself says of them."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gitmaild.edges.repo import Repo
from gitmaild.model.changeset import Changeset, Put

START = datetime(2026, 1, 1, tzinfo=UTC)


def git(repository: Path, *arguments: str, data: bytes | None = None, ok: bool = True) -> str:
    """What git prints; with `ok`, it must succeed and have nothing to complain of."""
    done = subprocess.run(
        ["git", f"--git-dir={repository}", *arguments], input=data, capture_output=True, check=False, text=data is None
    )
    out, err = (s if isinstance(s, str) else os.fsdecode(s) for s in (done.stdout, done.stderr))
    if ok:
        assert (done.returncode, err) == (0, ""), f"git {arguments}: {done.returncode} {err}"
    return out


def fsck(repository: Path) -> None:
    """Every object is whole and everything that main needs is there; what nothing leads to may lie about."""
    command = ["git", f"--git-dir={repository}", "fsck", "--strict", "--no-dangling"]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    said = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("notice: ")]
    assert (done.returncode, said) == (0, [])


def change(number: int, puts: dict[str, bytes] | None = None, drops: Iterable[str] = (), **over: object) -> Changeset:
    """The `number`th command of a day: what it puts and drops."""
    fields: dict[str, object] = {
        "subject": f"change {number}",
        "author": "GreenCastle",
        "at": START + timedelta(seconds=number),
        "puts": tuple(Put(path, data) for path, data in (puts or {}).items()),
        "drops": tuple(drops),
        "trailers": (("Command", f"message cmd_20260101_{number:08x}"),),
        **over,
    }
    return Changeset(**fields)  # type: ignore[arg-type]


def commit(repo: Repo, *changes: Changeset) -> str:
    """Land one batch on whatever the tip is; the new tip."""
    batch = repo.batch(repo.tip())
    for one in changes:
        batch.add(one)
    batch.land()
    return repo.tip()


def files(repository: Path, commit: str = "main") -> dict[str, bytes]:
    """Paths and bytes of a commit, as git itself reads them."""
    listed = git(repository, "ls-tree", "-r", "-z", "--full-tree", commit).split("\0")[:-1]
    pairs = [(entry.split("\t")[1], entry.split("\t")[0].split()[2]) for entry in listed]
    blobs = contents(repository, [oid for _, oid in pairs])
    return {path: blobs[oid] for path, oid in pairs}


def contents(repository: Path, oids: Iterable[str]) -> dict[str, bytes]:
    """The bytes of objects, by `git cat-file --batch`."""
    request = "".join(f"{oid}\n" for oid in oids).encode()
    command = ["git", f"--git-dir={repository}", "cat-file", "--batch"]
    output = subprocess.run(command, input=request, capture_output=True, check=True).stdout
    found, at = {}, 0
    while at < len(output):
        end = output.index(b"\n", at)
        oid, _, size = output[at:end].decode().split(" ")
        found[oid] = output[end + 1 : end + 1 + int(size)]
        at = end + 2 + int(size)
    return found


def copy_of(template: Path, target: Path) -> Path:
    shutil.copytree(template, target, symlinks=True)
    return target
