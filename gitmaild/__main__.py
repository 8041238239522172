"""`python -m gitmaild` is the `gitmaild` command."""

import sys

_OF_MCP = {"--profile": "profile", "--home": "home", "--project": "project", "--as": "agent"}


def main() -> None:
    """The command line; an MCP server, of which each agent starts one, begins without what only the others need."""
    words = sys.argv[1:]
    given = dict(zip(words[1::2], words[2::2], strict=False))
    is_plain = words[:1] == ["mcp"] and len(words) == 1 + 2 * len(given) and given.keys() <= _OF_MCP.keys()
    if is_plain and given.get("--profile", "full") in ("default", "full"):
        from gitmaild.adapters.mcp import shim  # noqa: PLC0415

        shim.run(**{_OF_MCP[name]: value for name, value in given.items()})
        return
    from gitmaild.adapters import cli  # noqa: PLC0415

    cli.main()


if __name__ == "__main__":
    main()
