"""token new, list, revoke."""

from datetime import timedelta
from typing import Any

import click

from gitmaild.adapters.cli.desk import Desk
from gitmaild.adapters.cli.output import fail, say

desk_of = click.make_pass_decorator(Desk)


@click.group()
def token() -> None:
    """Tokens for the HTTP door.

    The home has one, for whoever can read its files; an agent may have its own, which speaks for nobody else.

    \b
    Examples:
      gitmaild token new
      gitmaild token new --agent GreenCastle
      gitmaild token list
      gitmaild token revoke GreenCastle
    """


@token.command()
@click.option("--agent", metavar="NAME", help="For this agent of the project alone.")
@click.option("--read-only", is_flag=True, help="It asks, and changes nothing.")
@click.option("--for", "lifetime", metavar="SPAN", help="It expires after 90m, 12h, 7d.")
@desk_of
def new(desk: Desk, *, agent: str | None, read_only: bool, lifetime: str | None) -> None:
    """Make a token. An agent's is shown once; the home's takes the place of the one in state/token.

    \b
    Examples:
      gitmaild token new
      gitmaild token new --agent GreenCastle --for 7d
      gitmaild token new --agent RedCat --read-only
    """
    from gitmaild.rules.fields import span  # noqa: PLC0415
    from gitmaild.wiring import wall_clock  # noqa: PLC0415
    from gitmaild.wiring.access import open_tokens  # noqa: PLC0415

    seconds = span(lifetime) if lifetime else None
    if lifetime and not seconds:
        raise click.BadParameter(f"{lifetime!r} is not 90m, 12h or 7d", param_hint="--for")
    tokens = open_tokens(desk.home)
    if agent is None:
        if read_only or lifetime:
            raise click.UsageError("--read-only and --for are for an agent's token: say --agent NAME")
        made = tokens.renew()
        desk.answer({"success": True, "token": made, "path": str(tokens.path)}, f"{tokens.path}: a new token for this home")
        return
    project = _project_of(desk, agent)
    ends = timedelta(seconds=seconds) if seconds else None
    made, grant = tokens.give(wall_clock(), lifetime=ends, agent=agent, project=project, may_write=not read_only)
    row = _shown(grant) | {"token": made}
    if not desk.as_json:
        say(f"{grant.id} for {agent}{f' of {project}' if project else ''}, shown this once:")
    desk.answer({"success": True} | row, made)


def _project_of(desk: Desk, agent: str) -> str:
    """An agent's project; the Overseer is the same in all. Raises `Refused` for what can be nobody's name."""
    from gitmaild.model.names import OVERSEER, check_name  # noqa: PLC0415

    if agent == OVERSEER:
        return ""
    check_name(agent)
    return desk.project.slug


@token.command("list")
@desk_of
def list_(desk: Desk) -> None:
    """Which tokens were given out. None is shown: only its digest is kept.

    \b
    Example:
      gitmaild token list
    """
    from gitmaild.wiring import wall_clock  # noqa: PLC0415
    from gitmaild.wiring.access import open_tokens  # noqa: PLC0415

    now, rows = wall_clock(), []
    for grant in open_tokens(desk.home).grants():
        rows.append(_shown(grant) | {"expired": grant.is_over(now)})
    desk.answer(rows, "\n".join(map(_line, rows)) or "none were given out")


def _shown(grant: Any) -> dict[str, Any]:
    scope = "log-in" if grant.is_login else "write" if grant.may_write else "read"
    names = ("id", "agent", "project", "created", "expires")
    return {name: getattr(grant, name) for name in names} | {"scope": scope}


def _line(row: dict[str, Any]) -> str:
    whose = f"{row['agent']}@{row['project']}" if row["project"] else row["agent"]
    ends = f"{'expired' if row['expired'] else 'until'} {row['expires'][:16]}Z" if row["expires"] else "until it is revoked"
    return f"{row['id']}  {whose}  {row['scope']}  since {row['created'][:16]}Z  {ends}"


@token.command()
@click.argument("which")
@desk_of
def revoke(desk: Desk, *, which: str) -> None:
    """Take tokens back: one by its id, all of an agent by its name. They open nothing from then on.

    \b
    Examples:
      gitmaild token revoke tok_1a2b3c4d
      gitmaild token revoke GreenCastle
    """
    from gitmaild.wiring.access import open_tokens  # noqa: PLC0415

    gone = open_tokens(desk.home).revoke(lambda grant: which in (grant.id, grant.agent))
    desk.answer({"success": bool(gone), "revoked": [grant.id for grant in gone]}, f"revoked {len(gone)}" if gone else "")
    if not gone:
        raise click.exceptions.Exit(fail(1, f"no token {which[:60]!r}: gitmaild token list"))
