"""`gitmaild mcp`: the server that a coding agent starts for itself."""

import click

from gitmaild.adapters.cli.desk import Desk
from gitmaild.adapters.mcp import tools


@click.command()
@click.option(
    "--profile",
    type=click.Choice(tools.PROFILES),
    default=tools.DEFAULT,
    show_default=True,
    help="Which tools are listed. All can be called in any case.",
)
@click.pass_obj
def mcp(desk: Desk, profile: str) -> None:
    """Serve MCP over standard input and output, for one agent. Needs no daemon.

    \b
    Examples:
      gitmaild mcp
      gitmaild mcp --profile full
      claude mcp add gitmaild -- gitmaild mcp
      codex mcp add gitmaild -- gitmaild mcp
    """
    from gitmaild.adapters.mcp import shim  # noqa: PLC0415

    shim.run(**desk.said, profile=profile)
