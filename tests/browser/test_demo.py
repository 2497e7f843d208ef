"""`clearline demo` as somebody meets it who runs it and opens the link that it prints.

The settings name an agent of the user's own beside the emulated ones; its vendor is an emulated one too, but not the demo's.
"""

import json
import re
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect

import programs
from agents import XI_API_KEY
from conftest import SELLER, fetch, post

# The address, and the rest of the link.
LINK = re.compile(r"console: (http://127\.0\.0\.1:\d+)(/console/sign-in\?token=\w+)\n")

MASKED_SELLER = "+1212•••0113"
MASKED_REFUSER = "+1305•••0142"
# Where it is 05:00 by the demo's clock.
EARLY_RISER = "+18085550123"
MASKED_EARLY_RISER = "+1808•••0123"

# The demo plays its calls one after the other: how long the first may take.
A_CALL_S = 90


@dataclass
class Demo:
    """A running demo, and the agent of the user's own at its vendor."""

    program: programs.Program
    agent: str
    vendor: programs.Program
    session: dict | None = None

    @property
    def link(self) -> str:
        return "".join(LINK.search(programs.read(self.program.output)).groups())

    def page(self, open_page) -> Page:
        """A page of whoever used the link, which is used up with the first one."""
        page = open_page(storage_state=self.session) if self.session else open_page()
        page.goto(f"{self.program.url}/console" if self.session else self.link)
        page.wait_for_url(f"{self.program.url}/console")
        self.session = page.context.storage_state()
        return page

    def first_call(self, page: Page) -> str:
        """The address of the call that the gate allowed."""
        calls = page.request.get(f"{self.program.url}/api/v1/calls").json()["calls"]
        to_the_seller = [call for call in calls if call["to"] == MASKED_SELLER]
        return f"{self.program.url}/console/calls/{to_the_seller[-1]['id']}"

    def conversations_at_the_vendor(self) -> int:
        log = json.loads(fetch(f"{self.vendor.url}/_emulator/log"))
        return sum(entry["event"] == "sent" and entry.get("type") == "conversation_initiation_metadata" for entry in log)


@pytest.fixture(scope="module")
def demo(home):
    vendor = programs.start("users-vendor", ["emulate", "elevenlabs", "--listen", "127.0.0.1:0", "--auth-token", XI_API_KEY], home)
    started = [vendor]
    try:
        agent = f"elevenlabs:{users_agent(vendor)}"
        settings = {
            "ELEVENLABS_API_KEY": XI_API_KEY,
            "CLEARLINE__AGENTS__DEFAULT": agent,
            "CLEARLINE__AGENTS__ELEVENLABS__API_URL": vendor.url,
        }
        program = programs.start("demo", ["demo"], home, settings, LINK)
        started.append(program)
        yield Demo(program, agent, vendor)
    finally:
        for program in reversed(started):
            program.stop()


def users_agent(vendor: programs.Program) -> str:
    formats = {"asr": {"user_input_audio_format": "ulaw_8000"}, "tts": {"agent_output_audio_format": "ulaw_8000"}}
    body = {"name": "The user's own", "tags": ["script:reception"], "conversation_config": formats}
    return post(f"{vendor.url}/v1/convai/agents/create", body, headers={"xi-api-key": XI_API_KEY})["agent_id"]


def test_the_link_signs_in_once_and_the_call_that_is_on_is_watched(demo, open_page, shot):
    page = demo.page(open_page)
    expect(page.locator("#menu summary")).to_contain_text("demo admin")
    row = page.get_by_role("row").filter(has_text=MASKED_SELLER)
    expect(row).to_contain_text("In progress")
    shot(page, "demo-live")
    row.get_by_role("link").click()
    expect(page.locator("#state")).to_have_text("In progress")
    expect(page.locator("#decision")).to_contain_text("Allowed")
    # It grows while it is watched.
    lines = page.locator("#lines li")
    expect(lines.first).to_contain_text("Hello, this is Ava")
    expect(lines.nth(1)).to_contain_text("Yes, this is a good time.")
    expect(page.locator("#state")).to_have_text("In progress")
    shot(page, "demo-call")

    second = open_page()
    second.goto(demo.link)
    expect(second.get_by_role("alert")).to_contain_text("This link was used before")
    second.goto(f"{demo.program.url}/console")
    expect(second.get_by_label("API key")).to_be_visible()


