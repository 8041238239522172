"""service install, remove, status."""

import sys
from dataclasses import asdict

import click

from gitmaild import wiring
from gitmaild.adapters.cli.desk import Desk
from gitmaild.adapters.cli.output import columns, say_json

desk_of = click.make_pass_decorator(Desk)
_MAC = sys.platform == "darwin"


@click.group()
def service() -> None:
    """Let systemd (Linux) or launchd (macOS) run the daemon for you.

    \b
    Examples:
      gitmaild service install
      gitmaild service status
    """


@service.command()
@click.option("--print", "is_print", is_flag=True, help="Print the file, and write nothing.")
@click.option("--hardened", is_flag=True, help="systemd: shut off what the daemon does not need. Needs user namespaces.")
@click.option("--launchd", is_flag=True, help="The file for launchd; elsewhere than on macOS with --print alone.")
@desk_of
def install(desk: Desk, *, is_print: bool, hardened: bool, launchd: bool) -> None:
    """Write the service file, start the daemon, and start it again at every login. May be repeated.

    With --hardened, the daemon can write your home directory and the worktrees that are enrolled now; repeat it after
    gitmaild init elsewhere.

    \b
    Examples:
      gitmaild service install
      gitmaild service install --print
      gitmaild service install --hardened
    """
    if launchd and not (_MAC or is_print):
        raise click.UsageError("launchd is macOS's; here --launchd goes with --print")
    made = wiring.supervisor(desk.home, desk.environment, launchd=launchd or _MAC, hardened=hardened)
    if is_print:
        desk.answer({"path": str(made.path), "text": made.text()}, made.text().rstrip("\n"))
        return
    changed = made.install()
    linger = "" if _MAC else "\nto keep it running after you log out: loginctl enable-linger"
    desk.answer(
        {"success": True, "path": str(made.path), "changed": changed},
        f"{'installed' if changed else 'was installed already'}: {made.path}{linger}",
    )


@service.command()
@desk_of
def remove(desk: Desk) -> None:
    """Stop the daemon, and delete what install wrote. Mail, home and settings stay.

    \b
    Example:
      gitmaild service remove
    """
    made = wiring.supervisor(desk.home, desk.environment, launchd=_MAC)
    changed = made.remove()
    desk.answer(
        {"success": True, "path": str(made.path), "changed": changed},
        f"{'removed' if changed else 'was not installed'}: {made.path}",
    )


@service.command()
@desk_of
def status(desk: Desk) -> None:
    """Is it installed, does it run, since when. Status 1 where it does not run.

    \b
    Example:
      gitmaild service status --json
    """
    state = wiring.supervisor(desk.home, desk.environment, launchd=_MAC).state()
    if desk.as_json:
        say_json(asdict(state))
    else:
        shown = (
            ("service", state.name),
            ("installed", state.path if state.installed else "no: gitmaild service install"),
            ("state", state.state),
            ("since", state.since),
        )
        columns([row for row in shown if row[1]])
    if not state.active:
        raise click.exceptions.Exit(1)
