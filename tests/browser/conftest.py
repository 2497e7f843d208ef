"""The world of the browser checks: a server between emulated vendors, and Chromium."""

import json
import os
import shutil
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

import programs
from agents import RECEPTION, XI_API_KEY

ACCOUNT_SID = "AC00000000000000000000000000000001"
AUTH_TOKEN = "auth-token-of-the-checks"

OUR_NUMBER = "+12125550100"

# Chromium refuses its sandbox to root, which is who CI is. The microphone is a tone of Chromium's own.
FLAGS = [
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
]

# Far beyond what anything takes: a busy machine must not fail a check.
expect.set_options(timeout=30_000)

VISITOR = "+12125550187"
MASKED_VISITOR = "+1212•••0187"
COLLEAGUE = "+12125550140"
SELLER = "+12125550113"


def post(url: str, body: dict, key: str = "", headers: dict[str, str] | None = None) -> dict:
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {}), **(headers or {})}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or b"null")


def fetch(url: str, key: str = "") -> bytes:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
        return answer.read()


@dataclass
class World:
    """A server with everything around it."""

    home: Path
    settings: dict[str, str]
    server: programs.Program
    twilio: programs.Program
    admin: str
    keys: dict[str, str] = field(default_factory=dict)

    def key(self, role: str) -> str:
        """The role's key, made when it is first asked for: two keys never share a name."""
        if role == "admin":
            return self.admin
        if role not in self.keys:
            made = programs.run(["keys", "create", f"{role} of the checks", "--role", role], self.home, self.settings)
            self.keys[role] = made.split()[0]
        return self.keys[role]

    def ring(self, phone: str, to: str = OUR_NUMBER) -> str:
        """Somebody calls us. Returns our id of the call."""
        sid = post(f"{self.twilio.url}/_emulator/inbound", {"from": VISITOR, "to": to, "phone": phone})["call_sid"]
        return self.call_of(sid)["id"]

    def call_of(self, sid: str) -> dict:
        for _ in range(1200):
            try:
                return json.loads(fetch(f"{self.server.url}/api/v1/calls/{sid}", self.admin))
            except urllib.error.HTTPError as error:
                assert error.code == 404, error
                error.close()
                time.sleep(0.05)
        raise AssertionError(f"the call {sid} did not reach the server\n{self.server.said()}")

    def call(self, call_id: str) -> dict:
        return json.loads(fetch(f"{self.server.url}/api/v1/calls/{call_id}", self.admin))

    def heard(self, sid: str) -> bytes:
        """What was played to the phone, as µ-law."""
        return fetch(f"{self.twilio.url}/_emulator/calls/{sid}/heard")

    def seat(self, number: str, script: str) -> None:
        """Who answers at this number, in the emulator's script language."""
        post(f"{self.twilio.url}/_emulator/phones", {"number": number, "script": script})

    def step(self, call_id: str, step: str, body: dict) -> None:
        post(f"{self.server.url}/api/v1/calls/{call_id}/{step}", body, self.admin)

    def end(self, call_id: str) -> None:
        post(f"{self.server.url}/api/v1/calls/{call_id}/end", {}, self.admin)


@pytest.fixture(scope="session")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("console")


@pytest.fixture(scope="session")
def world(home):
    credentials = ["--account-sid", ACCOUNT_SID, "--auth-token", AUTH_TOKEN]
    started = []
    try:
        listen = ["--listen", "127.0.0.1:0"]
        twilio = programs.start("twilio", ["emulate", "twilio", *listen, "--number", OUR_NUMBER, *credentials], home)
        started.append(twilio)
        agents = programs.start("elevenlabs", ["emulate", "elevenlabs", *listen, "--auth-token", XI_API_KEY], home)
        started.append(agents)
        settings = {
            "CLEARLINE__SERVER__LISTEN": "127.0.0.1:0",
            "CLEARLINE__SERVER__DRAIN_LIMIT_S": "0",
            "CLEARLINE__STORE__URL": f"sqlite://{home / 'console'}.sqlite3",
            "CLEARLINE__SELLER__NAME": "Riverside Homes",
            "CLEARLINE__SELLER__CALLBACK_NUMBER": OUR_NUMBER,
            "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
            "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
            "CLEARLINE__CARRIER__TWILIO__FROM": OUR_NUMBER,
            "CLEARLINE__CARRIER__TWILIO__API_URL": twilio.url,
            "CLEARLINE__AGENTS__ELEVENLABS__API_URL": agents.url,
            "ELEVENLABS_API_KEY": XI_API_KEY,
            "CLEARLINE__AGENTS__DEFAULT": f"elevenlabs:{RECEPTION}",
            "CLEARLINE__LIMITS__COST_PER_MINUTE": "0.25",
            "CLEARLINE__TRANSFERS__TARGETS": f"sales={COLLEAGUE}",
        }
        admin = programs.run(["keys", "create", "admin of the checks", "--role", "admin"], home, settings).split()[0]
        server = programs.start("server", ["serve"], home, settings)
        started.append(server)
        number = {"number": OUR_NUMBER, "voice_url": f"{server.url}/webhooks/voice"}
        number["status_callback"] = f"{server.url}/webhooks/status-callback"
        request = urllib.request.Request(f"{twilio.url}/_emulator/numbers", json.dumps(number).encode())
        urllib.request.urlopen(request, timeout=60).close()
        yield World(home, settings, server, twilio, admin)
    finally:
        for program in reversed(started):
            program.stop()


@pytest.fixture(scope="session")
def chromium():
    path = shutil.which("chromium")
    assert path, "chromium is missing: run tests/browser/run.sh, which installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser):
    """Opens pages in contexts of their own. Whatever a page complained about fails the check."""
    contexts, complaints = [], []

    def complain(message) -> None:
        # A refusal that a page shows to its user is no fault of the page.
        refusals = ["status of 4", "response code: 4", "ERR_"]
        if message.type == "error" and not any(refusal in message.text for refusal in refusals):
            complaints.append(message.text)

    def open_(**options) -> Page:
        settings = {"viewport": {"width": 1280, "height": 800}, "timezone_id": "America/New_York", "locale": "en-US"}
        settings["permissions"] = ["microphone"]
        context = chromium.new_context(**{**settings, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("console", complain)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not complaints, complaints


@pytest.fixture
def sign_in(open_page, world):
    """A page of somebody with this role."""

    def sign_in_(role: str, base: str | None = None, **options) -> Page:
        page = open_page(**options)
        page.goto(f"{base or world.server.url}/console/sign-in")
        page.get_by_label("API key").fill(world.key(role))
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/console")
        return page

    return sign_in_


@pytest.fixture
def shot():
    """Keeps a picture of a page where somebody asked for them."""
    folder = os.environ.get("SHOTS")

    def shot_(page: Page, name: str, **options) -> None:
        if folder:
            page.screenshot(path=f"{folder}/{name}.png", **options)

    return shot_
