"""web: the way in for a browser."""

import click

from gitmaild import wiring
from gitmaild.adapters.cli.desk import Desk
from gitmaild.adapters.cli.output import fail

desk_of = click.make_pass_decorator(Desk)


@click.command()
@desk_of
def web(desk: Desk) -> None:
    """Print a link that lets a browser in, once, within ten minutes, as the Overseer. Keep it to yourself.

    \b
    Example:
      gitmaild web
    """
    from gitmaild.wiring.access import login_link  # noqa: PLC0415

    wiring.open_reader(desk.home)
    link = login_link(desk.home, desk.environment)
    desk.answer({"success": True, "url": link}, link)
    if not desk.home.load("http.json").get("url"):
        fail(0, "nobody serves HTTP here now: gitmaild serve")
