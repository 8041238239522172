"""The guard's way through: settings, view, who commits, which paths, the judgement; then words, and an exit status.

It changes nothing in the repository but its trace of passes. What it cannot know, it blocks, and names the ways out.
"""

import io
import os
import stat
import sys
import time

from gitmaild.adapters.guard import passes, repository, words
from gitmaild.adapters.guard.repository import Git, GitFailed, Place
from gitmaild.model.leaseview import Torn, View, parse
from gitmaild.rules.guard import Judgement, judge

TYPE_CHECKING = False  # importing `typing` costs as much as all the rest
if TYPE_CHECKING:
    from typing import BinaryIO, TextIO

EVENTS = ("pre-commit", "pre-push", "reference-transaction", "check")
_LARGEST = 1 << 26
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Blind(Exception):
    """There is no view to decide by."""


class Gate:
    """Where the guard stands, and by what it decides."""

    __slots__ = ("age", "bypass", "event", "fold", "is_warning", "notes", "prefix", "stamp", "view", "who")

    def __init__(self, event: str, environ: dict[str, str], known: dict[str, str], place: Place, now: float) -> None:
        self.event, self.bypass, self.notes = event, words.bypass(event, environ), list[str]()
        self.is_warning = _is_warning(environ, self.notes)
        self.prefix = known.get("gitmaild.prefix", "")
        self.fold = known.get("core.ignorecase", "").lower() in ("true", "yes", "on", "1")
        self.stamp = stamp(now)
        tops = _tops(place, self.prefix)
        self.view, modified = _view(_view_paths(environ, known, tops))
        self.age = max(now - modified, 0.0)
        self.who = _who(environ, known.get("gitmaild.agent", ""), tops[:1], self.view, self.notes)

    def judge(self, paths: list[str]) -> Judgement:
        """Raises `Torn`."""
        within = [self.prefix + path for path in paths] if self.prefix else paths
        return judge(self.view, within, who=self.who, stamp=self.stamp, fold=self.fold)


def run(argv: list[str] | None = None) -> None:
    """The process: what a hook, a hook manager or the command `gitmaild-guard` starts."""
    arguments = sys.argv[1:] if argv is None else argv
    environ, stdin, now = dict(os.environ), sys.stdin.buffer, time.time()  # noqa: TID251 - the guard is wired here
    if not arguments and "PRE_COMMIT_TO_REF" in environ:
        # pre-commit, the framework, says in its environment what git says on standard input.
        names = ("LOCAL_BRANCH", "TO_REF", "REMOTE_BRANCH", "FROM_REF")
        line = " ".join(environ.get(f"PRE_COMMIT_{name}") or "-" for name in names)
        arguments, stdin = ["pre-push", environ.get("PRE_COMMIT_REMOTE_NAME", "")], io.BytesIO(os.fsencode(line))
    status = main(arguments, environ=environ, cwd=os.getcwd(), stdin=stdin, stderr=sys.stderr, now=now)
    sys.stdout.flush()
    sys.stderr.flush()
    # Without taking the interpreter apart first, which costs 1 ms.
    os._exit(status)


def main(argv: list[str], *, environ: dict[str, str], cwd: str, stdin: "BinaryIO", stderr: "TextIO", now: float) -> int:
    """0: the commit may go on. 1: it may not, and stderr says why and what to do. 64: called wrongly."""
    event, *arguments = argv or ["pre-commit"]
    if environ.get("GITMAILD_GUARD_PROBE"):
        sys.stdout.write(f"gitmaild-guard {environ['GITMAILD_GUARD_PROBE']}\n")
        return 0
    if event not in EVENTS:
        stderr.write(f"gitmaild-guard: no event {event[:40]!r}; it is one of {', '.join(EVENTS)}\n")
        return 64
    if event == "reference-transaction" and (arguments[:1] != ["prepared"] or _is_warning(environ, [])):
        # Warnings are for pre-commit; here is the place to refuse.
        return 0
    git = Git(cwd, environ)
    try:
        lines, status = _decide(git, event, arguments, stdin, now)
    except (Blind, Torn, GitFailed, OSError) as problem:
        is_warning = _is_warning(environ, [])
        lines = words.blind(str(problem), words.bypass(event, environ), is_warning=is_warning)
        status = 0 if is_warning else 1
    stderr.write("".join(f"{line}\n" for line in lines))
    return status


def _decide(git: Git, event: str, arguments: list[str], stdin: "BinaryIO", now: float) -> tuple[list[str], int]:
    asked = [repository.start_settings(git), repository.start_place(git)]
    if event == "pre-commit":
        # All at once: git and this process have a core each.
        asked.append(repository.start_staged(git))
    answers = [process.ended()[1] for process in asked[:2]]
    known = repository.settings(answers[0])
    if not known.get("gitmaild.project"):
        for process in asked[2:]:
            process.ended()
        return [], 0
    place = Place(answers[1], git.cwd)
    if event == "pre-commit":
        paths = repository.staged(git, place, asked[2])
    elif event == "check":
        paths = [within(place, git.cwd, path) for path in arguments]
    else:
        lines = stdin.read().decode("utf-8", "surrogateescape").splitlines()
        if event == "pre-push":
            paths = repository.pushed(git, arguments[0] if arguments else "", lines)
        else:
            paths = repository.updated(git, place, lines)
    if not paths:
        return [], 0
    gate = Gate(event, git.environ, known, place, now)
    said = gate.judge(paths)
    if event == "pre-commit" and (said.is_holder or (said.blocked and gate.is_warning)):
        passes.leave(git, place, f"{gate.who or '-'} {'warned' if said.blocked else 'holder'}")
    return words.spoken(gate, said, now), 1 if said.blocked and not gate.is_warning else 0


