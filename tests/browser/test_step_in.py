"""An operator steps into a live call, and a person in the browser is the called party. The microphone is Chromium's synthetic one."""

import base64
import json
import re
import urllib.parse
import urllib.request

from playwright.sync_api import Page, expect

from conftest import ACCOUNT_SID, AUTH_TOKEN, COLLEAGUE, OUR_NUMBER, SELLER, VISITOR, World, fetch


def open_call(world: World, page: Page, call: str) -> None:
    page.goto(f"{world.server.url}/console/calls/{call}")
    expect(page.locator("#state")).to_have_text("In progress")
    expect(page.locator("#lines")).to_contain_text("Riverside Homes, this is Ava")


def wait_for(page: Page, what: str, expression: str) -> None:
    """Looks through the debugger: the pages' policy forbids Playwright's own waiting, which evaluates texts."""
    for _ in range(300):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"waited in vain: {what}")


def loud(audio: bytes) -> int:
    """How many samples are no silence. The seven low bits of µ-law count down from silence."""
    return sum((byte & 0x7F) < 0x60 for byte in audio)


def hear_more(world: World, page: Page, sid: str, before: int) -> None:
    """Waits until the phone has heard a twentieth of a second more of something."""
    for _ in range(300):
        page.wait_for_timeout(100)
        if loud(world.heard(sid)) > before + 400:
            return
    raise AssertionError("nothing more was heard on the phone")


def test_listening_is_heard_and_written_down(world, sign_in):
    call = world.ring("pattern")
    page = sign_in("operator")
    open_call(world, page, call)
    page.keyboard.press("i")
    expect(page.get_by_role("group", name="Listening")).to_contain_text("Nobody hears you")
    wait_for(page, "audio", "Number(document.getElementById('panel').dataset.frames) > 50")
    caller = "document.querySelector('[aria-label=\"Level of the caller\"]').value > 0.001"
    wait_for(page, "the caller's level", caller)
    page.get_by_role("checkbox", name="Caller").uncheck()
    page.get_by_role("group", name="Listening").get_by_role("button", name="Stop listening").click()
    expect(page.locator("#panel")).to_be_empty()
    page.goto(f"{world.server.url}/console/audit")
    expect(page.get_by_role("row").filter(has_text="listen").first).to_contain_text("operator of the checks")
    world.end(call)


def test_the_agent_is_whispered_to_muted_and_put_on_hold(world, sign_in):
    call = world.ring("silent")
    page = sign_in("operator")
    open_call(world, page, call)
    page.keyboard.press("w")
    page.get_by_role("textbox", name="Whisper to the agent").fill("The caller is a returning customer.")
    page.keyboard.press("Enter")
    expect(page.locator("#timeline")).to_contain_text("operator of the checks whispered to the agent: The caller is a returning")
    page.get_by_role("button", name="Mute agent").click()
    unmute = page.get_by_role("button", name="Unmute agent")
    expect(unmute).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#timeline")).to_contain_text("Agent muted by operator of the checks")
    unmute.click()
    expect(page.get_by_role("button", name="Mute agent")).to_have_attribute("aria-pressed", "false")
    page.get_by_role("button", name="Hold").click()
    page.get_by_role("button", name="Take off hold").click()
    expect(page.locator("#timeline")).to_contain_text("Taken off hold")
    # What cannot be done is said, with the reason.
    page.get_by_role("button", name="Transfer").click()
    page.get_by_role("textbox", name="Transfer").fill("nobody")
    page.keyboard.press("Enter")
    expect(page.locator("#said .bad")).to_contain_text("nobody")
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_empty()
    world.end(call)


