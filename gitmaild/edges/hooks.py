"""The guard's hooks in a user's repository: beside what is there, and gone again without a trace.

A hook that was there before is kept byte for byte as `<event>.before-gitmaild` and run by ours. Whether a hook is ours, and
as we wrote it, is said by a digest in its second line, whatever version wrote it: an edited one is nobody's to delete.
Where another program rules the hooks (husky, lefthook, a hooks path of all repositories), its file is for the user to
change, and the very lines are said.
"""

import os
import re
import secrets
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gitmaild.edges import disk
from gitmaild.edges.hookfile import append_line, drop_line, is_edited, is_ours, is_there, read, same, text_of
from gitmaild.model.errors import MailError, refuse

PRE_COMMIT, PRE_PUSH, STRICT = "pre-commit", "pre-push", "reference-transaction"
EVENTS = (PRE_COMMIT, PRE_PUSH, STRICT)
KEPT = ".before-gitmaild"
_HOOK_RUN, _CONFIG_HOOKS = (2, 36), (2, 54)
_LEFTHOOK = ("lefthook.yml", "lefthook.yaml", ".lefthook.yml", ".lefthook.yaml", "lefthook.toml", "lefthook.json")
# For files that a team shares: where gitmaild is not installed, there is nothing to ask.
_LINE = '! command -v gitmaild-guard >/dev/null 2>&1 || gitmaild-guard %s "$@" || exit 1'


class GitRefused(MailError):
    """Git did not do what it was asked in the user's repository."""

    code = "git"


@dataclass(frozen=True, slots=True)
class Todo:
    """Lines that a person must add to a file."""

    file: str
    text: str


@dataclass(frozen=True, slots=True)
class Installed:
    """What was done. `way` is hooks, config, husky or lefthook; `todo` is what is left for a person."""

    way: str
    changed: bool
    paths: list[str]
    kept: list[str] = field(default_factory=list)
    todo: list[Todo] = field(default_factory=list)
    note: str = ""


@dataclass(frozen=True, slots=True)
class EventState:
    """`is_proven`: git ran the hook, and ours answered; None where asking would run what is somebody else's."""

    event: str
    state: str  # installed, edited, chained, absent
    path: str
    kept: str
    is_proven: bool | None


