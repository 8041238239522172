"""init, serve, status, log, rebuild."""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from gitmaild import wiring
from gitmaild.adapters.cli.desk import Desk
from gitmaild.adapters.cli.output import fail, say, say_json
from gitmaild.model.drop import is_drop

desk_of = click.make_pass_decorator(Desk)

# How long `init` and `rebuild` wait for a running daemon to notice.
_PATIENCE = 20.0


@click.command()
@click.argument("worktree", required=False, type=click.Path(exists=True, file_okay=False, resolve_path=True))
@click.option("--project", "slug", default="", metavar="SLUG", help="Default: the repository's name.")
@click.option("--join", is_flag=True, help="This is a second clone of a project that is here already.")
@desk_of
def init(desk: Desk, *, worktree: str | None, slug: str, join: bool) -> None:
    """Set up WORKTREE (default: here) for mail: the home where it is missing, the desk root, the page for agents.

    Asks nothing, changes nothing outside .gitmaild/ and the repository's own git configuration, and may be repeated.

    \b
    Examples:
      gitmaild init
      gitmaild init ../shop-review
      gitmaild init --project shop-2
    """
    slug, root = wiring.enrol(desk.home, Path(worktree or desk.here), project=slug, join=join)
    if not wiring.serve_once(desk.home, desk.environment, []):
        _await(lambda: (root / "README.md").exists())
    value = {"success": True, "project": slug, "root": str(root), "home": str(desk.home.path)}
    desk.answer(value, _next_steps(slug, root, desk.home.path))


def _next_steps(slug: str, root: Path, home: Path) -> str:
    return (
        f"project {slug}: mail for agents in {root}\n"
        f"mailbox:   {home}/mailbox.git\n\n"
        "next:\n"
        "  gitmaild serve                  # or: gitmaild service install\n"
        "  gitmaild register GreenCastle   # an agent joins\n"
        f"tell your agents: read {root.name}/README.md"
    )


@click.command()
@click.option("--once", is_flag=True, help="One pass: take what is ready, then end.")
@click.option("--verbose", "-v", is_flag=True, help="Log more.")
@desk_of
def serve(desk: Desk, *, once: bool, verbose: bool) -> None:
    """Run the daemon in the foreground, until SIGTERM or Ctrl-C. One daemon serves a home.

    \b
    Examples:
      gitmaild serve
      gitmaild serve --once
    """
    level = logging.DEBUG if verbose else logging.WARNING if once else logging.INFO
    logging.basicConfig(level=level, format="%(levelname).1s %(name)s %(message)s")
    logging.getLogger("watchdog").setLevel(logging.WARNING)
    office = wiring.open_office(desk.home, desk.environment, watcher=wiring.NoHints() if once else None)
    try:
        if once:
            answered = _drain(office)
            desk.answer({"answered": answered}, f"answered {answered}")
            return
        signal.signal(signal.SIGTERM, lambda *_: office.daemon.stop())
        signal.signal(signal.SIGINT, lambda *_: office.daemon.stop())
        roots = len(office.daemon.intake.roots)
        say(f"gitmaild is serving {desk.home.path}: {roots} desk roots (pid {os.getpid()})")
        sys.stdout.flush()
        office.daemon.run()
    finally:
        office.close()


def _drain(office: wiring.Office) -> int:
    """Passes until nothing is ready, and nothing will be within the time that a finished file must stand still."""
    answered = office.daemon.turn([])
    while (left := office.daemon.idle_for()) < 1.0:
        time.sleep(max(left, 0.0) + 0.01)
        answered += office.daemon.turn([])
    return answered


@click.command()
@desk_of
def status(desk: Desk) -> None:
    """Is it running, what waits, what is wrong. Status 1 where something is.

    Asks the lock, the repository and the outboxes themselves, not only the daemon.

    \b
    Example:
      gitmaild status --json
    """
    value = wiring.look(desk.home)
    value["waiting"] = {root: _waiting(Path(root)) for root in value["roots"]}
    problems = [alarm["text"] for alarm in value["alarms"]]
    if desk.as_json:
        say_json(value)
    else:
        _print_status(value)
    if problems:
        raise click.exceptions.Exit(1)