def switch_on(demo: Demo, page: Page, number: str | None = None) -> None:
    page.goto(f"{demo.program.url}/console/phone")
    if number:
        page.get_by_label("This phone's number").fill(number)
    page.get_by_role("button", name="Switch on").click()
    expect(page.locator("#phone")).to_have_attribute("data-state", "on")


def have_an_agent_call(page: Page) -> None:
    page.get_by_role("button", name="Have an agent call me").click()


@pytest.mark.parametrize("whose", ["emulated", "the user's own"])
def test_an_agent_calls_the_phone_in_the_browser(demo, open_page, shot, whose):
    page = demo.page(open_page)
    switch_on(demo, page)
    agents = page.get_by_label("By this agent")
    expect(agents.locator("option")).to_have_text(
        ["elevenlabs:agent_follow_up (emulated)", "elevenlabs:agent_reception (emulated)", f"{demo.agent} (emulated)"]
    )
    before = demo.conversations_at_the_vendor()
    shot(page, "demo-phone")
    if whose == "emulated":
        words = "Hello, this is Ava, an automated assistant calling for Riverside Homes."
    else:
        agents.select_option(demo.agent)
        words = "Riverside Homes, this is Ava, an automated assistant. How can I help you?"
    have_an_agent_call(page)
    phone = page.locator("#phone")
    expect(phone).to_have_attribute("data-state", "ringing")
    expect(page.locator("#from")).to_have_text("+12125550100")
    expect(page.locator("#asked")).to_contain_text("The gate allowed the call.")
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Its page, in a new tab").click()
    page.get_by_role("button", name="Answer").click()
    expect(phone).to_have_attribute("data-state", "talking")
    watched = opened.value
    expect(watched.locator("#lines")).to_contain_text(words)
    # The synthetic microphone beeps without end. The agent hears it, and lets itself be talked over.
    expect(watched.locator("#timeline")).to_contain_text("The caller talked over the agent")
    shot(page, "demo-phone-talking")
    page.get_by_role("button", name="Hang up").click()
    expect(phone).to_have_attribute("data-state", "on")
    expect(watched.locator("#state")).to_have_text("Completed")
    assert demo.conversations_at_the_vendor() - before == (0 if whose == "emulated" else 1)


def test_the_page_of_the_allowed_call_tells_all_of_it(demo, open_page, shot):
    page = demo.page(open_page)
    demo.program.wait_for(re.compile("2. An outbound call that the gate blocks"), A_CALL_S)
    page.goto(demo.first_call(page))
    expect(page.locator("#state")).to_have_text("Completed")

    decision = page.locator("#decision")
    expect(decision).to_contain_text("Allowed")
    expect(decision).to_contain_text("Under 47 USC 227(b)(1)(A)(iii); 47 CFR 64.1200(a)(2), (f)(9).")
    decision.get_by_text("28 rules were asked, 0 refuse").click()
    expect(decision.locator(".rules li")).to_have_count(28)
    expect(decision.locator(".rules .law").first).to_be_visible()
    decision.get_by_text("Where it came from").click()
    expect(decision).to_contain_text("litigator list, as of Oct 1, 2026")
    decision.get_by_text("What the gate was told").click()
    expect(decision.get_by_text("telemarketing").first).to_be_visible()

    told = [
        r"Call was asked for \(demo, demo\)", "The gate allowed it", "Dialling", "The phone rings", "Answered", "Audio connected",
        r"Agent ready after \d+ ms", "First audio of the agent heard", r"The agent answers after \d+ ms", "The caller talked over the agent",
        "Tool take_note called", r"Tool take_note answered after \d+ ms", "End asked for by agent", "Ended: Completed",
    ]
    # In this order, whatever stands between them.
    expect(page.locator("#timeline")).to_have_text(re.compile(".*".join(told), re.DOTALL))

    expect(page.locator("#latency svg").first).to_have_attribute("aria-label", re.compile(r"Gate \d+ ms.*Ringing \d+ ms"))
    expect(page.locator("#latency")).to_contain_text(re.compile(r"Clearline added \d+(\.\d+)? (µs|ms) to each piece of audio"))

    cut = page.locator("#lines li").filter(has_text="Great, thank you. We can make a cash offer")
    # What was not heard is the end of the sentence, and something of it was heard.
    expect(cut.locator("del")).to_have_text(re.compile(r"We also take care of the paperwork\.$"))
    expect(cut.locator("del")).not_to_contain_text("Great, thank you.")
    expect(cut).to_contain_text(re.compile(r"the caller talked over it: [\d.]+ of [\d.]+ s were heard"))
    expect(page.locator("#lines del")).to_have_count(1)
    shot(page, "demo-ended", full_page=True)


