"""The page for people: mail, agents, leases and the record of a home, rendered here, readable with JavaScript off."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.routing import BaseRoute

    from gitmaild.adapters.client.lobby import Lobby


def routes(lobby: "Lobby") -> "list[BaseRoute]":
    """`/mail` and all below it. See `site` for what they expect of the application that has them."""
    from gitmaild.adapters.web.site import site_routes  # noqa: PLC0415 - the command line imports this package

    return site_routes(lobby)
