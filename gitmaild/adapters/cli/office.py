"""init, serve, status, log, rebuild."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitmaild import wiring
from gitmaild.adapters.cli.desk import Desk
from gitmaild.adapters.cli.output import fail, say, say_json
from gitmaild.adapters.client.answers import logged

if TYPE_CHECKING:
    from gitmaild.adapters.http.server import Door
    from gitmaild.app.bell import Bell
    from gitmaild.wiring.office import Office

desk_of = click.make_pass_decorator(Desk)


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
    _served(desk, (root / "README.md").exists)
    value = {"success": True, "project": slug, "root": str(root), "home": str(desk.home.path)}
    desk.answer(value, _next_steps(slug, root, desk.home.path))


def _served(desk: Desk, is_done: Callable[[], bool], *, index: bool = False) -> None:
    """Run a pass, or wait for the running daemon, until something is done. Ends the process with status 3 if it is not."""
    until = time.monotonic() + desk.patience
    while not (over := wiring.serve_once(desk.home, desk.environment, [], index=index)):
        if is_done() or time.monotonic() >= until:
            break
        time.sleep(0.02)
    if not over and not is_done():
        fail(3, "the daemon has not done it yet; it will")
        raise click.exceptions.Exit(3)


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
@click.option("--http", "address", metavar="HOST:PORT", help="Where to serve HTTP (default: 127.0.0.1:8765).")
@click.option("--no-http", is_flag=True, help="Files alone.")
@click.option("--tls-cert", metavar="FILE", type=click.Path(), help="Serve HTTPS with this certificate (chain, PEM).")
@click.option("--tls-key", metavar="FILE", type=click.Path(), help="The certificate's key.")
@click.option("--insecure", is_flag=True, help="Let others reach the door without TLS.")
@click.option("--verbose", "-v", is_flag=True, help="Log more.")
@desk_of
def serve(desk: Desk, /, *, once: bool, verbose: bool, no_http: bool, **door: Any) -> None:
    """Run the daemon in the foreground, until SIGTERM or Ctrl-C. One daemon serves a home.

    HTTP is served besides, on the loopback unless told otherwise. Where the usual port is taken, mail goes on without it;
    where --http asks for a port that is taken, nothing is served (status 69).

    \b
    Examples:
      gitmaild serve
      gitmaild serve --http 127.0.0.1:9000
      gitmaild serve --http 0.0.0.0:8765 --tls-cert cert.pem --tls-key key.pem
      gitmaild serve --no-http
      gitmaild serve --once
    """
    from gitmaild.app.bell import Bell  # noqa: PLC0415
    from gitmaild.wiring.office import NoHints, open_office  # noqa: PLC0415 - what status and init can do without

    level = logging.DEBUG if verbose else logging.WARNING if once else logging.INFO
    logging.basicConfig(level=level, format="%(levelname).1s %(name)s %(message)s")
    for talkative in ("watchdog", "uvicorn", "asyncio"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    bell = Bell()
    office = open_office(desk.home, desk.environment, watcher=NoHints() if once else None, bell=bell)
    try:
        if once:
            answered = _drain(office)
            desk.answer({"answered": answered}, f"answered {answered}")
            return
        opened = None if no_http else _door(desk, office, bell, **door)
        _run(desk, office, opened)
    finally:
        office.close()


def _run(desk: Desk, office: "Office", door: "Door | None") -> None:
    """Until a signal: then the door is closed first, so that what came in by it is still answered."""

    def end(*_: object) -> None:
        if door and door.is_open:
            door.stop(office.daemon.stop)
        else:
            office.daemon.stop()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    if door:
        door.start()
        say(f"Server starting on {door.url}")
    roots = len(office.daemon.intake.roots)
    say(f"gitmaild is serving {desk.home.path}: {roots} desk roots (pid {os.getpid()})")
    sys.stdout.flush()
    office.daemon.run()
    if door and door.is_open:  # the daemon was stopped by something else
        door.stop()
        door.join(5.0)


def _door(
    desk: Desk,
    office: "Office",
    bell: "Bell",
    *,
    address: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    insecure: bool,
) -> "Door | None":
    """The HTTP door, not yet open; None where the usual port is taken."""
    from dataclasses import replace  # noqa: PLC0415

    from gitmaild.adapters.client.lobby import Lobby  # noqa: PLC0415
    from gitmaild.adapters.http.server import open_door  # noqa: PLC0415 - what a daemon without the door can do without
    from gitmaild.wiring.access import PortTaken, door_settings  # noqa: PLC0415

    settings = door_settings(desk.home, desk.environment)
    if address is not None:
        host, port = _address(address, settings.http_port)
        settings = replace(settings, http_host=host, http_port=port)
    settings = replace(settings, tls_cert=tls_cert or settings.tls_cert, tls_key=tls_key or settings.tls_key)
    lobby = Lobby(desk.home, environment=desk.environment, bell=bell)
    try:
        return open_door(lobby, settings, is_insecure=insecure, still_for=office.daemon.still_for)
    except PortTaken as error:
        if address is not None:
            raise
        logging.getLogger("gitmaild").warning("%s: mail is delivered without HTTP; --http HOST:PORT chooses another", error)
        return None


def _address(text: str, usual: int) -> tuple[str, int]:
    """`HOST:PORT`, `PORT`, `HOST` or `[::1]:PORT`."""
    host, _, port = text.rpartition(":") if text.count(":") == 1 or "]:" in text else ("", "", text)
    if not host and not port.isdecimal():
        host, port = text, str(usual)
    if not port.isdecimal() or int(port) > 65535:
        raise click.BadParameter(f"{text!r} is not HOST:PORT", param_hint="--http")
    return host.strip("[]") or "127.0.0.1", int(port)


def _drain(office: "Office") -> int:
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
    value = wiring.look(desk.home, desk.environment)
    problems = [alarm["text"] for alarm in value["alarms"]]
    if desk.as_json:
        say_json(value)
    else:
        _print_status(value)
    if problems:
        raise click.exceptions.Exit(1)


def _print_status(value: dict[str, Any]) -> None:
    say(f"daemon    {'running (' + value['holder'] + ')' if value['running'] else 'not running: gitmaild serve'}")
    say(f"home      {value['home']}")
    say(f"mailbox   {value['tip'][:12] or 'empty'}, {value['commits']} commits, {value['packs']} packs")
    for root in value["roots"]:
        waiting = value["waiting"].get(root, {})
        backlog = ", ".join(f"{agent} {count}" for agent, count in waiting.items())
        away = value["away"].get(root, "")
        say(f"root      {root}{f': {away}' if away else ''}{f'; waiting: {backlog}' if backlog else ''}")
    _print_search(value["search"])
    if not value["contacts_enforced"]:
        say("WARNING   contacts are not enforced (CONTACT_ENFORCEMENT_ENABLED): everybody may write to everybody")
    for alarm in value["alarms"]:
        say(f"ALARM     {alarm['text']} (since {alarm['since']})")
    if not value["alarms"]:
        say("alarms    none")


def _print_search(index: dict[str, Any]) -> None:
    if not index:
        return
    words = [index["engine"]]
    if index["messages"] is not None:
        words += [f"{index['messages']:,} messages", f"{index['bytes'] / 2**20:.1f} MiB"]
    say(f"search    {'; '.join([', '.join(words), *filter(None, (index['note'], index['advice']))])}")


# Each commit holds six NULs, which no part of a commit can hold; what --stat and its like print follows the last.
_FORMAT = "%x00%H%x00%an%x00%aI%x00%s%x00%(trailers:unfold=true)%x00"
_NULS = 6


class _GitOptions(click.Command):
    """Takes what git takes: click would swallow the `--` that stands before paths."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at = args.index("--") if "--" in args else len(args)
        rest = super().parse_args(ctx, args[:at])
        ctx.params["options"] = (*ctx.params.get("options", ()), *args[at:])
        return rest


