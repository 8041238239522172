"""What the guard asks git: which paths are touched, and where it stands. Git's own environment for hooks is handed on.

Processes are spawned without `subprocess`, whose import alone costs more than the commit (docs/decisions/0010).
"""

import os

_NAMES = ("-r", "--name-only", "-z", "--no-renames", "--ignore-submodules=none")
# Pushing what joins many lines of history compares with this many of them: more would only clear more paths.
_BOUNDARIES = 16


class GitFailed(Exception):
    """Git did not answer a question that it should have answered."""


class Process:
    """A git that runs, its output in a pipe."""

    def __init__(self, pid: int, fd: int, words: str) -> None:
        self._pid, self._fd, self._words = pid, fd, words

    def ended(self) -> tuple[int, bytes]:
        """Its exit status and what it wrote."""
        with open(self._fd, "rb") as pipe:
            output = pipe.read()
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1]), output

    def answer(self) -> bytes:
        status, output = self.ended()
        if status:
            raise GitFailed(f"{self._words} ended with status {status}")
        return output


class Git:
    """Runs git where the hook was started, with the environment that it was given."""

    def __init__(self, cwd: str, environ: dict[str, str]) -> None:
        self.cwd, self.environ = cwd, {**environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}

    def start(self, *arguments: str, quiet: bool = False, **more: str) -> Process:
        """Start git. Its complaints go to where ours go, unless `quiet`."""
        reading, writing = os.pipe()
        actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, writing, 1),
        ]
        if quiet:
            actions.append((os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0))
        try:
            command = ["git", "-C", self.cwd, *arguments]
            pid = os.posix_spawnp("git", command, {**self.environ, **more}, file_actions=actions)
        except OSError as error:
            os.close(reading)
            raise GitFailed(f"git cannot be started: {error.strerror}") from error
        finally:
            os.close(writing)
        return Process(pid, reading, f"git {arguments[0]}")

    def lines(self, *arguments: str, quiet: bool = False) -> list[str]:
        return os.fsdecode(self.start(*arguments, quiet=quiet).answer()).splitlines()

    def says_yes(self, *arguments: str) -> bool:
        return self.start(*arguments, quiet=True).ended()[0] == 0


class Place:
    """The repository around the hook. `top` is '' in a bare one."""

    def __init__(self, output: bytes, cwd: str) -> None:
        found = os.fsdecode(output).splitlines()
        if len(found) < 2:
            raise GitFailed(f"{cwd} is in no git repository")
        self.git_dir, self.common_dir = found[0], os.path.normpath(os.path.join(cwd, found[1]))
        self.top = found[2] if len(found) > 2 else ""


def start_place(git: Git) -> Process:
    # A bare repository has no top: git fails there after the first two lines.
    return git.start("rev-parse", "--absolute-git-dir", "--git-common-dir", "--show-toplevel", quiet=True)


def start_settings(git: Git) -> Process:
    return git.start("config", "-z", "--get-regexp", r"^(gitmaild\..*|core\.ignorecase)$", quiet=True)


def settings(output: bytes) -> dict[str, str]:
    """The last value of each key, as git takes it; a key without a value is true."""
    pairs = (entry.partition("\n") for entry in os.fsdecode(output).split("\0") if entry)
    return {key: value if line_end else "true" for key, line_end, value in pairs}


def start_staged(git: Git) -> Process:
    return _start_staged(git, "HEAD", quiet=True)


def _start_staged(git: Git, parent: str, *, quiet: bool = False) -> Process:
    # Both names of a rename, and what is deleted; a file that is only intended to be added is not in the commit.
    return git.start("diff-index", "--cached", *_NAMES, "--ita-invisible-in-index", parent, "--", quiet=quiet)


def staged(git: Git, place: Place, first: Process) -> list[str]:
    """Paths that this commit changes; in the commit that concludes a merge, those that differ from every parent."""
    status, output = first.ended()
    if status:
        if git.says_yes("rev-parse", "-q", "--verify", "HEAD^{commit}"):
            raise GitFailed(f"git diff-index ended with status {status}")
        # Before the first commit everything is new.
        output = _start_staged(git, _empty_tree(git)).answer()
    paths = _paths(output)
    for parent in _oids(os.path.join(place.git_dir, "MERGE_HEAD")):
        others = set(_paths(_start_staged(git, parent).answer()))
        paths = [path for path in paths if path in others]
    return paths


