"""What the page of one call knows: where the time went, and the decisions about it."""

import re

import pytest
from playwright.sync_api import Page, expect


ANSWER = re.compile(r"The agent's answers: agent \d+ (ms|s), Clearline [0-9.]+ (µs|ms), carrier about \d+ ms")


def answers(page: Page):
    return page.locator("#latency svg").nth(1)


def test_the_time_split_is_of_the_audio_and_the_same_live_and_afterwards(world, sign_in):
    page = sign_in("operator")
    call = world.ring("visitor")
    page.goto(f"{world.server.url}/console/calls/{call}")
    # While the call is on, with what we add as of now.
    expect(page.locator("#latency")).to_contain_text(re.compile("Clearline adds [0-9.]+ (µs|ms) to each piece of audio"))
    expect(answers(page)).to_have_attribute("aria-label", ANSWER)
    expect(page.locator("#state")).to_have_text("Completed")
    expect(page.locator("#latency")).to_contain_text("Clearline added")
    expect(page.locator("#latency")).to_contain_text("is not known here")
    expect(page.locator("#timeline")).to_contain_text(re.compile(r"First audio of the agent heard, \d+ ms after the audio connected"))
    expect(page.locator("#timeline")).to_contain_text(re.compile(r"The agent answers after \d+ ms: agent \d+ ms, Clearline"))
    expect(page.locator("#timeline")).not_to_contain_text("by its text")
    shown = [chart.get_attribute("aria-label") for chart in page.locator("#latency svg").all()]
    lines = page.locator("#timeline li").all_text_contents()
    assert "First audio" in shown[0] and "To the phone" in shown[0], shown
    page.reload()
    expect(page.locator("#timeline")).to_contain_text("Ended: Completed")
    assert [chart.get_attribute("aria-label") for chart in page.locator("#latency svg").all()] == shown
    assert page.locator("#timeline li").all_text_contents() == lines

    # A call from before the audio was timed.
    def older(route) -> None:
        state = route.fetch().json()
        state["events"] = [entry for entry in state["events"] if entry["event"]["type"] != "turn_timed"]
        route.fulfill(json=state)

    page.route("**/console/data/calls/*", older)
    page.reload()
    expect(answers(page)).to_have_attribute("aria-label", re.compile(r"The agent's answers: agent \d+ ms(;|$)"))
    expect(page.locator("#latency")).to_contain_text("By the texts alone")
    expect(page.locator("#timeline")).to_contain_text(re.compile(r"The agent answers after \d+ ms, by its text"))


def test_a_transfers_decision_stands_beside_the_calls_own(world, sign_in):
    outside = "+13055550144"
    call = world.ring("silent")
    page = sign_in("operator")
    page.goto(f"{world.server.url}/console/calls/{call}")
    expect(page.locator("#state")).to_have_text("In progress")
    box = page.locator("#transfers-box")
    expect(box).to_be_hidden()
    with pytest.raises(Exception, match="403"):
        world.step(call, "transfer", {"to": outside, "purpose": "telemarketing"})
    for _ in range(2):
        expect(box.get_by_role("heading", level=3)).to_have_text("Transfer refused to +1305•••0144")
        expect(box).to_contain_text("FACT_UNKNOWN")
        expect(box).to_contain_text("47 CFR 64.1200")
        box.get_by_text(re.compile(r"\d+ rules were asked, \d+ refuse")).click()
        expect(box.locator(".rules .bad").first).to_be_visible()
        box.get_by_text("What the gate was told").click()
        expect(box.locator("dl.pairs").first).to_be_visible()
        # The call came in: the gate was not asked about it.
        expect(page.locator("#decision-box")).to_be_hidden()
        page.reload()
    world.end(call)
