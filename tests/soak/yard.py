"""A post office of real processes on a directory of its own, and the questions that it must survive.

What `tests.post.Post` is to the fast tests this is to the soak: `gitmaild` runs as a program, may be killed at any moment,
and `problems()` then says in words what is not as it was promised. The projects are directories beside the home.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from gitmaild import wiring
from gitmaild.edges.home import Home
from gitmaild.model.changeset import parse_commit_message
from gitmaild.model.layout import FOLDERS, parse_file_name
from gitmaild.model.message import Message
from gitmaild.rules.render import parse_message
from gitmaild.wiring.office import NoHints, open_office

SOURCE = Path(__file__).parents[2]
REGISTER = "---\nkind: register\nprogram: Claude Code\nmodel: Opus 4.5\n---\n"


def say(text: str) -> None:
    """A line of progress; the suites run with `-s`."""
    print(f"  {time.strftime('%H:%M:%S')} {text}", flush=True)


@dataclass(frozen=True, slots=True)
class Drop:
    """A file that somebody put into an outbox."""

    project: str
    agent: str
    name: str

    @property
    def stem(self) -> str:
        return self.name.rpartition(".")[0]


@dataclass(slots=True)
class Tree:
    """What the tip of the mailbox holds."""

    messages: Counter[str] = field(default_factory=Counter)  # "project/message id"
    copies: Counter[str] = field(default_factory=Counter)  # "project/agent/file name"
    folders: dict[str, set[str]] = field(default_factory=dict)  # "project/agent/folder": file names
    agents: set[str] = field(default_factory=set)  # "project/agent"
    blobs: dict[str, str] = field(default_factory=dict)  # "project/message id" to blob id


class Yard:
    def __init__(self, top: Path) -> None:
        self.top = top
        self.home = Home(top / "home")
        self.python = [sys.executable, "-B", "-m", "gitmaild"]

    # --- set-up

    def prepare(self, projects: dict[str, list[str]], **settings: object) -> None:
        """Make the home and the projects, and register their agents."""
        self.home.path.mkdir(parents=True, exist_ok=True)
        self.home.config.write_text("".join(f"{key}: {value}\n" for key, value in settings.items()))
        for project, agents in projects.items():
            (self.top / project).mkdir(exist_ok=True)
            self.cli("init", str(self.top / project))
            for agent in agents:
                self.drop(Drop(project, agent, "join.md"), REGISTER)
        self.serve_once()

    def copy_to(self, top: Path) -> "Yard":
        """A copy of everything, in another place."""
        shutil.copytree(self.top, top, symlinks=True)
        copy = Yard(top)
        copy.home.roots.write_text(copy.home.roots.read_text().replace(str(self.top), str(top)))
        return copy

    def remove(self) -> None:
        shutil.rmtree(self.top, ignore_errors=True)

    # --- places

    def root(self, project: str) -> Path:
        return self.top / project / ".gitmaild"

    def desk(self, project: str, agent: str) -> Path:
        return self.root(project) / "agents" / agent

    def roots(self) -> dict[str, Path]:
        return {slug: self.root(slug) for slug in wiring.registry(self.home).projects}

    # --- what agents do

    def drop(self, drop: Drop, text: str | bytes, *, durably: bool = False) -> Path:
        """Write a file beside the outbox and rename it in, as a careful agent does."""
        outbox = self.desk(drop.project, drop.agent) / "outbox"
        outbox.mkdir(parents=True, exist_ok=True)
        draft = outbox / f".{drop.name}"
        with draft.open("wb") as file:
            file.write(text.encode() if isinstance(text, str) else text)
            if durably:
                file.flush()
                os.fsync(file.fileno())
        draft.rename(outbox / drop.name)
        if durably:
            fd = os.open(outbox, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        return outbox / drop.name

    def settle_drops(self) -> None:
        """Age what lies in the outboxes, so that one pass takes it without a hint."""
        for path in self.top.glob("*/.gitmaild/agents/*/outbox/*"):
            if path.is_file():
                before = path.stat().st_mtime - 60
                os.utime(path, (before, before))

    # --- processes

    def environment(self) -> dict[str, str]:
        path = os.pathsep.join(filter(None, [str(SOURCE), os.environ.get("PYTHONPATH", "")]))
        return {**_clean(), "GITMAILD_HOME": str(self.home.path), "PYTHONPATH": path, "HOME": str(self.top)}

    def command(self, *arguments: str) -> list[str]:
        return [*self.python, *arguments]

    def cli(self, *arguments: str, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            env=self.environment(),
            cwd=self.top,
            capture_output=True,
            text=True,
            check=check,
            timeout=timeout,
        )

    def daemon(self, log: Path | None = None) -> subprocess.Popen[bytes]:
        """A daemon that has come up: it has said so. Its log goes to `log`, outside the yard where that may vanish."""
        with (log or self.top / "daemon.log").open("ab") as out:
            began = out.tell()
            child = subprocess.Popen(
                self.command("serve", "--no-http"),
                env=self.environment(),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
            path = Path(out.name)
        until = time.monotonic() + 30
        while b"is serving" not in path.read_bytes()[began:]:
            if child.poll() is not None or time.monotonic() > until:
                stop(child)
                raise AssertionError(f"the daemon did not come up:\n{path.read_bytes()[began:].decode(errors='replace')}")
            time.sleep(0.01)
        return child

    def serve_once(self) -> int:
        """What `gitmaild serve --once` does, without the price of a process; how many commands were answered."""
        self.settle_drops()
        office = open_office(self.home, {}, watcher=NoHints())
        try:
            answered = office.daemon.turn([])
            while office.daemon.idle_for() < 1.0:
                time.sleep(max(office.daemon.idle_for(), 0.0) + 0.01)
                answered += office.daemon.turn([])
            assert office.daemon.alarms.listed() == []
        finally:
            office.close()
        return answered

    # --- the mailbox, asked of git itself

    def git(self, *arguments: str, data: bytes | None = None) -> bytes:
        command = ["git", f"--git-dir={self.home.mailbox}", *arguments]
        done = subprocess.run(command, input=data, capture_output=True, env=_clean(), check=False)
        assert done.returncode == 0, f"git {arguments[0]}: {done.stderr.decode(errors='replace')}"
        return done.stdout

    def trailers(self) -> list[dict[str, str]]:
        """Of every commit, oldest first; its subject as `Subject`."""
        texts = self.git("log", "--reverse", "--format=%B%x00", "main").decode().split("\0\n")
        return [parse_commit_message(text)[0] | {"Subject": text.partition("\n")[0]} for text in texts if text.strip()]

    def tree(self) -> Tree:
        tree = Tree()
        for line in self.git("ls-tree", "-r", "-z", "main").decode().split("\0"):
            about, _, path = line.partition("\t")
            words = path.split("/")
            if len(words) > 3 and words[1] == "messages":
                tree.messages[f"{words[0]}/{words[-1][:-3]}"] += 1
                tree.blobs[f"{words[0]}/{words[-1][:-3]}"] = about.split(" ")[2]
            elif len(words) > 4 and words[1] == "agents" and words[3] in FOLDERS:
                tree.copies[f"{words[0]}/{words[2]}/{words[-1]}"] += 1
                tree.folders.setdefault(f"{words[0]}/{words[2]}/{words[3]}", set()).add(words[-1])
            elif words[-1] == "profile.yaml":
                tree.agents.add(f"{words[0]}/{words[2]}")
        return tree

    def messages(self, tree: Tree) -> Iterator[tuple[str, Message]]:
        """(project, message) of every canonical copy."""
        data = self.git("cat-file", "--batch", data="\n".join(tree.blobs.values()).encode())
        at = 0
        for key in tree.blobs:
            end = data.index(b"\n", at)
            size = int(data[at:end].split(b" ")[2])
            yield key.partition("/")[0], parse_message(data[end + 1 : end + 1 + size])
            at = end + size + 2

    def answered(self) -> Counter[Drop]:
        """How often the mailbox has a commit for each dropped file. (A refusal names its file in the subject.)"""
        found: Counter[Drop] = Counter()
        for trailers in self.trailers():
            drop = _drop_of(trailers)
            if drop is not None:
                found[drop] += 1
        return found

    # --- what must hold

    def waiting(self) -> list[str]:
        """What lies in the outboxes and is not answered yet."""
        places = [path for root in self.roots().values() for path in root.glob("agents/*/outbox")]
        places += [place / ".claimed" for place in places if (place / ".claimed").is_dir()]
        return [f"{place}/{name}" for place in places for name in os.listdir(place) if name[0] != "." and name != "files"]

    def problems(self, must: Iterable[Drop] = (), may: Iterable[Drop] = ()) -> list[str]:
        """What is not as it was promised, once everything has come to rest; [] where all is well.

        `must` were dropped and have to be answered; `may` were perhaps lost with the disk, and then nobody saw an answer.
        """
        found = [f"git fsck: {line}" for line in self.fsck()]
        found += self._twice_or_never(set(must), set(may))
        tree = self.tree()
        found += self._copies(tree)
        found += self._waiting()
        found += self._fates(set(must))
        found += self._desks(tree)
        return found + self._rebuilt()

    def fsck(self, *, after_cut: bool = False) -> list[str]:
        """Damage; and, once a daemon has put things right, what it left behind."""
        command = ["git", f"--git-dir={self.home.mailbox}", "fsck", "--strict", "--full", "--no-dangling", "--no-progress"]
        done = subprocess.run(command, capture_output=True, text=True, env=_clean(), check=False)
        lines = (done.stdout + done.stderr).splitlines()
        lines += [f"exit status {done.returncode}"] if done.returncode else []
        objects = [*self.home.mailbox.glob("objects/[0-9a-f][0-9a-f]/*"), *self.home.mailbox.glob("objects/pack/pack-*[!p]")]
        empty = [path for path in objects if not path.stat().st_size]
        left: list[Path] = []
        if not after_cut:
            left += self.home.mailbox.glob("objects/pack/*.keep")
            left += self.home.mailbox.glob("refs/heads/*.lock")
        return [*lines, *(f"empty {path.name}" for path in empty), *(f"left behind: {path.name}" for path in left)]

    def _twice_or_never(self, must: set[Drop], may: set[Drop]) -> list[str]:
        trailers = self.trailers()
        commands = Counter(t["Command"].split(" ")[1] for t in trailers if "Command" in t)
        sent = Counter(t["Message-Id"] for t in trailers if t.get("Command", "").startswith("message "))
        drops = Counter(drop for t in trailers if (drop := _drop_of(t)) and drop.stem != "join")
        found = [f"{key} has {count} commits" for key, count in [*commands.items(), *sent.items()] if count != 1]
        found += [f"{drop} has {count} commits" for drop, count in drops.items() if count != 1]
        known = {(d.project, d.agent, d.stem) for d in drops}
        found += [f"{d} has no commit" for d in must if (d.project, d.agent, d.stem) not in known]
        strange = known - {(d.project, d.agent, d.stem) for d in must | may}
        return found + ([f"nobody dropped {sorted(strange)}"] if strange and must else [])

    def _copies(self, tree: Tree) -> list[str]:
        """Each message once, and each of its recipients one copy of it."""
        found = [f"{key} is {count} times in the tree" for key, count in tree.messages.items() if count != 1]
        found += [f"{key} is {count} times in the tree" for key, count in tree.copies.items() if count != 1]
        got: dict[str, set[str]] = {}
        for key in tree.copies:
            project, agent, name = key.split("/")
            parsed = parse_file_name(name)
            assert parsed is not None, name
            got.setdefault(f"{project}/{parsed.hex}", set()).add(agent)
        for project, message in self.messages(tree):
            wanted = {name for name in (*message.to, *message.cc) if f"{project}/{name}" in tree.agents}
            if got.get(f"{project}/{message.id.rpartition('_')[2]}", set()) != wanted:
                found.append(f"{message.id} is for {wanted}, and lies with {got.get(message.id.rpartition('_')[2])}")
        return found

    def _waiting(self) -> list[str]:
        found = []
        for root in self.roots().values():
            for outbox in root.glob("agents/*/outbox"):
                left = [
                    p for p in outbox.rglob("*") if p.name not in (".claimed", "files") and not self._is_known_attachment(p)
                ]
                # A draft that its writer did not finish is the writer's.
                found += [f"left behind: {path}" for path in left if not path.name.startswith(".")]
        return found

    def _is_known_attachment(self, path: Path) -> bool:
        """An attachment that the mailbox has, and that a kill left where it was put: litter, and nothing is lost."""
        digits = sha256(path.read_bytes()).hexdigest() if path.parent.name == "files" else ""
        project = path.relative_to(self.top).parts[0]
        return bool(digits) and self.git("ls-tree", "main", f"{project}/attachments/{digits[:2]}/{digits}") != b""

    def _fates(self, must: set[Drop]) -> list[str]:
        """One visible fate for each dropped file: `sent/` or `rejected/`."""
        found = []
        seen: dict[tuple[str, str], Counter[str]] = {}
        for drop in must:
            desk = self.desk(drop.project, drop.agent)
            key = (drop.project, drop.agent)
            if key not in seen:
                sent = [path.name.rsplit(".", 2)[0] for path in (desk / "sent").glob("[!.]*")]
                refused = [p.name for p in (desk / "rejected").glob("[!.]*") if not p.name.endswith(".why.md")]
                without = [name for name in refused if not (desk / "rejected" / f"{name}.why.md").exists()]
                found += [f"{desk}/rejected/{name} has no reason beside it" for name in without]
                seen[key] = Counter([*sent, *(name.rpartition(".")[0] for name in refused)])
            if seen[key][drop.stem] != 1:
                found.append(f"{drop} has {seen[key][drop.stem]} visible fates")
        return found

    def _desks(self, tree: Tree) -> list[str]:
        """Desks show what the tree has."""
        found = []
        for project, root in self.roots().items():
            for desk in root.glob("agents/*"):
                for folder in FOLDERS:
                    shown = set(os.listdir(desk / folder)) if (desk / folder).is_dir() else set()
                    wanted = tree.folders.get(f"{project}/{desk.name}/{folder}", set())
                    if shown != wanted:
                        found.append(f"{desk}/{folder}: missing {wanted - shown}, too many {shown - wanted}")
        return found

    def _rebuilt(self) -> list[str]:
        """The mirror that was kept up equals one that is made from nothing."""
        kept_up = self.snapshot()
        for root in self.roots().values():
            for directory in [*root.glob("agents/*/*"), root / "threads", root / "files"]:
                if directory.name not in ("outbox", "rejected"):
                    shutil.rmtree(directory, ignore_errors=True)
            (root / "agents.md").unlink(missing_ok=True)
        wiring.request(self.home, wiring.REBUILD)
        self.serve_once()
        anew = self.snapshot()
        names = sorted(name for name in kept_up.keys() | anew.keys() if kept_up.get(name) != anew.get(name))
        return [f"mirror differs from a rebuild: {name}: {_difference(kept_up.get(name), anew.get(name))}" for name in names]

    def snapshot(self) -> dict[str, tuple[bytes, int]]:
        """Every mirrored file: bytes, and the mtime where it says something."""
        found = {}
        for project, root in self.roots().items():
            for path in root.rglob("*"):
                relative = path.relative_to(root)
                if path.is_file() and relative.name != ".checkpoint" and not {"outbox", "rejected"} & {*relative.parts}:
                    dated = relative.parts[0] in ("agents", "threads")
                    found[f"{project}/{relative}"] = (path.read_bytes(), path.stat().st_mtime_ns if dated else 0)
        return found


def _clean() -> dict[str, str]:
    """The environment without anything of the user's that git or gitmaild would heed."""
    ours = ("GIT_", "GITMAILD_", "AGENT_", "STORAGE_", "NOTIFY_", "WATCHDOG_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}


def _drop_of(trailers: dict[str, str]) -> Drop | None:
    project, agent = trailers.get("Project", ""), trailers.get("From", "")
    if "Drop" in trailers:
        return Drop(project, agent, f"{trailers['Drop']}.md")
    if trailers.get("Command", "").startswith("refuse "):
        return Drop(project, agent, trailers["Subject"].split(": ")[2])
    return None


def _difference(kept_up: tuple[bytes, int] | None, anew: tuple[bytes, int] | None) -> str:
    if kept_up is None or anew is None:
        return "only in the rebuild" if kept_up is None else "only in the one kept up"
    if kept_up[0] == anew[0]:
        return f"mtime {kept_up[1]} != {anew[1]}"
    same = len(os.path.commonprefix([kept_up[0], anew[0]]))  # noqa: RUF071 - of bytes
    return f"from byte {same} on: {kept_up[0][same:][:80]!r} != {anew[0][same:][:80]!r}"


def stop(child: subprocess.Popen[bytes]) -> None:
    """End a process that we started, if it has not ended."""
    with contextlib.suppress(ProcessLookupError):
        child.kill()
    child.wait(30)


def wait_until(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Wait for something that another process does."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"not within {seconds} s: {what}"
        time.sleep(0.02)
