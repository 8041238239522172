"""web: the link that lets a person's browser in."""

import click

from gitmaild.adapters.cli.desk import Desk


@click.command()
@click.pass_obj
def web(desk: Desk) -> None:
    """Print a link to the page for people.

    It lets one browser in, as the Overseer, once and within ten minutes. Whoever has it is the Overseer.

    \b
    Examples:
      gitmaild web
      xdg-open "$(gitmaild web)"
    """
    from gitmaild.wiring.access import login_link  # noqa: PLC0415

    link = login_link(desk.home, desk.environment)
    desk.answer({"url": link}, link)
