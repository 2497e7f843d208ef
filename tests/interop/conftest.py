"""The running programs that the checks talk to: servers and emulators, each on a free port, none outliving the session."""

import subprocess
import time
from pathlib import Path

import pytest

import programs
from agents import RECEPTION, XI_API_KEY
from carrier_side import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    OUR_NUMBER,
    PREVIOUS_AUTH_TOKEN,
    PUBLIC_URL,
    SHARED_KEY_ID,
    SHARED_KEY_SECRET,
)


@pytest.fixture(scope="session")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("clearline")


def running(*arguments):
    """Starts a program for a fixture and ends it with the fixture."""
    program = programs.start(*arguments)
    try:
        yield program
    finally:
        program.stop()


def script(command: list, output: Path):
    """Starts a program that is none of ours for a fixture; `.url` is its first line, `.lines()` are all others so far."""
    with output.open("wb") as out:
        process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out)
    try:
        deadline = time.monotonic() + programs.START_LIMIT_S
        while "\n" not in programs.read(output):
            assert process.poll() is None and time.monotonic() < deadline, f"{command} did not start"
            time.sleep(0.02)
        process.url = programs.read(output).splitlines()[0]
        process.lines = lambda: programs.read(output).splitlines()[1:]
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def serve_settings(home: Path, name: str, **more: str) -> dict[str, str]:
    return {
        "CLEARLINE__SERVER__LISTEN": "127.0.0.1:0",
        "CLEARLINE__SERVER__DRAIN_LIMIT_S": "2",
        "CLEARLINE__STORE__URL": f"sqlite://{home / name}.sqlite3",
        "CLEARLINE__SELLER__NAME": "Riverside Homes",
        "CLEARLINE__SELLER__CALLBACK_NUMBER": "+12125550101",
        "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "CLEARLINE__CARRIER__TWILIO__FROM": OUR_NUMBER,
        "CLEARLINE__LOG__LEVEL": "debug",
        **more,
    }


@pytest.fixture(scope="session")
def idle_server(home):
    """`serve` with a public address and no agent: it turns every call away."""
    settings = serve_settings(
        home,
        "idle",
        CLEARLINE__SERVER__PUBLIC_URL=PUBLIC_URL,
        CLEARLINE__CARRIER__TWILIO__PREVIOUS_AUTH_TOKEN=PREVIOUS_AUTH_TOKEN,
        CLEARLINE__CARRIER__TWILIO__SHARED_KEYS=f"{SHARED_KEY_ID}={SHARED_KEY_SECRET}",
        # Nobody listens there: an idle server has no reason to call.
        CLEARLINE__CARRIER__TWILIO__API_URL="http://127.0.0.1:9",
    )
    yield from running("idle", ["serve"], home, settings)


@pytest.fixture(scope="session")
def unnamed_server(home):
    """`serve` without a public address."""
    settings = serve_settings(home, "unnamed", CLEARLINE__CARRIER__TWILIO__API_URL="http://127.0.0.1:9")
    yield from running("unnamed", ["serve"], home, settings)


def twilio_arguments() -> list[str]:
    credentials = ["--account-sid", ACCOUNT_SID, "--auth-token", AUTH_TOKEN]
    return ["emulate", "twilio", "--listen", "127.0.0.1:0", "--number", OUR_NUMBER, *credentials]


def elevenlabs_arguments() -> list[str]:
    return ["emulate", "elevenlabs", "--listen", "127.0.0.1:0", "--auth-token", XI_API_KEY]


@pytest.fixture(scope="session")
def twilio_emulator(home):
    yield from running("twilio", twilio_arguments(), home)


@pytest.fixture(scope="session")
def elevenlabs_emulator(home):
    yield from running("elevenlabs", elevenlabs_arguments(), home)


@pytest.fixture(scope="session")
def server(home, twilio_emulator, elevenlabs_emulator):
    """`serve` between the emulated carrier and the emulated agent, as a test tool that cannot sign sees it."""
    settings = serve_settings(
        home,
        "server",
        CLEARLINE__SERVER__PUBLIC_URL=PUBLIC_URL,
        CLEARLINE__MEDIA__UNSIGNED_LOOPBACK="true",
        CLEARLINE__CARRIER__TWILIO__API_URL=twilio_emulator.url,
        CLEARLINE__AGENTS__ELEVENLABS__API_URL=elevenlabs_emulator.url,
        ELEVENLABS_API_KEY=XI_API_KEY,
        CLEARLINE__AGENTS__DEFAULT=f"elevenlabs:{RECEPTION}",
    )
    yield from running("server", ["serve"], home, settings)
