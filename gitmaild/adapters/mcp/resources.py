"""What can be read as a resource: an inbox, a conversation, the leases, the agents of a project. Reading marks nothing."""

import re
from typing import Any
from urllib.parse import quote, unquote

from gitmaild.adapters.client.lobby import Lobby
from gitmaild.adapters.mcp.calls import Session, plain, run
from gitmaild.model.errors import Refused, refuse

Fields = dict[str, Any]

_JSON = "application/json"
_URI = re.compile(r"gitmaild://([^/]+)/(inbox|thread|leases|agents)(?:/([^/]+))?")
# Kind: (tool that answers it, the argument that the last part of the address is).
_KINDS = {
    "inbox": ("fetch_inbox", "agent_name"),
    "thread": ("thread", "thread_id"),
    "leases": ("get_reservations", ""),
    "agents": ("agents", ""),
}

TEMPLATES: list[Fields] = [
    {"uriTemplate": "gitmaild://{project}/inbox/{agent}", "name": "inbox", "description": "An agent's unread mail."},
    {"uriTemplate": "gitmaild://{project}/thread/{thread_id}", "name": "thread", "description": "A conversation."},
    {"uriTemplate": "gitmaild://{project}/leases", "name": "leases", "description": "Who holds what, until when."},
    {"uriTemplate": "gitmaild://{project}/agents", "name": "agents", "description": "Who is here, on what."},
]
for _template in TEMPLATES:
    _template["mimeType"] = _JSON


def listing(lobby: Lobby, session: Session) -> list[Fields]:
    """What there is for this caller: the leases and agents of the projects, its own inbox where it is known."""
    with lobby.stand(session.project or None, session.agent or session.bound or None) as seat:
        try:
            slugs, agent = [seat.project.slug], seat.known_agent
        except Refused:
            slugs, agent = lobby.projects(), ""
    found = []
    for slug in slugs:
        if agent:
            found.append(_row(slug, f"inbox/{quote(agent)}", f"{agent}'s unread mail in {slug}"))
        found.append(_row(slug, "leases", f"who holds what in {slug}"))
        found.append(_row(slug, "agents", f"who is here in {slug}"))
    return found


def _row(slug: str, path: str, about: str) -> Fields:
    return {"uri": f"gitmaild://{slug}/{path}", "name": f"{slug} {path}", "description": about, "mimeType": _JSON}


def read(lobby: Lobby, session: Session, uri: str, **more: Any) -> Fields:
    """The contents of a resource. Raises `Refused` where there is none, or where it is not for this caller."""
    match = _URI.fullmatch(uri) if isinstance(uri, str) else None
    if match is None or bool(_KINDS[match[2]][1]) != bool(match[3]):
        shapes = ", ".join(template["uriTemplate"] for template in TEMPLATES)
        raise refuse("no-resource", f"no resource {str(uri)[:100]!r}", f"there are {shapes}")
    tool, argument = _KINDS[match[2]]
    # What is read does not say who the caller is.
    alone = Session(bound=session.bound)
    given = {"project_key": unquote(match[1])} | ({argument: unquote(match[3])} if argument else {})
    result = run(lobby, alone, tool, given, **more)
    told = result["structuredContent"]
    if result.get("isError"):
        raise refuse(told["code"], told["reason"], told["mend"], field=told.get("field", ""))
    return {"contents": [{"uri": uri, "mimeType": _JSON, "text": plain(told["result"])}]}
