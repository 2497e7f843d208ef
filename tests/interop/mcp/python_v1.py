"""The official Python SDK, version 1, which knows the handshake era only: URL KEY BINARY, over HTTP and standard input and output."""

import asyncio
import sys
from contextlib import asynccontextmanager

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamablehttp_client
from pydantic import AnyUrl

from story import body, check_tools, the_story

URL, KEY, BINARY = sys.argv[1:]


def over_http():
    return streamablehttp_client(f"{URL}/mcp", headers={"Authorization": f"Bearer {KEY}"})


def over_stdio():
    return stdio_client(
        StdioServerParameters(command=BINARY, args=["mcp", "--server", URL], env={"CLEARLINE_API_KEY": KEY})
    )


async def work(transport) -> None:
    updates = asyncio.Queue()

    async def on_message(message) -> None:
        inner = getattr(message, "root", message)
        if getattr(inner, "method", "") == "notifications/resources/updated":
            updates.put_nowait(str(inner.params.uri))

    async with transport as streams, ClientSession(*streams[:2], message_handler=on_message) as session:
        opened = await session.initialize()
        assert opened.protocolVersion == "2025-11-25", opened.protocolVersion
        check_tools((await session.list_tools()).tools)
        await session.send_ping()

        async def ask(tool: str, arguments: dict) -> dict:
            return body(await session.call_tool(tool, arguments))

        @asynccontextmanager
        async def followed(call: str):
            uri = AnyUrl(f"call://{call}")
            await session.subscribe_resource(uri)
            yield
            assert (await asyncio.wait_for(updates.get(), 30)).rstrip("/") == str(uri).rstrip("/")

        await the_story(ask, followed)


async def main() -> None:
    for name, transport in (("http", over_http), ("stdio", over_stdio)):
        await asyncio.wait_for(work(transport()), 120)
        print(f"ok: Python SDK 1, {name}", flush=True)


asyncio.run(main())
