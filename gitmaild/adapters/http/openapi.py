"""The API described by itself: OpenAPI 3.1 from the vocabulary, and a plain page of it."""

from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from gitmaild import __version__
from gitmaild.adapters.client.commands import COMMANDS
from gitmaild.adapters.client.queries import QUERIES
from gitmaild.adapters.client.vocabulary import Command, Parameter, Query
from gitmaild.adapters.http.answers import answer
from gitmaild.adapters.http.api import ATTACH

_PROJECT = {
    "name": "project",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^[a-z0-9-]{1,63}$"},
    "description": "The project's slug; GET /api lists them.",
}
_AGENT = {
    "name": "X-Gitmaild-Agent",
    "in": "header",
    "schema": {"type": "string"},
    "description": "Who speaks, for a holder of the home's token. An agent's own token says it already.",
}
_STATUSES = {
    "400": "What came is no JSON object, or no HTTP.",
    "401": "No token, a wrong one, or one that has expired.",
    "403": "Not with this token, or from a page of another origin.",
    "404": "There is no such project, message, agent or call.",
    "405": "A command is posted, a query is got.",
    "413": "More than http_body_limit.",
    "415": "The body is not application/json.",
    "422": "Refused: nothing was changed.",
    "429": "Too many wrong tokens.",
    "503": "The post office cannot do it now; nothing was left behind.",
}


def document() -> dict[str, Any]:
    """What `/openapi.json` says."""
    paths: dict[str, Any] = {"/health": {"get": _health()}}
    paths |= {f"/api/{{project}}/{name}": {"post": _command(command)} for name, command in COMMANDS.items()}
    paths |= {f"/api/{{project}}/{name}": {"get": _query(query)} for name, query in QUERIES.items()}
    refusal = {key: {"type": "string"} for key in ("code", "reason", "mend")}
    return {
        "openapi": "3.1.0",
        "info": {"title": "gitmaild", "version": __version__, "description": "Mail for coding agents."},
        "paths": paths,
        "security": [{"token": []}],
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Refusal": {"type": "object", "properties": refusal, "required": [*refusal]}},
            "responses": {name: _refused(text) for name, text in _STATUSES.items()},
        },
    }


def _health() -> dict[str, Any]:
    return {"operationId": "health", "security": [], "responses": {"200": {"description": 'Exactly {"status": "ok"}.'}}}


def _refused(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}}


def _responses(*also: tuple[str, str]) -> dict[str, Any]:
    said = {status: {"description": text, "content": {"application/json": {}}} for status, text in also}
    return said | {status: {"$ref": f"#/components/responses/{status}"} for status in _STATUSES}


def _command(command: Command) -> dict[str, Any]:
    schema = command.schema()
    if any(parameter.name == "attachments" for parameter in command.parameters):
        files = {"type": "object", "additionalProperties": {"type": "string", "contentEncoding": "base64"}}
        schema["properties"][ATTACH] = files | {"description": "Files to attach: their bytes by their names."}
    return {
        "operationId": command.name,
        "tags": ["commands"],
        "summary": command.about,
        "parameters": [_PROJECT, _AGENT],
        "requestBody": {"required": bool(schema["required"]), "content": {"application/json": {"schema": schema}}},
        "responses": _responses(("200", "The answer."), ("202", "Queued: it will be answered. Do not repeat it.")),
    }


def _query(query: Query) -> dict[str, Any]:
    return {
        "operationId": query.name,
        "tags": ["queries"],
        "summary": query.about,
        "parameters": [_PROJECT, _AGENT, *map(_parameter, query.parameters)],
        "responses": _responses(("200", "The answer.")),
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    schema = parameter.schema()
    return {
        "name": parameter.name,
        "in": "query",
        "required": parameter.required,
        "description": schema.pop("description"),
        "schema": schema,
    }


def page() -> str:
    """What `/docs` shows: a table of each call, no script, no style but the browser's own."""
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>gitmaild: HTTP API</title></head><body>',
        "<h1>gitmaild: HTTP API</h1><p>Made from the vocabulary of all doors. As data: "
        '<a href="/openapi.json">/openapi.json</a>. Send <code>Authorization: Bearer</code> and the token.</p>',
    ]
    for title, method, rows in (("Commands", "POST", COMMANDS), ("Queries", "GET", QUERIES)):
        parts.append(f"<h2>{title}</h2>")
        for name, row in rows.items():
            parts.append(f'<h3 id="{name}"><code>{method} /api/&lt;project&gt;/{name}</code></h3><p>{escape(row.about)}</p>')
            parts.append(_table(row.parameters))
    return "\n".join([*parts, "</body></html>\n"])


def _table(parameters: tuple[Parameter, ...]) -> str:
    if not parameters:
        return "<p>Takes nothing.</p>"
    rows = [
        f"<tr><td><code>{each.name}</code>{' (required)' if each.required else ''}</td><td>{each.type}</td>"
        f"<td>{escape(each.about)}{escape(' One of ' + ', '.join(each.choices) + '.') if each.choices else ''}</td></tr>"
        for each in parameters
    ]
    return f"<table><tbody>{''.join(rows)}</tbody></table>"


def routes() -> list[Route]:
    told, shown = document(), page()

    async def openapi(request: Request) -> Response:
        return answer(told)

    async def docs(request: Request) -> Response:
        return HTMLResponse(shown)

    return [Route("/openapi.json", openapi, methods=["GET"]), Route("/docs", docs, methods=["GET"])]
