"""A post office in a temporary directory, driven by hand: real git, real files, no watcher, no sleep."""

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pygit2

from gitmaild import wiring
from gitmaild.app.bell import Bell
from gitmaild.edges.home import Home
from gitmaild.model.changeset import parse_commit_message
from gitmaild.model.drop import Hint, How
from gitmaild.model.layout import FOLDERS, parse_file_name
from gitmaild.model.settings import Settings
from gitmaild.rules import roots as roots_file
from gitmaild.wiring.office import Office, open_office
from tests.fakes import FakeClock, SeededEntropy, StillWatcher


class Post:
    """`post.drop(...)`, `post.turn()`, `post.inbox(...)`: what agents do and see. The project is *shop*."""

    def __init__(self, top: Path, limits: Settings | None = None) -> None:
        self.top = top
        self.limits = limits or Settings()
        self.clock, self.entropy = FakeClock(), SeededEntropy()
        self.home = Home(top / "home")
        self.home.make()
        self.office: Office | None = None
        self.bell: Bell | None = None
        self.worktree = self.add_worktree("shop")

    # --- set-up

    def add_worktree(self, name: str, project: str = "shop") -> Path:
        worktree = self.top / name
        (worktree / ".gitmaild").mkdir(parents=True)
        repository = str(self.top / project)
        self.home.change_registry(
            lambda data: roots_file.render(roots_file.parse(data).enrol(project, repository, str(worktree)))
        )
        return worktree

    def desk(self, agent: str, worktree: Path | None = None) -> Path:
        return (worktree or self.worktree) / ".gitmaild" / "agents" / agent

    def agents(self, *names: str) -> None:
        """Register these agents in the first worktree."""
        for name in names:
            self.drop(name, name="join.md", kind="register", program="Claude Code", model="Opus 4.5")
        self.turn()

    # --- the daemon

    def start(self) -> Office:
        if self.office is None:
            self.office = open_office(
                self.home,
                {},
                wall=self.clock.wall,
                monotonic=self.clock.monotonic,
                entropy=self.entropy,
                limits=self.limits,
                watcher=StillWatcher(),
                bell=self.bell,
            )
        return self.office

    def turn(self, seconds: float = 1.0) -> int:
        """Let time pass, hint at everything, and let the daemon go round once; how many commands it answered."""
        office = self.start()
        self.clock.advance(seconds)
        return office.daemon.turn([Hint(""), *self.hints()])

    def hints(self) -> list[Hint]:
        """What a watcher would say now that everything had just been renamed to where it is."""
        roots = self._worktrees()
        found = [p for w in roots for p in w.glob("agents/*/outbox/*") if not p.name.startswith(".")]
        moved = [p for w in roots for folder in FOLDERS[1:] for p in w.glob(f"agents/*/{folder}/*")]
        return [Hint(str(path.parent), path.name, How.RENAMED) for path in (*found, *moved)]

    def settle(self, seconds: float = 1.0) -> None:
        """Go round until nothing is left to be done."""
        for _ in range(20):
            answered = self.turn(seconds)
            if not answered and not self.office_claims() and not any(self._outboxes()):
                return
        raise AssertionError(f"still busy: {self.office_claims()} {list(self._outboxes())}")

    def office_claims(self) -> list[str]:
        return sorted(self.start().daemon.intake.claiming.claims)

    def _outboxes(self) -> Iterator[Path]:
        """What asks to be taken, in every outbox whose desk is not a symlink."""
        for root in self._worktrees():
            yield from (p for p in root.glob("agents/*/outbox/*.md") if not p.name.startswith("."))

    def alarms(self) -> list[str]:
        """The keys of the alarms that are raised, the path of a root left out."""
        return [str(alarm["alarm"]).partition(" ")[0] for alarm in self.start().daemon.state()["alarms"]]

    def alarm_texts(self) -> list[str]:
        """What is wrong now, in words."""
        return [alarm["text"] for alarm in self.start().daemon.alarms.listed()]

    def scan(self, seconds: float = 1.0) -> int:
        """Go round without any hint of a rename: files must have been still for long enough."""
        office = self.start()
        self.clock.advance(seconds)
        return office.daemon.turn([Hint("")])

    def rest(self, seconds: float = 1.0) -> None:
        """Let time pass without mail, until the search index is up with it."""
        self.clock.advance(seconds)
        for _ in range(1000):
            if not self.start().daemon.rest(at_once=True):
                return
        raise AssertionError("the index is never up")

    def stop(self) -> None:
        """A clean end."""
        if self.office:
            self.office.close()
            self.office = None

    def crash(self) -> None:
        """An end without farewell: nothing is flushed, only what the kernel frees is freed."""
        if self.office:
            self.office.lock.release()
            if index := self.office.daemon.indexer._index:
                getattr(index, "_disconnect", index.close)()
            for root in self.office.daemon.intake.roots.values():
                root.close()
            self.office = None

    def _worktrees(self) -> list[Path]:
        registry = wiring.registry(self.home)
        roots = [Path(w) / ".gitmaild" for p in registry.projects.values() for w in p.worktrees]
        return [*roots, *(self.home.post / slug for slug in registry.projects)]

    # --- what agents do

    def drop(
        self, agent: str, body: str = "hello\n", *, name: str = "", worktree: Path | None = None, **fields: str
    ) -> Path:
        """Write a file beside the outbox and rename it in, as a careful agent does."""
        lines = "".join(f"{key}: {value}\n" for key, value in fields.items())
        return self.drop_text(agent, f"---\n{lines}---\n{body}", name=name, worktree=worktree)

    def drop_text(self, agent: str, text: str | bytes, *, name: str = "", worktree: Path | None = None) -> Path:
        outbox = self.desk(agent, worktree) / "outbox"
        outbox.mkdir(parents=True, exist_ok=True)
        name = name or f"m{len(os.listdir(outbox)) + self.entropy.count}.md"
        draft = outbox / f".{name}"
        draft.write_bytes(text.encode() if isinstance(text, str) else text)
        draft.rename(outbox / name)
        return outbox / name

    def file(self, agent: str, name: str, folder: str, source: str = "inbox", worktree: Path | None = None) -> None:
        """Move a message to `read/` or `acked/`."""
        desk = self.desk(agent, worktree)
        (desk / source / name).rename(desk / folder / name)

    # --- what agents see

    def names(self, agent: str, folder: str = "inbox", worktree: Path | None = None) -> list[str]:
        """The message files in a folder, oldest first."""
        directory = self.desk(agent, worktree) / folder
        return sorted(n for n in os.listdir(directory) if parse_file_name(n)) if directory.is_dir() else []

    def inbox(self, agent: str, folder: str = "inbox") -> list[str]:
        """`Sender: subject` of what lies in a folder, oldest first."""
        found = []
        for name in self.names(agent, folder):
            text = (self.desk(agent) / folder / name).read_text(errors="replace")
            subject = next((line for line in text.splitlines() if line.startswith("subject: ")), "?")
            found.append(name.split("_")[2] + ": " + subject.removeprefix("subject: ").strip('"'))
        return found

    def sent(self, agent: str) -> dict[str, str]:
        """The answers in `sent/`: stem of the dropped file to text."""
        files = sorted((self.desk(agent) / "sent").glob("[!.]*"))
        return {path.name.rsplit(".", 2)[0]: path.read_text() for path in files}

    def rejected(self, agent: str) -> dict[str, str]:
        """Refused files: name to the code of the refusal."""
        found = {}
        for path in sorted((self.desk(agent) / "rejected").glob("*.why.md")):
            lines = path.read_text().splitlines()
            found[path.name.removesuffix(".why.md")] = next(x[6:] for x in lines if x.startswith("code: "))
        return found

    def waiting(self, agent: str) -> list[str]:
        outbox = self.desk(agent) / "outbox"
        return sorted(p.name for p in outbox.iterdir() if not p.name.startswith(".") and p.name != "files")

    # --- the mailbox

    def git(self, *arguments: str) -> str:
        command = ["git", f"--git-dir={self.home.mailbox}", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def log(self) -> list[str]:
        """The subjects of all commits, oldest first."""
        return self.git("log", "--reverse", "--format=%s", "main").splitlines()

    def commits(self) -> list[tuple[str, dict[str, str], str]]:
        """(subject, trailers, body) of every commit, oldest first."""
        repository = pygit2.Repository(str(self.home.mailbox))
        found = []
        for commit in repository.walk(repository.lookup_reference("refs/heads/main").target):
            trailers, body = parse_commit_message(commit.message)
            found.append((commit.message.partition("\n")[0], trailers, body))
        return found[::-1]

    def tree(self) -> dict[str, str]:
        """Every path of main's tree, with its blob's id."""
        repository = pygit2.Repository(str(self.home.mailbox))
        found: dict[str, str] = {}

        def walk(tree: pygit2.Tree, above: str) -> None:
            for entry in tree:
                if isinstance(entry, pygit2.Tree):
                    walk(entry, f"{above}{entry.name}/")
                else:
                    found[f"{above}{entry.name}"] = str(entry.id)

        walk(repository.revparse_single("refs/heads/main").tree, "")
        return found

    def blob(self, oid: str) -> bytes:
        return bytes(pygit2.Repository(str(self.home.mailbox))[oid].data)

    def fsck(self) -> None:
        done = subprocess.run(
            ["git", f"--git-dir={self.home.mailbox}", "fsck", "--strict", "--no-dangling", "--no-progress"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def foreign(self, puts: dict[str, str | bytes], message: str = "by hand\n", *, date: str = "1767225600 +0000") -> str:
        """A commit on main by somebody else, with plain git: files put into the tree at these paths. Its id."""
        index = {"GIT_INDEX_FILE": str(self.top / "foreign-index"), "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}

        def git(*arguments: str, data: bytes = b"") -> str:
            command = ["git", f"--git-dir={self.home.mailbox}", *arguments]
            done = subprocess.run(command, input=data, check=True, capture_output=True, env=os.environ | index)
            return done.stdout.decode().strip()

        git("read-tree", "main")
        for path, data in puts.items():
            oid = git("hash-object", "-w", "--stdin", data=data.encode() if isinstance(data, str) else data)
            git("update-index", "--add", "--cacheinfo", f"100644,{oid},{path}")
        tree = git("write-tree")
        commit = git("commit-tree", "-p", "main", tree, data=message.encode())
        git("update-ref", "refs/heads/main", commit)
        return commit

    # --- what must always be so

    def check_exactly_once(self) -> None:
        """No command is in git twice, no message in two places, and `created` grows from commit to commit."""
        commands = [t["Command"].split(" ")[1] for _, t, _ in self.commits() if "Command" in t]
        assert [c for c, count in Counter(commands).items() if count > 1] == []
        accepted = [t["Accepted"] for _, t, _ in self.commits() if "Accepted" in t]
        assert accepted == sorted(set(accepted))
        paths = list(self.tree())
        copies = Counter((p.split("/agents/")[1].split("/")[0], p.split("/")[-1]) for p in paths if "/agents/" in p)
        assert [c for c, count in copies.items() if count > 1 and parse_file_name(c[1])] == []
        for root in self._worktrees():
            for desk in root.glob("agents/*"):
                shown = Counter(n for folder in FOLDERS for n in _names(desk / folder) if parse_file_name(n))
                assert [n for n, count in shown.items() if count > 1] == []

    def check_nothing_left(self) -> None:
        """No claim, and no draft of the daemon's own, is left anywhere."""
        for root in self._worktrees():
            assert [str(p) for p in root.glob("agents/*/outbox/.claimed/*")] == []
            assert [str(p) for p in root.rglob(".*.tmp")] == []
        assert sorted(p.name for p in self.home.mailbox.rglob("*.lock")) == []

    def check_mirrors(self) -> None:
        """What was kept up is what would be made from nothing. Ends the daemon, and begins another."""
        kept_up = self.snapshot()
        self.stop()
        self.wipe()
        self.turn()
        made = self.snapshot()
        differ = [f"{path} differs" for path in made.keys() & kept_up.keys() if made[path] != kept_up[path]]
        differ += [f"{path} is missing" for path in made.keys() - kept_up.keys()]
        assert differ + [f"{path} is too much" for path in kept_up.keys() - made.keys()] == []

    def wipe(self) -> None:
        """Remove everything that is derived."""
        shutil.rmtree(self.home.state / "threads", ignore_errors=True)
        shutil.rmtree(self.home.path / "index", ignore_errors=True)
        for root in self._worktrees():
            for folder in (*FOLDERS, "sent"):
                for path in root.glob(f"agents/*/{folder}"):
                    shutil.rmtree(path)
            for name in ("threads", "leases", "files"):
                shutil.rmtree(root / name, ignore_errors=True)
            for name in (".checkpoint", "README.md", "agents.md", ".gitignore"):
                (root / name).unlink(missing_ok=True)

    def snapshot(self) -> dict[str, bytes]:
        """Every mirrored file of every worktree, for comparing a mirror that was kept up with one made from nothing."""
        found = {}
        for root in self._worktrees():
            for path in sorted(root.rglob("*")):
                relative = path.relative_to(root).as_posix()
                ours = not any(part in ("outbox", "rejected") for part in path.parts[len(root.parts) :])
                if path.is_file() and ours and relative != ".checkpoint" and not path.name.endswith(".orig"):
                    found[f"{root.name if root.name != '.gitmaild' else root.parent.name}/{relative}"] = path.read_bytes()
        return found


def _names(directory: Path) -> list[str]:
    return os.listdir(directory) if directory.is_dir() else []
