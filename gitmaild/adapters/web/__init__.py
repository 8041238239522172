"""The page for people: mail, agents, leases and the record of a home, rendered here, readable with JavaScript off."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from gitmaild.adapters.client.lobby import Lobby


def routes(lobby: "Lobby") -> "list[BaseRoute]":
    """What is to be mounted at `/mail`. See `site` for what it expects of the application."""
    from gitmaild.adapters.web.site import site_routes  # noqa: PLC0415 - the command line imports this package

    return site_routes(lobby)