class Hooks:
    """The hooks of the repository around `place`. `version` is git's, asked of git where it is not given."""

    def __init__(
        self, place: Path, stub: bytes, environment: Mapping[str, str], *, version: tuple[int, ...] | None = None
    ) -> None:
        self._place, self._stub = place, stub
        self._environment = {k: v for k, v in environment.items() if not k.startswith("GIT_") or k.startswith("GIT_CONFIG")}
        try:
            self.common = Path(place, self._git("rev-parse", "--git-common-dir")).resolve()
            self.top = Path(place, self._git("rev-parse", "--show-toplevel", default=str(self.common)))
        except GitRefused as error:
            raise refuse("no-repository", f"{place} is in no git repository", "name one with --repo DIR") from error
        self.version = version or _version(self._git("version"))
        # Relative paths of core.hooksPath start where git runs hooks: at the top.
        self.directory = Path(self.top, self._git("-C", str(self.top), "rev-parse", "--git-path", "hooks"))

    # --- install

    def install(self, *, strict: bool = False, pre_push: bool = True, write: bool = False) -> Installed:
        """Put the guard in the way of these events, and take it out of the others. May be repeated.

        Raises `Refused` where the hooks of all repositories are in one directory, or a hook of ours was edited.
        """
        events = [PRE_COMMIT, *([PRE_PUSH] if pre_push else []), *([STRICT] if strict else [])]
        if self.version >= _CONFIG_HOOKS:
            return self._install_config(events)
        scope, path = self._hooks_path()
        if scope in ("global", "system", "command"):
            lines = "; ".join(_LINE % event for event in events)
            raise refuse(
                "foreign-hooks-path",
                f"core.hooksPath is {path!r} for all repositories ({scope}), and a hook there would guard them all",
                f"add to the {events[0]} hook there: {lines}",
            )
        if (self.top / ".husky").is_dir():
            return self._install_husky([event for event in events if event != STRICT], write=write)
        if found := self._lefthook():
            return self._install_lefthook(found, [event for event in events if event != STRICT], write=write)
        return self._install_files(events)

    def _install_files(self, events: Sequence[str]) -> Installed:
        for event in EVENTS:
            self._check_unedited(event)
        self.directory.mkdir(parents=True, exist_ok=True)
        changed = [self._put(event) for event in events]
        changed += [self._take(event) for event in EVENTS if event not in events]
        kept = [str(self._kept(event)) for event in events if is_there(self._kept(event))]
        is_tracked = self.directory.is_relative_to(self.top) and not self.directory.is_relative_to(self.common)
        note = f"{self.directory} is in the worktree: the hooks hold paths of this machine, do not commit them"
        paths = [str(self.directory / event) for event in events]
        return Installed("hooks", any(changed), paths, kept, note=note if is_tracked else "")

    def _put(self, event: str) -> bool:
        """Write the hook; keep a foreign one. At every instant one of them is there."""
        path, kept = self.directory / event, self._kept(event)
        if is_there(path) and not is_ours(read(path)):
            if is_there(kept) and read(kept) != read(path):
                raise refuse(
                    "two-hooks",
                    f"both {path} and {kept} are somebody else's",
                    f"make one of them, as {path}, and delete the other",
                )
            kept.unlink(missing_ok=True)
            same(path, kept)
            self._drop_legacy(event)
        elif is_there(path) and read(path) == self._stub and os.access(path, os.X_OK):
            return False
        disk.replace(path, self._stub, mode=0o755)
        return True

    # --- remove

    def remove(self) -> Installed:
        """Take every hook of ours away, and put back what was there before, bytes and mode.

        Raises `Refused`, having changed nothing, where one of ours was edited.
        """
        for event in EVENTS:
            self._check_unedited(event)
        changed = [self._take(event) for event in EVENTS]
        changed += [self._remove_config(), self._remove_lines()]
        left = [str(self._kept(event)) for event in EVENTS if is_there(self._kept(event))]
        note = f"left where it was, since another hook stands before it: {', '.join(left)}" if left else ""
        return Installed("hooks", any(changed), [], left, note=note)

    def _take(self, event: str) -> bool:
        path, kept = self.directory / event, self._kept(event)
        moved = self._drop_legacy(event)
        if is_there(path) and is_ours(read(path)):
            if is_there(kept):
                kept.replace(path)
            else:
                path.unlink()
            return True
        if is_there(kept) and is_there(path) and read(kept) == read(path):
            kept.unlink()
        return moved

    def _drop_legacy(self, event: str) -> bool:
        """Delete the hook of ours that pre-commit, the framework, moved aside when it put itself before us."""
        legacy = self.directory / f"{event}.legacy"
        moved = is_there(legacy) and is_ours(read(legacy))
        if moved:
            legacy.unlink()
        return moved

    def _check_unedited(self, event: str) -> None:
        for path in (self.directory / event, self.directory / f"{event}.legacy"):
            if is_there(path) and is_edited(read(path)):
                raise refuse(
                    "edited-hook",
                    f"somebody edited {path} since gitmaild wrote it",
                    "move what was added into a file of its own and delete the hook, then try again",
                )

    # --- git's own hooks in the configuration (2.54)

    def _install_config(self, events: Sequence[str]) -> Installed:
        stub = self.common / "gitmaild-guard"
        changed = not stub.exists() or stub.read_bytes() != self._stub
        if changed:
            disk.replace(stub, self._stub, mode=0o755)
        for event in EVENTS:
            name = _config_name(event)
            command = f"GITMAILD_GUARD_EVENT={event} {shlex.quote(str(stub))}"
            wanted = {f"{name}.command": command, f"{name}.event": event} if event in events else {}
            if self._config(name) != wanted:
                changed = True
                self._drop_section(name)
                for key, value in wanted.items():
                    self._git("config", "--local", "--add", key, value)
        # What an older git needed would now ask a second time.
        changed = any([self._take(event) for event in EVENTS]) or changed
        return Installed("config", changed, [str(stub)])

    def _remove_config(self) -> bool:
        stub, names = self.common / "gitmaild-guard", [_config_name(event) for event in EVENTS]
        there = [name for name in names if self._config(name)]
        for name in there:
            self._drop_section(name)
        if stub.exists() and is_ours(stub.read_bytes()):
            stub.unlink()
        return bool(there)

    def _config(self, name: str) -> dict[str, str]:
        text = self._git("config", "--local", "-z", "--get-regexp", f"^{re.escape(name)}\\.", default="")
        return {key: value for key, _, value in (entry.partition("\n") for entry in text.split("\0") if entry)}

    def _drop_section(self, name: str) -> None:
        self._git("config", "--local", "--remove-section", name, default="")

    # --- hook managers

    def _install_husky(self, events: Sequence[str], *, write: bool) -> Installed:
        wanted = [Todo(str(self.top / ".husky" / event), _LINE % event) for event in events]
        missing = [todo for todo in wanted if todo.text not in text_of(Path(todo.file)).splitlines()]
        if write:
            for todo in missing:
                append_line(Path(todo.file), todo.text)
        paths = [todo.file for todo in wanted if write or todo not in missing]
        return Installed("husky", bool(missing) and write, paths, todo=[] if write else missing)

    def _lefthook(self) -> Path | None:
        return next((self.top / name for name in _LEFTHOOK if (self.top / name).is_file()), None)

    def _install_lefthook(self, file: Path, events: Sequence[str], *, write: bool) -> Installed:
        """Written only to YAML that has no such section yet: to put a job into one that is there is for its owner."""
        missing = [event for event in events if f"gitmaild-guard {event}" not in text_of(file)]
        safe = [
            e for e in missing if file.suffix in (".yml", ".yaml") and not re.search(rf"(?m)^['\"]?{e}\b", text_of(file))
        ]
        written = safe if write else []
        for event in written:
            append_line(file, _lefthook_job(event))
        todo = [Todo(str(file), _lefthook_job(event)) for event in missing if event not in written]
        return Installed("lefthook", bool(written), [str(file)] if not todo else [], todo=todo)

    def _remove_lines(self) -> bool:
        husky = [drop_line(self.top / ".husky" / event, _LINE % event) for event in (PRE_COMMIT, PRE_PUSH)]
        file = self._lefthook()
        lefthook = [drop_line(file, _lefthook_job(event)) for event in (PRE_PUSH, PRE_COMMIT)] if file else []
        return any([*husky, *lefthook])

    # --- status

    def state(self) -> list[EventState]:
        """How it stands with each event. Where git runs our hook first, git is asked to run it, and ours must answer."""
        return [self._event_state(event) for event in EVENTS]

    def _event_state(self, event: str) -> EventState:
        path, kept = self.directory / event, self._kept(event)
        stub = self.common / "gitmaild-guard"
        before = str(kept) if is_there(kept) else ""
        if self._config(_config_name(event)):
            # A hook that is turned off is listed with a word to that effect.
            listed = self._git("hook", "list", event, default="").splitlines()
            is_listed = _config_name(event).partition(".")[2] in listed
            command = ["env", f"GITMAILD_GUARD_EVENT={event}", str(stub)]
            return EventState(event, "installed", str(stub), "", is_listed and self._answers(command))
        if is_there(path) and is_ours(read(path)):
            state = "edited" if is_edited(read(path)) else "installed"
            command = ["git", "hook", "run", event] if self.version >= _HOOK_RUN else [str(path)]
            return EventState(event, state, str(path), before, self._answers(command))
        for file, text in self._lines(event):
            if text in text_of(file):
                return EventState(event, "chained", str(file), before, None)
        legacy = path.with_name(f"{event}.legacy")
        if is_there(legacy) and is_ours(read(legacy)):
            return EventState(event, "chained", str(legacy), before, None)
        return EventState(event, "absent", "", before, False)

    def _lines(self, event: str) -> list[tuple[Path, str]]:
        file = self._lefthook()
        husky = [(self.top / ".husky" / event, _LINE % event)]
        return husky + ([(file, f"gitmaild-guard {event}")] if file else [])

    def _answers(self, command: Sequence[str]) -> bool:
        token = secrets.token_hex(8)
        try:
            done = subprocess.run(
                command,
                cwd=self.top,
                env={**self._environment, "GITMAILD_GUARD_PROBE": token},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=30,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return f"gitmaild-guard {token}\n".encode() in done.stdout

    # --- below

    def _kept(self, event: str) -> Path:
        return self.directory / f"{event}{KEPT}"

    def _hooks_path(self) -> tuple[str, str]:
        """(scope, value) of core.hooksPath; two empty words where there is none."""
        said = self._git("config", "--show-scope", "--get", "core.hooksPath", default="")
        scope, _, value = said.partition("\t")
        return scope, value

    def _git(self, *arguments: str, default: str | None = None) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self._place,
            env=self._environment,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
        )
        if done.returncode and default is None:
            raise GitRefused(f"git {' '.join(arguments[:2])}: {done.stderr.strip()}")
        return default if done.returncode and default is not None else done.stdout.removesuffix("\n")


def superproject(place: Path, environment: Mapping[str, str]) -> Path | None:
    """The worktree that `place` is a submodule of."""
    done = subprocess.run(
        ["git", "rev-parse", "--show-superproject-working-tree"],
        cwd=place,
        env={k: v for k, v in environment.items() if not k.startswith("GIT_") or k.startswith("GIT_CONFIG")},
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
    )
    return Path(done.stdout.removesuffix("\n")) if not done.returncode and done.stdout else None


def _version(text: str) -> tuple[int, ...]:
    found = re.search(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0,)


def _config_name(event: str) -> str:
    return "hook.gitmaild-guard" if event == PRE_COMMIT else f"hook.gitmaild-guard-{event}"


def _lefthook_job(event: str) -> str:
    stdin = "\n      use_stdin: true" if event == PRE_PUSH else ""
    arguments = " {0}" if event == PRE_PUSH else ""
    run = f"command -v gitmaild-guard >/dev/null 2>&1 || exit 0; gitmaild-guard {event}{arguments}"
    return f"{event}:\n  jobs:\n    - name: gitmaild\n      run: {run}{stdin}"
