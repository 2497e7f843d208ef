"""The official Python SDK, version 2, in both eras: URL KEY BINARY, over HTTP and over standard input and output."""

import asyncio
import json
import sys
from contextlib import asynccontextmanager

import httpx2
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference

from story import body, check_tools, the_story

URL, KEY, BINARY = sys.argv[1:]


def over_http():
    client = httpx2.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}, timeout=90)
    return streamable_http_client(f"{URL}/mcp", http_client=client)


def over_stdio():
    return StdioServerParameters(command=BINARY, args=["mcp", "--server", URL], env={"CLEARLINE_API_KEY": KEY})


async def work(transport, mode: str) -> None:
    updates, beats = asyncio.Queue(), []

    async def on_message(message) -> None:
        if getattr(message, "method", "") == "notifications/resources/updated":
            updates.put_nowait(str(message.params.uri))

    async with Client(transport, mode=mode, message_handler=on_message) as client:
        modern = client.protocol_version >= "2026-07-28"
        assert modern == (mode != "legacy"), client.protocol_version
        assert "untrusted" in client.instructions
        check_tools((await client.list_tools()).tools)

        async def progress(done, total, message) -> None:
            beats.append((done, message))

        async def ask(tool: str, arguments: dict) -> dict:
            return body(await client.call_tool(tool, arguments, progress_callback=progress))

        @asynccontextmanager
        async def followed(call: str):
            uri = f"call://{call}"
            if modern:
                async with client.listen(resource_subscriptions=[uri]) as stream:
                    yield
                    async for event in stream:
                        assert str(event.uri) == uri, event
                        break
            else:
                await client.subscribe_resource(uri)
                yield
                assert await asyncio.wait_for(updates.get(), 30) == uri
                await client.unsubscribe_resource(uri)

        call = await the_story(ask, followed)
        templates = (await client.list_resource_templates()).resource_templates
        assert len(templates) == 3, templates
        for uri in ("calls://active", f"call://{call}", f"call://{call}/transcript", f"call://{call}/decision"):
            json.loads((await client.read_resource(uri)).contents[0].text)
        try:
            await client.read_resource("call://nobody")
            raise AssertionError("a resource that does not exist was read")
        except MCPError:
            pass
        prompt = await client.get_prompt("review_call", {"call_id": call})
        assert call in prompt.messages[0].content.text
        found = await client.complete(PromptReference(name="review_call", type="ref/prompt"), {"name": "call_id", "value": "call_"})
        assert call in found.completion.values, found
        try:
            await client.call_tool("end_cal", {})
            raise AssertionError("a tool that does not exist was called")
        except MCPError as error:
            assert "end_call" in str(error), error
        assert [done for done, _ in beats] == sorted(done for done, _ in beats) or len(beats) < 2


async def main() -> None:
    for name, transport in (("http", over_http), ("stdio", over_stdio)):
        for mode in ("auto", "legacy"):
            await asyncio.wait_for(work(transport(), mode), 120)
            print(f"ok: Python SDK 2, {name}, {mode}", flush=True)


asyncio.run(main())