def pushed(git: Git, remote: str, lines: list[str]) -> list[str]:
    """Paths that differ from everything that the remote has, by the lines that git gives to pre-push.

    A difference of two ends costs what was changed, however many commits it took. What others have pushed already, and was
    merged here, is no change of the one who pushes.
    """
    paths: dict[str, None] = {}
    for line in lines:
        # From the right: what was pushed may have been named in words.
        _, local, _, theirs = line.rsplit(" ", 3)
        if local.strip("0"):
            paths.update(dict.fromkeys(_pushed(git, remote, local, theirs if theirs.strip("0-") else "")))
    return list(paths)


def _pushed(git: Git, remote: str, local: str, theirs: str) -> list[str]:
    there = [f"--remotes={remote}", theirs] if theirs else [f"--remotes={remote}"]
    new = _boundary(git, local, there)
    if not new:
        # The remote has all of it. A branch that is set back still loses what is in between.
        is_back = (
            theirs
            and git.says_yes("cat-file", "-e", theirs)
            and not git.says_yes("merge-base", "--is-ancestor", theirs, local)
        )
        return _difference(git, theirs, local) if is_back else []
    known = [oid[1:] for oid in new if oid.startswith("-")]
    if not known:
        # A remote that nothing was fetched from: what any other has is not new either.
        new = _boundary(git, local, ["--remotes", *there[1:]])
        known = [oid[1:] for oid in new if oid.startswith("-")] or ([] if not new else [_empty_tree(git)])
    if not known:
        return []
    paths = _difference(git, known[0], local)
    for other in known[1:_BOUNDARIES]:
        others = set(_difference(git, other, local))
        paths = [path for path in paths if path in others]
    return paths


def _boundary(git: Git, local: str, there: list[str]) -> list[str]:
    return git.lines("rev-list", "--boundary", "--ignore-missing", local, "--not", *there)


def updated(git: Git, place: Place, lines: list[str]) -> list[str]:
    """Paths that new commits on branches change, by the lines that git gives to reference-transaction.

    New is what no ref reaches and was not fetched: so pulls, fast-forwards and new branches cost one question.
    """
    moves = [line.split(" ") for line in lines]
    moves = [move for move in moves if len(move) == 3 and move[2].startswith("refs/heads/") and is_oid(move[1])]
    new = [move[1] for move in moves if move[1].strip("0")]
    if not new:
        return []
    known = ["--not", "--all", *_oids(os.path.join(place.git_dir, "FETCH_HEAD"))]
    # -c: of a merge, what differs from every parent.
    shape = ("-c", "--format=", "--name-only", "-z", "--no-renames", "--root", "--no-relative", "--ignore-submodules=none")
    paths = _paths(git.start("log", *shape, "--no-show-signature", "--ignore-missing", *new, *known, "--").answer())
    if paths and all(move[0].strip("0") for move in moves if move[1] in new):
        # An amended commit holds more than the amendment: what its branch has already does not count.
        changed = {path for move in moves if move[1] in new for path in _difference(git, move[0], move[1])}
        paths = [path for path in paths if path in changed]
    return list(dict.fromkeys(paths))


def is_oid(text: str) -> bool:
    return len(text) in (40, 64) and not text.strip("0123456789abcdef")


def _difference(git: Git, old: str, new: str) -> list[str]:
    return _paths(git.start("diff-tree", *_NAMES, old, new, "--").answer())


def _empty_tree(git: Git) -> str:
    return git.lines("hash-object", "-t", "tree", "--stdin")[0]


def _paths(output: bytes) -> list[str]:
    # As the view is read, whatever the locale says of file names.
    return [path.decode("utf-8", "surrogateescape") for path in output.split(b"\0") if path]


def _oids(path: str) -> list[str]:
    """The object ids that stand at the head of a pseudo ref's lines; none where it is not there."""
    try:
        with open(path, errors="replace") as file:
            words = [line.split(None, 1)[0] for line in file if line.strip()]
    except OSError:
        return []
    return [word for word in words if is_oid(word)][:64]
