"""The page for people: mail, agents, leases and the record of a home, rendered here, readable with JavaScript off."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from gitmaild.adapters.client.lobby import Lobby


def routes(lobby: "Lobby") -> "list[BaseRoute]":
    """Everything at `/mail` and below it, as routes of the application that has it. `site` says what they expect of it."""
    from gitmaild.adapters.web.site import site_routes  # noqa: PLC0415 - the command line imports this package

    return site_routes(lobby)
