"""MCP servers made with the official Python SDK, of both eras, attached in a call: an agent calls their tools."""

import json
import urllib.request

import pytest
from streamdouble.scenario import Wait, WaitFor

import programs
from carrier_side import PUBLIC_URL
from conftest import running, script, serve_settings
from test_mcp import HERE, TARGET
from test_streamdouble import admit, run

TOKEN = "token-of-the-crm"


@pytest.fixture(scope="module", params=["v1", "v2"])
def customer(request, home):
    """The server, and which version of the SDK it is made with."""
    python = TARGET / f"interop-mcp-{request.param}" / "bin" / "python"
    for server in script([python, HERE / "attached.py", TOKEN], home / f"attached-{request.param}.out"):
        server.version = request.param
        yield server


@pytest.fixture(scope="module")
def bot(home):
    yield from running("bot", ["emulate", "bot", "--listen", "127.0.0.1:0"], home)


def first_event(server, key: str, kind: str) -> dict:
    """The first event of this kind that the journal tells."""
    request = urllib.request.Request(f"{server.url}/api/v1/events?after_seq=0", headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=20) as events:
        for line in events:
            if line.startswith(b"data:"):
                event = json.loads(line.removeprefix(b"data:"))["event"]
                if event["type"] == kind:
                    return event
    raise AssertionError(f"no {kind}")


@pytest.mark.parametrize(
    ("tool", "asked", "fine"),
    [
        ("find_customer", True, True),
        ("book", True, False),
        ("slow_report", True, False),
        ("delete_customer", False, False),
    ],
)
def test_an_agent_calls_a_tool(home, customer, bot, tool, asked, fine):
    name = f"attached-{customer.version}-{tool}"
    settings = serve_settings(
        home,
        name,
        CLEARLINE__SERVER__PUBLIC_URL=PUBLIC_URL,
        CLEARLINE__MEDIA__UNSIGNED_LOOPBACK="true",
        CLEARLINE__CARRIER__TWILIO__API_URL="http://127.0.0.1:9",
        CLEARLINE__AGENTS__DEFAULT="binary:own",
        CLEARLINE__AGENTS__OWN__DIALECT="binary",
        CLEARLINE__AGENTS__OWN__URL=f"{bot.ws_url}/binary/call-{tool}",
        CLEARLINE__TOOLS__MCP__CRM__URL=customer.url,
        CLEARLINE__TOOLS__MCP__CRM__TOKEN=TOKEN,
        CLEARLINE__TOOLS__MCP__CRM__TOOLS="find_customer,book=book_visit,slow_report",
        CLEARLINE__TOOLS__MCP__CRM__TIME_LIMIT_MS="2000",
    )
    key = programs.run(["keys", "create", "checks", "--role", "viewer"], home, settings).splitlines()[0]
    before = len(customer.lines())
    for server in running(name, ["serve"], home, settings):
        call_sid, parameters = admit(server)
        # The bot speaks once it has the tool's result, whatever that is.
        result = run(server, call_sid, parameters, WaitFor("audio", 10), Wait(1), quiet_period_s=0.5, max_drain_s=10)
        assert result.audio_received and result.violations == []
        answered = first_event(server, key, "tool_answered")
        assert (answered["name"], answered["is_error"]) == (tool, not fine)
        if asked:
            assert first_event(server, key, "tool_sent")["server"] == "crm"
        assert TOKEN not in programs.read(server.log)
    called = [json.loads(line) for line in customer.lines()[before:]]
    its_name = "book_visit" if tool == "book" else tool
    assert called == ([{"tool": its_name, "arguments": {"name": "Jo"}}] if asked else [])
