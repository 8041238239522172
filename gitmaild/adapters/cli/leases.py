"""reserve, renew, release, leases, slot."""

import contextlib
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

import click

from gitmaild import wiring
from gitmaild.adapters.cli.desk import Desk
from gitmaild.adapters.cli.output import columns, fail, say
from gitmaild.adapters.client.rows import Row
from gitmaild.model.errors import MailError, Refused
from gitmaild.model.ids import LEASE_ID
from gitmaild.model.names import OVERSEER
from gitmaild.rules import fields

desk_of = click.make_pass_decorator(Desk)

_POLL = 0.2
# Signals that end this program: its command gets them instead, and ends first.
_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Span(click.ParamType[int]):
    """A time span as drops know it: seconds, or `90m`, `2h`, `1d`."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = value if isinstance(value, int) else fields.span(value)
        if found is None or found <= 0:
            self.fail(f"{value!r} is not a time span above zero; write seconds, or 90m, 2h, 1d", param, ctx)
        return found


@click.command()
@click.argument("patterns", nargs=-1, required=True, metavar="PATTERN...")
@click.option("--ttl", type=Span(), metavar="S", help="For how long: 3600, 90m, 2h. Default: an hour.")
@click.option("--shared", is_flag=True, help="For reading: goes together with other shared leases.")
@click.option("--exclusive", is_flag=True, help="For writing, which is the default.")
@click.option("--reason", default="", metavar="R", help="What for, e.g. an issue id.")
@click.option("--wait", type=Span(), metavar="S", help="Queue for what is held, for so long at most.")
@click.option("--atomic", is_flag=True, help="All or nothing.")
@click.option("--broad", is_flag=True, help="Allow a pattern that means the whole worktree.")
@desk_of
def reserve(desk: Desk, /, *, patterns: tuple[str, ...], shared: bool, exclusive: bool, **options: Any) -> None:
    """Reserve paths, so that nobody else commits to them. Status 1 where something is held by somebody else.

    A plain path is that file, or all below that directory; wildcards (*, ?, [..], {a,b}, **) name files.

    \b
    Examples:
      gitmaild reserve 'src/api/**/*.py' 'tests/api/**/*.py' --ttl 1h --reason br-123
      gitmaild reserve README.md --shared
      gitmaild reserve src/api/routes.py --wait 3600
    """
    if shared and exclusive:
        raise click.UsageError("--shared and --exclusive exclude each other")
    _reserve(desk, "reserve", patterns, shared=shared, **options)


def _reserve(desk: Desk, command: str, things: tuple[str, ...], **options: Any) -> None:
    """Ask for leases and say what became of it; ends the process with status 1 or 3 unless all was granted."""
    answer = desk.order(command, _asked(command, things, **options))
    lines = [*map(_granted, answer.granted), *map(_conflict, answer.conflicts), *_way_out(answer, command)]
    desk.answer(answer, "\n".join(lines))
    if answer.status == "waiting":
        raise click.exceptions.Exit(3)
    if answer.status != "granted":
        raise click.exceptions.Exit(1)


def _asked(
    command: str,
    things: tuple[str, ...],
    *,
    shared: bool = False,
    ttl: int | None = None,
    reason: str = "",
    wait: int | None = None,
    **more: bool,
) -> dict[str, Any]:
    given = {"ttl_seconds": ttl, "wait_seconds": wait, "exclusive": not shared, "reason": reason}
    return given | more | {"paths" if command == "reserve" else "slots": things}


def _granted(row: Row) -> str:
    mode = "" if row["exclusive"] else ", shared"
    return f"granted: {row.get('pattern') or row.get('slot')} until {_clock(row['expires'])}{mode} ({row['id']})"


def _conflict(row: Row) -> str:
    held = "wanted first" if "waiting" in row else "held"
    both = f"; both would have {row['witness']}" if row["witness"] else ""
    why = f": {' '.join(row['reason'].split())}" if row["reason"] else ""
    return (
        f"conflict: {row['pattern']} is {held} by {row['holder']} ({row['holds']}{both}) until {_clock(row['expires'])}{why}"
    )


def _way_out(value: Row, command: str) -> list[str]:
    """What to do about conflicts over paths or slots, as commands."""
    conflicts = value["conflicts"]
    if value["status"] == "waiting":
        return [f"waiting: number {value['position']} in the queue; the grant comes by mail: gitmaild wait"]
    if not conflicts:
        return []
    pattern, holder = conflicts[0]["pattern"], conflicts[0]["holder"]
    on_paths = command == "reserve"
    ask = f"gitmaild {'reserve' if on_paths else 'slot acquire'} {shlex.quote(pattern)}"
    may_i = shlex.quote(f"May I have {pattern}?")
    return [
        "options:",
        f"  1. queue for it: {ask} --wait 3600",
        f"  2. take {'other files' if on_paths else 'another'}, or ask {holder}: "
        f"gitmaild send --to {holder} --subject {may_i}",
        f"  3. share it, where {holder} shares it too: {ask} --shared",
    ]


def _clock(stamp: object) -> str:
    return str(stamp)[:19].replace("T", " ") + " UTC"


@click.command()
@click.argument("what", nargs=-1, metavar="[LEASE|PATTERN]...")
@click.option("--extend", type=Span(), metavar="S", help="By how much. Default: a whole term from now.")
@desk_of
def renew(desk: Desk, *, what: tuple[str, ...], extend: int | None) -> None:
    """Keep leases for longer: those that are named, or all of yours.

    \b
    Examples:
      gitmaild renew
      gitmaild renew 'src/api/**' --extend 1800
    """
    _told(desk, desk.order("renew", _named(what) | {"extend_seconds": extend}))


def _named(what: tuple[str, ...]) -> dict[str, Any]:
    ids = tuple(word for word in what if LEASE_ID.fullmatch(word))
    paths = tuple(word for word in what if word not in ids)
    return {key: names for key, names in (("leases", ids), ("paths", paths)) if names}


def _told(desk: Desk, answer: Row) -> None:
    verb, rows = answer.status, answer.leases
    lines = [f"{verb}: {row.get('pattern') or row.get('slot')} until {_clock(row['expires'])} ({row['id']})" for row in rows]
    if verb == "released":
        lines = [f"released: {row.get('pattern') or row.get('slot')} ({row['id']})" for row in rows]
        lines.append(f"{len(rows)} lease{'' if len(rows) == 1 else 's'} released")
        withdrawn = answer.get("withdrawn", 0)
        lines += [f"{withdrawn} request{'' if withdrawn == 1 else 's'} taken out of the queue"] if withdrawn else []
    lines += [
        f"not renewed, since somebody waits for it: {row.get('pattern') or row.get('slot')}"
        for row in answer.get("wanted", ())
    ]
    desk.answer(answer, "\n".join(lines))


@click.command()
@click.argument("what", nargs=-1, metavar="[PATTERN|LEASE]...")
@click.option("--force", is_flag=True, help="End somebody else's lease. Overseer only, and with --why.")
@click.option("--why", default="", metavar="R", help="What the holder is told.")
@desk_of
def release(desk: Desk, *, what: tuple[str, ...], force: bool, why: str) -> None:
    """Let go of leases, and of places in the queue: those that are named, or all of yours.

    \b
    Examples:
      gitmaild release
      gitmaild release 'src/ui/**'
      gitmaild release --force lease_20261122_7b3dc3a7c0de --why 'RedCat is gone'
    """
    if force and not (what and why):
        raise click.UsageError("--force takes the leases to end, and --why")
    agent = OVERSEER if force and not desk.chosen_name else ""
    _told(desk, desk.order("release", _named(what) | {"reason": why}, agent=agent))


@click.command()
@click.option("--mine", is_flag=True, help="Yours only.")
@click.option("--all", "ended", is_flag=True, help="Those that were released or expired as well, newest first.")
@click.option("--soon", type=Span(), metavar="S", help="Only those that end within so long.")
@click.option("--reason", default="", metavar="R", help="Only those whose reason holds this.")
@click.option("--limit", type=click.IntRange(1, 10**9), default=100, show_default=True)
@desk_of
def leases(desk: Desk, *, mine: bool, ended: bool, soon: int | None, reason: str, limit: int) -> None:
    """List who holds what, until when, and who waits.

    \b
    Examples:
      gitmaild leases
      gitmaild leases --mine --soon 300 --json
      gitmaild leases --all --reason br-123
    """
    found = desk.ask("leases", {"mine": mine, "ended": ended, "soon": soon, "reason": reason, "limit": limit})
    waiting = desk.ask("waiting", {}) if not (mine or soon or reason) else []
    if desk.as_json:
        desk.answer(found, "")
        return
    if not found and not waiting:
        say("nothing is held")
    columns([_listed(row) for row in found])
    columns([_queued(row) for row in waiting])


def _queued(row: Row) -> tuple[str, ...]:
    return ("waiting", row["holder"], row["things"], f"until {_clock(row['until'])}", row["reason"])


def _listed(row: Row) -> tuple[str, ...]:
    mode = "exclusive" if row["exclusive"] else "shared"
    until = f"until {_clock(row['expires'])}" if row["state"] == "active" else f"{row['state']} {_clock(row['ended'])}"
    soon = " (soon)" if row.get("expires_soon") else ""
    return (row["id"], row["holder"], mode, f"{until}{soon}", row.get("pattern") or f"slot {row.get('slot')}", row["reason"])


@click.group()
def slot() -> None:
    """Build slots: leases on a name instead of paths.

    \b
    Examples:
      gitmaild slot run frontend-build -- make
      gitmaild slot acquire frontend-build --ttl 30m
    """


@slot.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--ttl", type=Span(), metavar="S", help="For how long. Default: an hour.")
@click.option("--shared", is_flag=True, help="Goes together with other shared holders.")
@click.option("--reason", default="", metavar="R")
@click.option("--wait", type=Span(), metavar="S", help="Queue for it, for so long at most.")
@desk_of
def acquire(desk: Desk, /, *, names: tuple[str, ...], shared: bool, **options: Any) -> None:
    """Take a slot. Status 1 where somebody else has it.

    \b
    Example:
      gitmaild slot acquire frontend-build --ttl 30m
    """
    _reserve(desk, "acquire_slot", names, shared=shared, **options)


@slot.command("renew")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--extend", type=Span(), metavar="S", help="By how much. Default: a whole term from now.")
@desk_of
def renew_slot(desk: Desk, *, names: tuple[str, ...], extend: int | None) -> None:
    """Keep a slot for longer.

    \b
    Example:
      gitmaild slot renew frontend-build --extend 1800
    """
    _told(desk, desk.order("renew_slot", {"slots": names, "extend_seconds": extend}))


@slot.command("release")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@desk_of
def release_slot(desk: Desk, *, names: tuple[str, ...]) -> None:
    """Give a slot back.

    \b
    Example:
      gitmaild slot release frontend-build
    """
    _told(desk, desk.order("release_slot", {"slots": names}))


@slot.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("name")
@click.option("--ttl", type=Span(), default=900, show_default=True, metavar="S", help="For how long at a time.")
@click.option("--wait", type=Span(), metavar="S", help="Wait for the slot, for so long at most.")
@click.option("--reason", default="", metavar="R")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- CMD...")
@desk_of
def run(desk: Desk, *, name: str, ttl: int, wait: int | None, reason: str, command: tuple[str, ...]) -> None:
    """Run CMD while holding the slot: renewed as long as CMD runs, released at its end, whatever the end.

    Ends with CMD's own status. Where this program is killed, the slot is free after --ttl seconds. Where somebody else waits
    for the slot, it is not renewed beyond its first term, and a warning says so: choose a --ttl that CMD can keep.

    \b
    Example:
      gitmaild slot run frontend-build -- npm run build
    """
    words = command[1:] if command[0] == "--" else command
    if not words or words[0].startswith("-"):
        raise click.UsageError("say which command, behind --; options stand before the slot's name")
    children: list[subprocess.Popen[bytes]] = []
    with _signals_go_to(children):
        _take_slot(desk, name, ttl=ttl, wait=wait, reason=reason)
        status = 70
        try:
            status = _run_holding(desk, name, ttl, words, children)
        finally:
            _give_back(desk, name)
    raise click.exceptions.Exit(status)


def _take_slot(desk: Desk, name: str, *, ttl: int, wait: int | None, reason: str) -> None:
    """Hold the slot, or end: status 1 where somebody else has it, after waiting for it where that was asked for."""
    answer = desk.order("acquire_slot", _asked("acquire_slot", (name,), ttl=ttl, wait=wait, reason=reason))
    status = answer.status
    if status == "waiting":
        status = "granted" if _wait_for(desk, name, wait or 0) else "conflict"
    if status != "granted":
        held = answer.conflicts[0]
        fail(1, f"slot {name} is held by {held['holder']} until {_clock(held['expires'])}")
        raise click.exceptions.Exit(1)


def _wait_for(desk: Desk, name: str, seconds: int) -> bool:
    """True once the slot is ours, False where it was not within so long."""
    until = time.monotonic() + seconds + 1
    while time.monotonic() < until:
        with contextlib.suppress(MailError, OSError):
            # Where no daemon runs, nobody else would end a lease and hand it on.
            wiring.serve_once(desk.home, desk.environment, [])
        own = desk.ask("leases", {"mine": True})
        if any(row.get("slot") == name for row in own):
            return True
        time.sleep(_POLL)
    return False


@contextlib.contextmanager
def _signals_go_to(children: list[subprocess.Popen[bytes]]) -> Iterator[None]:
    """What would end this program goes to its child instead; before there is one, it ends this program in good order."""

    def pass_on(number: int, _: FrameType | None) -> None:
        if not children:
            raise click.exceptions.Exit(128 + number)
        children[0].send_signal(number)

    previous = [(number, signal.signal(number, pass_on)) for number in _PASSED_ON]
    try:
        yield
    finally:
        for number, handler in previous:
            signal.signal(number, handler)


def _run_holding(desk: Desk, name: str, ttl: int, command: tuple[str, ...], children: list[subprocess.Popen[bytes]]) -> int:
    try:
        children.append(subprocess.Popen(command))
    except OSError as error:
        return fail(127, f"{command[0]}: {error.strerror or error}")
    done = threading.Event()
    keeper = threading.Thread(target=_keep, args=(desk, name, ttl, done), daemon=True)
    keeper.start()
    try:
        status = children[0].wait()
    finally:
        done.set()
        keeper.join()
    return status if status >= 0 else 128 - status


def _keep(desk: Desk, name: str, ttl: int, done: threading.Event) -> None:
    """Renew the slot at every third of its term, until `done`."""
    while not done.wait(ttl / 3):
        try:
            desk.order("renew_slot", {"slots": (name,)})
        except (Refused, MailError, OSError, click.exceptions.Exit) as error:
            sys.stderr.write(f"gitmaild: slot {name} was not renewed: {error}\n")


def _give_back(desk: Desk, name: str) -> None:
    try:
        desk.order("release_slot", {"slots": (name,)})
    except (Refused, MailError, OSError, click.exceptions.Exit) as error:
        sys.stderr.write(f"gitmaild: slot {name} was not released: {error}\n")
