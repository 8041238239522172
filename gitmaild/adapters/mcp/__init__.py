"""The post office as an MCP server: `tools` says what there is, `calls` does it, `shim` and `server` carry it.

`shim` speaks over standard input and output with the standard library alone, one small process an agent; `server` speaks
streamable HTTP with the official SDK, in the daemon. Importing this imports none of them.
"""