def check(paths: list[str], environ: dict[str, str], cwd: str, now: float) -> tuple[Gate, Judgement] | None:
    """The same question before an edit; None where the guard has no say. Raises `Blind`, `Torn` or `GitFailed`."""
    git = Git(cwd, environ)
    asked = [repository.start_settings(git), repository.start_place(git)]
    known, place = repository.settings(asked[0].ended()[1]), asked[1].ended()[1]
    if not known.get("gitmaild.project"):
        return None
    found = Place(place, cwd)
    gate = Gate("check", environ, known, found, now)
    return gate, gate.judge([within(found, cwd, path) for path in paths])


def within(place: Place, cwd: str, path: str) -> str:
    """`path` as git names it: from the top of the worktree. Raises `GitFailed` for one that lies outside."""
    above, name = os.path.split(os.path.join(os.path.realpath(cwd), path).rstrip("/"))
    # Not through the last component: a symlink is a file of the worktree like others.
    full = os.path.normpath(os.path.join(os.path.realpath(above), name))
    top = os.path.realpath(place.top)
    if not place.top or not full.startswith(top + "/"):
        raise GitFailed(f"{path!r} is not in the worktree {place.top or place.git_dir}")
    return full[len(top) + 1 :]


def stamp(now: float) -> str:
    """`now` as the view writes times."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1_000_000):06d}Z"


def _is_warning(environ: dict[str, str], notes: list[str]) -> bool:
    for name in ("GITMAILD_GUARD_MODE", "AGENT_MAIL_GUARD_MODE"):
        mode = environ.get(name, "")
        if mode not in ("", "block", "warn"):
            notes.append(f"{name} is {mode[:40]!r}, which is neither block nor warn: the guard blocks")
        if mode:
            return mode == "warn"
    return False


def _tops(place: Place, prefix: str) -> list[str]:
    """The worktrees whose desk roots may stand in for the home: this one, or what a submodule lies in; the main one."""
    tops = []
    if place.top:
        is_within = prefix and f"{place.top}/".endswith(f"/{prefix}")
        tops.append(place.top[: -len(prefix)] if is_within else place.top)
    if place.common_dir.endswith("/.git"):
        tops.append(place.common_dir[: -len("/.git")])
    return list(dict.fromkeys(tops))


def _view_paths(environ: dict[str, str], known: dict[str, str], tops: list[str]) -> list[str]:
    given = known.get("gitmaild.home") or environ.get("GITMAILD_HOME") or environ.get("STORAGE_ROOT")
    home = given or os.path.join(environ.get("HOME", "/"), ".gitmaild")
    return [f"{home}/state/leases/{known['gitmaild.project']}", *(f"{top}/.gitmaild/leases/.view" for top in tops)]


def _view(paths: list[str]) -> tuple[View, float]:
    """The first view that can be read, and when it was touched last. Raises `Blind`; `Torn` names the file."""
    for path in paths:
        try:
            fd = os.open(path, _READ)
        except OSError:
            continue
        with open(fd, "rb") as file:
            about = os.fstat(fd)
            if not stat.S_ISREG(about.st_mode):
                continue
            data = file.read(_LARGEST)
        try:
            return parse(data), about.st_mtime
        except Torn as error:
            raise Torn(f"the lease view {path} is torn: {error}") from error
    raise Blind(f"there is no lease view that can be read: {', '.join(paths)}")


def _who(environ: dict[str, str], configured: str, tops: list[str], view: View, notes: list[str]) -> str:
    """Who commits; '' for a person. A name that nobody registered is told, and counts as none."""
    given = (("GITMAILD_AGENT", environ.get("GITMAILD_AGENT")), ("AGENT_NAME", environ.get("AGENT_NAME")))
    source, name = next(((source, name) for source, name in given if name), ("git config gitmaild.agent", configured))
    if not name:
        source, name = "the desk here", _only_desk(tops)
    if not name or name in view.agents or any(row.holder == name for row in view.rows):
        return name
    if name != "Overseer":
        notes.append(f"{source} says {name[:60]!r}, who is not registered in this project: the guard takes you for a person")
    return ""


def _only_desk(tops: list[str]) -> str:
    try:
        desks = [entry.name for top in tops for entry in os.scandir(f"{top}/.gitmaild/agents") if entry.is_dir()]
    except OSError:
        return ""
    desks = [name for name in desks if name not in ("Overseer", "Postmaster") and not name.startswith(".")]
    return desks[0] if len(desks) == 1 else ""