def test_a_call_is_recorded_from_its_page(world, sign_in):
    call = world.ring("silent")
    page = sign_in("operator")
    open_call(world, page, call)
    expect(page.get_by_role("button", name="Pause recording")).to_be_hidden()
    page.keyboard.press("r")
    # Asked for twice, it is announced once.
    page.keyboard.press("r")
    expect(page.locator("#said")).to_contain_text("The caller is being told of the recording.")
    stop = page.get_by_role("button", name="Stop recording")
    expect(stop).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#recorded")).to_have_text("This call is being recorded.")
    # The caller was told first.
    expect(page.locator("#lines li").filter(has=page.locator(".house"))).to_contain_text("This call is recorded")
    expect(page.locator("#timeline")).to_contain_text("Recording started by operator of the checks, its notice was heard")
    page.get_by_role("button", name="Pause recording").click()
    resume = page.get_by_role("button", name="Resume recording")
    expect(resume).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#recorded")).to_have_text("The recording is paused.")
    # Whoever comes later sees how it stands; who may only look can do nothing about it.
    viewer = sign_in("viewer")
    viewer.goto(f"{world.server.url}/console/calls/{call}")
    expect(viewer.locator("#recorded")).to_have_text("The recording is paused.")
    expect(viewer.get_by_role("button", name="Stop recording")).to_have_count(0)
    page.keyboard.press("u")
    expect(page.locator("#recorded")).to_have_text("This call is being recorded.")
    stop.click()
    expect(page.locator("#timeline")).to_contain_text("Recording stopped by operator of the checks")
    expect(page.locator("#recorded")).to_be_empty()
    expect(viewer.locator("#recorded")).to_be_empty()
    world.end(call)
    expect(page.get_by_role("button", name="Record", exact=True)).to_be_hidden()


def test_a_sentence_of_our_own_is_heard_and_stands_in_the_conversation(world, sign_in):
    call = world.ring("silent")
    sid = world.call(call)["call_sid"]
    page = sign_in("operator")
    open_call(world, page, call)
    page.keyboard.press("s")
    page.get_by_role("textbox", name="Say to the caller").fill("Please hold the line.")
    before = loud(world.heard(sid))
    page.keyboard.press("Enter")
    expect(page.locator("#lines li").filter(has=page.locator(".house"))).to_contain_text("Please hold the line.")
    expect(page.locator("#timeline")).to_contain_text("Our voice says, for operator of the checks: Please hold the line.")
    hear_more(world, page, sid, before)
    world.end(call)


def test_a_colleague_gets_the_call_and_the_gate_guards_outside_numbers(world, sign_in):
    world.seat(COLLEAGUE, "answer after 500ms\nsay Hello.\nwait 3s\nhang up")
    call = world.ring("silent")
    page = sign_in("operator")
    open_call(world, page, call)
    # An outside number is a called party of its own: the gate says no, with the reason, and the conversation goes on.
    page.keyboard.press("x")
    page.get_by_role("textbox", name="Transfer").fill("+13055550143")
    page.keyboard.press("Enter")
    expect(page.locator("#timeline")).to_contain_text(re.compile("The gate refused the transfer: [A-Z_]+"))
    expect(page.locator("#state")).to_have_text("In progress")
    page.get_by_role("textbox", name="Transfer").fill("sales")
    page.keyboard.press("Enter")
    expect(page.locator("#timeline")).to_contain_text("On its way to sales (operator of the checks)")
    expect(page.locator("#timeline")).to_contain_text("The other one took the call")
    expect(page.locator("#state")).to_have_text("Transferred")
    expect(page.locator("#actions button:visible")).to_have_count(1)


def test_taking_over_is_heard_at_the_other_side_and_handed_back(world, sign_in):
    call = world.ring("silent")
    sid = world.call(call)["call_sid"]
    page = sign_in("operator")
    open_call(world, page, call)
    page.get_by_role("button", name="Take over").click()
    expect(page.get_by_role("group", name="You speak with the caller")).to_be_visible()
    expect(page.locator("#timeline")).to_contain_text("Taken over by operator of the checks")
    before = loud(world.heard(sid))
    hear_more(world, page, sid, before)

    watcher = sign_in("admin")
    watcher.goto(f"{world.server.url}/console/calls/{call}")
    expect(watcher.locator("#taken")).to_contain_text("operator of the checks has taken the call over")
    # Two cannot speak at once: the second is refused, and the first keeps the call.
    watcher.get_by_role("button", name="Take over").click()
    expect(watcher.locator("#said .bad")).to_contain_text("operator of the checks has the call")
    expect(page.get_by_role("group", name="You speak with the caller")).to_be_visible()

    page.get_by_role("button", name="Hand back to the agent").click()
    expect(page.locator("#timeline")).to_contain_text("Handed back by operator of the checks")
    expect(page.locator("#state")).to_have_text("In progress")
    expect(watcher.locator("#taken")).to_be_empty()
    world.end(call)
    expect(page.get_by_role("button", name="Take over")).to_be_hidden()