def _waiting(root: Path) -> dict[str, int]:
    """Files in each outbox that are not answered yet, claimed ones included."""
    found: dict[str, int] = {}
    for outbox in sorted(root.glob("agents/*/outbox")):
        claimed = outbox / ".claimed"
        count = sum(is_drop(path.name) for path in outbox.iterdir())
        count += len(list(claimed.iterdir())) if claimed.is_dir() else 0
        if count:
            found[outbox.parent.name] = count
    return found


def _print_status(value: dict[str, Any]) -> None:
    say(f"daemon    {'running (' + value['holder'] + ')' if value['running'] else 'not running: gitmaild serve'}")
    say(f"home      {value['home']}")
    say(f"mailbox   {value['tip'][:12] or 'empty'}, {value['commits']} commits, {value['packs']} packs")
    for root in value["roots"]:
        waiting = value["waiting"].get(root, {})
        backlog = ", ".join(f"{agent} {count}" for agent, count in waiting.items())
        away = value["away"].get(root, "")
        say(f"root      {root}{f': {away}' if away else ''}{f'; waiting: {backlog}' if backlog else ''}")
    for alarm in value["alarms"]:
        say(f"ALARM     {alarm['text']} (since {alarm['since']})")
    if not value["alarms"]:
        say("alarms    none")


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@desk_of
def log(desk: Desk, *, options: tuple[str, ...]) -> None:
    """The audit trail: git log of the mailbox, with any options of git log.

    \b
    Examples:
      gitmaild log --oneline -20
      gitmaild log --author=GreenCastle
      gitmaild log --grep 'Thread-Id: br-123'
      gitmaild log --stat -- shop/agents/RedCat
    """
    wiring.open_reader(desk.home)
    if desk.as_json:
        shown = "--format=%H%x1f%an%x1f%aI%x1f%s%x1f%(trailers:unfold=true)%x1e"
        text = _git(desk, "log", shown, *options, capture=True)
        say_json([_commit(record) for record in text.split("\x1e") if record.strip()])
    else:
        _git(desk, "log", *options)


def _git(desk: Desk, *arguments: str, capture: bool = False) -> str:
    command = ["git", f"--git-dir={desk.home.mailbox}", *arguments]
    done = subprocess.run(command, check=False, text=True, stdout=subprocess.PIPE if capture else None)
    if done.returncode not in (0, 141):  # 141: the pager was left early
        raise click.exceptions.Exit(64 if done.returncode in (128, 129) else 1)
    return done.stdout or ""


def _commit(record: str) -> dict[str, Any]:
    oid, author, at, subject, trailers = record.strip("\n").split("\x1f")
    pairs = (line.partition(": ") for line in trailers.strip().splitlines())
    return {"commit": oid, "author": author, "at": at, "subject": subject} | {
        "trailers": {key: value for key, _, value in pairs}
    }


@click.command()
@desk_of
def rebuild(desk: Desk) -> None:
    """Make desks and indexes anew from the mailbox, which is the truth, even where its history was rewritten.

    \b
    Example:
      gitmaild rebuild
    """
    wiring.open_reader(desk.home)
    wiring.request(desk.home, wiring.REBUILD)
    if not wiring.serve_once(desk.home, desk.environment, []) and not _await(
        lambda: not wiring.is_requested(desk.home, wiring.REBUILD)
    ):
        fail(3, "the daemon has not begun yet; it will")
        raise click.exceptions.Exit(3)
    desk.answer({"success": True}, "rebuilt from the mailbox")


def _await(condition: Any) -> bool:
    until = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() >= until:
            return False
        time.sleep(0.02)
    return True