def test_it_says_why_a_call_was_blocked_and_when_it_may_be_tried_again(demo, open_page, shot):
    page = demo.page(open_page)
    demo.program.wait_for(re.compile("3. An inbound call"), A_CALL_S)
    switch_on(demo, page, EARLY_RISER)
    have_an_agent_call(page)
    expect(page.locator("#asked")).to_contain_text("The gate refused the call.")
    expect(page.locator("#asked")).to_contain_text("May be tried again from")
    shot(page, "demo-phone-refused")

    page.goto(f"{demo.program.url}/console/decisions")
    asked_not_to = page.locator("#rows > li").filter(has_text=MASKED_REFUSER)
    expect(asked_not_to).to_contain_text("INTERNAL_DNC")
    expect(asked_not_to).to_contain_text("This person asked not to be called")
    expect(asked_not_to).to_contain_text("47 CFR 64.1200(d)(3), (d)(6)")
    expect(asked_not_to).to_contain_text("Waiting does not help")
    early = page.locator("#rows > li").filter(has_text=MASKED_EARLY_RISER)
    expect(early).to_contain_text("OUTSIDE_HOURS")
    expect(early).to_contain_text("47 CFR 64.1200(c)(1)")
    expect(early).to_contain_text("May be tried again from Oct 14, 14:00 (there: Wed, Oct 14, 08:00 HST).")
    shot(page, "demo-decisions", full_page=True)


def test_a_number_put_on_the_list_is_not_called_again(demo, open_page, shot):
    page = demo.page(open_page)
    page.goto(demo.first_call(page))
    page.get_by_role("button", name="Mark do-not-call").click()
    page.get_by_role("dialog").get_by_role("button", name="Mark do-not-call").click()
    expect(page.get_by_role("button", name="On the do-not-call list")).to_be_disabled()
    expect(page.locator("#timeline")).to_contain_text("Asked not to be called again (console)")

    page.goto(f"{demo.program.url}/console/numbers")
    page.locator("#number").fill(SELLER)
    page.get_by_role("button", name="Could we call now?").click()
    answer = page.locator("#found section").first
    expect(answer).to_contain_text(f"Could we call {MASKED_SELLER} now?")
    expect(answer).to_contain_text("Refused")
    expect(answer).to_contain_text("INTERNAL_DNC")
    expect(page.locator("#found")).to_contain_text("Listed")
    shot(page, "demo-number", full_page=True)

    switch_on(demo, page, SELLER)
    have_an_agent_call(page)
    expect(page.locator("#asked")).to_contain_text("INTERNAL_DNC")
    expect(page.locator("#phone")).to_have_attribute("data-state", "on")


def test_all_outbound_calls_are_stopped_and_released(demo, open_page, shot):
    page = demo.page(open_page)
    switch_on(demo, page)
    page.get_by_role("button", name="Stop all outbound").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Stop all outbound calls").click()
    # Without a reason nothing is stopped.
    expect(dialog).to_be_visible()
    dialog.get_by_role("textbox").fill("a complaint")
    dialog.get_by_role("button", name="Stop all outbound calls").click()
    expect(page.get_by_role("alert")).to_contain_text(re.compile("All outbound calls are stopped .* by demo: a complaint"))
    have_an_agent_call(page)
    expect(page.locator("#asked")).to_contain_text("OUTBOUND_STOPPED")
    shot(page, "demo-stopped")
    page.get_by_role("button", name="Release").click()
    dialog.get_by_role("textbox").fill("settled")
    dialog.get_by_role("button", name="Release outbound calls").click()
    expect(page.locator("#stopped")).to_be_hidden()
    have_an_agent_call(page)
    expect(page.locator("#phone")).to_have_attribute("data-state", "ringing")
    page.get_by_role("button", name="Decline").click()
    expect(page.locator("#phone")).to_have_attribute("data-state", "on")