@click.command(cls=_GitOptions, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
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
        # After the caller's own format, and before any paths.
        at = options.index("--") if "--" in options else len(options)
        text = _git(desk, "log", *options[:at], f"--format={_FORMAT}", *options[at:], capture=True)
        parts = text.split("\0")
        say_json([_commit(*parts[start : start + 5]) for start in range(1, len(parts) - 5, _NULS)])
    else:
        _git(desk, "log", *options)


def _git(desk: Desk, *arguments: str, capture: bool = False) -> str:
    command = ["git", f"--git-dir={desk.home.mailbox}", *arguments]
    done = subprocess.run(
        command, check=False, encoding="utf-8", errors="replace", stdout=subprocess.PIPE if capture else None
    )
    if done.returncode not in (0, 141):  # 141: the pager was left early
        raise click.exceptions.Exit(64 if done.returncode in (128, 129) else 1)
    return done.stdout or ""


def _commit(oid: str, author: str, at: str, subject: str, trailers: str) -> dict[str, Any]:
    pairs = (line.partition(": ") for line in trailers.strip().splitlines())
    return logged(oid, author, at, subject, {key: value for key, _, value in pairs})


@click.command()
@click.option("--index", "index_only", is_flag=True, help="The search index alone.")
@desk_of
def rebuild(desk: Desk, *, index_only: bool) -> None:
    """Make desks and indexes anew from the mailbox, which is the truth, even where its history was rewritten.

    A running daemon makes the search index in the background; searches answer meanwhile, and say what may be missing.

    \b
    Examples:
      gitmaild rebuild
      gitmaild rebuild --index
    """
    wiring.open_reader(desk.home)
    name = wiring.REBUILD_INDEX if index_only else wiring.REBUILD
    wiring.request(desk.home, name)
    _served(desk, lambda: not wiring.is_requested(desk.home, name), index=True)
    desk.answer({"success": True}, "the search index is made anew" if index_only else "rebuilt from the mailbox")
