"""Three ways to write the same commits durably: the figures of docs/decisions/0001. `python -m benchmarks.writers`."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pygit2

from benchmarks.__main__ import floor
from benchmarks.base import RECIPIENTS, SENDER, message
from gitmaild.edges import disk
from gitmaild.edges.repo import Repo
from gitmaild.model.changeset import Changeset
from gitmaild.model.commands import Envelope, Found, Register
from gitmaild.model.ids import mint
from gitmaild.model.settings import Settings
from gitmaild.rules.mailbox import Mailbox
from gitmaild.rules.parse import parse
from gitmaild.rules.plan import plan

Write = Callable[[list[Changeset]], None]


def planned(count: int) -> list[Changeset]:
    """What the rules make of `count` messages to three recipients, 86 s apart, after a project and its agents."""
    top = Path(tempfile.mkdtemp(prefix="gitmaild-bench-"))
    repo, settings, now = Repo.create(top / "mailbox.git"), Settings(), datetime(2026, 1, 1, tzinfo=UTC)
    batch = repo.batch("")
    mailbox, made = Mailbox(batch.tree, "shop"), []

    def envelope(agent: str) -> Envelope:
        return Envelope(mint(now, os.urandom, ()), "shop", agent, "m")

    commands = [Found(envelope("Overseer")), *(Register(envelope(name)) for name in (SENDER, *RECIPIENTS))]
    commands += [parse(message(number), envelope(SENDER), settings) for number in range(count)]  # type: ignore[list-item]
    for command in commands:
        now += timedelta(seconds=86)
        change = plan(command, mailbox, now, settings)
        assert isinstance(change, Changeset)
        batch.add(change)
        made.append(change)
    shutil.rmtree(top)
    return made


def ours(path: Path) -> tuple[Write, Callable[[], None]]:
    repo = Repo.create(path)

    def write(changes: list[Changeset]) -> None:
        batch = repo.batch(repo.tip())
        for change in changes:
            batch.add(change)
        batch.land()

    return write, lambda: None


def fast_import(path: Path) -> tuple[Write, Callable[[], None]]:
    """One `git fast-import`, kept running; a checkpoint a batch, then update-ref, then the directories that git leaves out."""
    Repo.create(path)
    git = ["git", f"--git-dir={path}", "-c", "core.fsync=all", "-c", "fastimport.unpackLimit=1"]
    child = subprocess.Popen([*git, "fast-import", "--quiet", "--done"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin and child.stdout
    state = {"tip": "", "mark": 0}

    def write(changes: list[Changeset]) -> None:
        out = []
        for change in changes:
            marks: dict[int, int] = {}
            for put in change.puts:
                if id(put.data) not in marks:
                    state["mark"] = int(state["mark"]) + 1
                    marks[id(put.data)] = int(state["mark"])
                    out.append(b"blob\nmark :%d\ndata %d\n%s\n" % (int(state["mark"]), len(put.data), put.data))
            seconds = int(change.at.timestamp())
            text = change.message().encode()
            who = f"{change.author} <{change.author}@gitmaild> {seconds} +0000"
            out.append(f"commit refs/heads/scratch\nauthor {who}\ncommitter {who}\ndata {len(text)}\n".encode() + text)
            out += [b"M 100644 :%d %s\n" % (marks[id(put.data)], put.path.encode()) for put in change.puts]
            out.append(b"\n")
        assert child.stdin and child.stdout
        child.stdin.write(b"".join(out) + b"checkpoint\nprogress done\n")
        child.stdin.flush()
        child.stdout.readline()
        disk.sync_directory(path / "objects" / "pack")
        new = (path / "refs/heads/scratch").read_text().strip()
        subprocess.run([*git, "update-ref", "refs/heads/main", new, str(state["tip"]) or "0" * 40], check=True)
        disk.sync_directory(path / "refs" / "heads")
        state["tip"] = new

    def close() -> None:
        assert child.stdin
        child.stdin.write(b"done\n")
        child.stdin.close()
        child.wait()

    return write, close


def libgit2(path: Path) -> tuple[Write, Callable[[], None]]:
    """Loose objects through pygit2, with its fsync switched on."""
    Repo.create(path)
    repo = pygit2.Repository(str(path))
    pygit2.option(pygit2.enums.Option.ENABLE_FSYNC_GITDIR, True)

    def put(tree: pygit2.Tree | None, parts: list[str], oid: pygit2.Oid) -> pygit2.Oid:
        builder = repo.TreeBuilder(tree) if tree else repo.TreeBuilder()
        if len(parts) == 1:
            builder.insert(parts[0], oid, pygit2.enums.FileMode.BLOB)
        else:
            below = tree[parts[0]] if tree and parts[0] in tree else None
            builder.insert(parts[0], put(below, parts[1:], oid), pygit2.enums.FileMode.TREE)
        return builder.write()

    def write(changes: list[Changeset]) -> None:
        for change in changes:
            tip = None if repo.head_is_unborn else repo.head.target
            tree = repo[tip].tree if tip else None
            for p in change.puts:
                tree = repo[put(tree, p.path.split("/"), repo.create_blob(p.data))]
            who = pygit2.Signature(change.author, f"{change.author}@gitmaild", int(change.at.timestamp()), 0)
            repo.create_commit("refs/heads/main", who, who, change.message(), tree.id, [tip] if tip else [])

    return write, lambda: None


def main() -> None:
    changes = planned(1200)
    start, rest = changes[:5], changes[5:]
    where = os.environ.get("BENCH_DIR", "/tmp")
    print("| writer | commits a batch | ms a message | x floor | bytes a message |\n|---|---|---|---|---|")
    for name, make in (("own packs", ours), ("git fast-import", fast_import), ("libgit2, loose objects", libgit2)):
        for size, rounds in ((1, 100), (64, 8)):
            top = Path(tempfile.mkdtemp(prefix="gitmaild-bench-", dir=where))
            write, close = make(top / "mailbox.git")
            write(start)
            before = sum(f.stat().st_size for f in (top / "mailbox.git" / "objects").rglob("*") if f.is_file())
            floors, took = [], 0.0
            for number in range(rounds):
                floors.append(floor(top, number))
                began = time.perf_counter()
                write(rest[number * size : (number + 1) * size])
                took += (time.perf_counter() - began) * 1000
            close()
            after = sum(f.stat().st_size for f in (top / "mailbox.git" / "objects").rglob("*") if f.is_file())
            a_message, least = took / rounds / size, sorted(floors)[len(floors) // 2]
            print(
                f"| {name} | {size} | {a_message:.2f} | {a_message / least:.2f} | {(after - before) / rounds / size:,.0f} |",
                flush=True,
            )
            subprocess.run(["git", f"--git-dir={top}/mailbox.git", "fsck", "--strict"], check=True, capture_output=True)
            shutil.rmtree(top)


if __name__ == "__main__":
    main()
