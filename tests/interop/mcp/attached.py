"""A customer's MCP server, made with whichever version of the official Python SDK is there: some tools behind a bearer token.

Its first line on standard output is its URL, then comes a line for each call of a tool.
"""

import asyncio
import json
import socket
import sys

import uvicorn

try:
    from mcp.server.mcpserver import MCPServer
except ModuleNotFoundError:
    from mcp.server.fastmcp import FastMCP as MCPServer

server = MCPServer("crm")


def note(tool: str, **arguments) -> None:
    print(json.dumps({"tool": tool, "arguments": arguments}), flush=True)


@server.tool()
def find_customer(name: str) -> dict:
    """Finds a customer by name."""
    note("find_customer", name=name)
    return {"name": name, "since": 2019}


@server.tool()
def book_visit(name: str) -> str:
    """Books a visit."""
    note("book_visit", name=name)
    raise ValueError("Thursday is full")


@server.tool()
async def slow_report(name: str) -> str:
    """Takes its time."""
    note("slow_report", name=name)
    await asyncio.sleep(3600)
    return "done"


@server.tool()
def delete_customer(name: str) -> str:
    """Nobody allowed this one."""
    note("delete_customer", name=name)
    return "deleted"


def guarded(app, token: str):
    async def guard(scope, receive, send):
        if scope["type"] == "http" and dict(scope["headers"]).get(b"authorization") != f"Bearer {token}".encode():
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await app(scope, receive, send)

    return guard


def main() -> None:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    app = guarded(server.streamable_http_app(), sys.argv[1])
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)).run(sockets=[listener])


main()