def test_a_browser_is_the_phone_that_is_called_and_that_calls(world, sign_in):
    page = sign_in("admin")
    page.get_by_role("link", name="Phone").click()
    page.get_by_label("This phone's number").fill(VISITOR)
    page.get_by_role("button", name="Switch on").click()
    phone = page.locator("#phone")
    expect(phone).to_have_attribute("data-state", "on")
    page.locator("#to").fill(OUR_NUMBER)
    page.get_by_role("button", name="Call", exact=True).click()
    expect(phone).to_have_attribute("data-state", "talking")
    wait_for(page, "the agent's voice", "document.getElementById('level').value > 0.01")
    # What is heard is ahead of what was written down of it.
    for _ in range(300):
        newest = json.loads(fetch(f"{world.server.url}/api/v1/calls?limit=1", world.admin))["calls"][0]
        if newest["state"] == "in_progress":
            break
        page.wait_for_timeout(100)
    assert (newest["direction"], newest["from"], newest["state"]) == ("inbound", VISITOR, "in_progress")
    page.get_by_role("button", name="Key 5").click()
    page.get_by_role("button", name="Hang up").click()
    expect(phone).to_have_attribute("data-state", "on")

    # Somebody else's phone rings here; a declined one is free again.
    page.get_by_role("button", name="Switch off").click()
    page.get_by_label("This phone's number").fill(SELLER)
    page.get_by_role("button", name="Switch on").click()
    expect(phone).to_have_attribute("data-state", "on")
    ring_out(world, SELLER)
    expect(phone).to_have_attribute("data-state", "ringing")
    expect(page.locator("#from")).to_have_text(OUR_NUMBER)
    page.get_by_role("button", name="Decline").click()
    expect(phone).to_have_attribute("data-state", "on")
    ring_out(world, SELLER)
    expect(phone).to_have_attribute("data-state", "ringing")
    page.get_by_role("button", name="Answer").click()
    expect(phone).to_have_attribute("data-state", "talking")
    page.get_by_role("button", name="Switch off").click()
    expect(phone).to_have_attribute("data-state", "off")


def test_an_operator_who_may_not_place_calls_is_told_so_and_may_still_call(world, sign_in):
    page = sign_in("operator")
    page.goto(f"{world.server.url}/console/phone")
    page.get_by_label("This phone's number").fill("+12125550188")
    page.get_by_role("button", name="Switch on").click()
    expect(page.get_by_text("sign in with a key that may place calls")).to_be_visible()
    expect(page.get_by_role("button", name="Have an agent call me")).to_be_hidden()
    page.get_by_label("One of your own numbers").fill(OUR_NUMBER)
    page.get_by_role("button", name="Call", exact=True).click()
    expect(page.locator("#phone")).to_have_attribute("data-state", "talking")
    page.get_by_role("button", name="Hang up").click()
    expect(page.locator("#phone")).to_have_attribute("data-state", "on")


def ring_out(world: World, number: str) -> None:
    """The carrier is asked to ring a number, as the server asks it."""
    form = {"To": number, "From": OUR_NUMBER, "Twiml": '<Response><Pause length="20"/></Response>'}
    url = f"{world.twilio.url}/2010-04-01/Accounts/{ACCOUNT_SID}/Calls.json"
    request = urllib.request.Request(url, urllib.parse.urlencode(form).encode())
    credentials = base64.b64encode(f"{ACCOUNT_SID}:{AUTH_TOKEN}".encode()).decode()
    request.add_header("Authorization", f"Basic {credentials}")
    urllib.request.urlopen(request, timeout=10).close()
