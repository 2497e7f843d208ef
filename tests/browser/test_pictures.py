"""Pictures of the pages for the documents, taken where `SHOTS` names a folder."""

import os
import urllib.error

import pytest
from playwright.sync_api import expect

from conftest import post


@pytest.mark.skipif("SHOTS" not in os.environ, reason="SHOTS names no folder for pictures")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pictures(world, sign_in, shot, theme):
    post(f"{world.server.url}/api/v1/dnc", {"number": "+13055550142", "note": "asked"}, world.admin)
    with pytest.raises(urllib.error.HTTPError):
        post(f"{world.server.url}/api/v1/calls", {"to": "+13055550142"}, world.admin)
    calls = [world.ring("silent"), world.ring("visitor"), world.ring("echo"), world.ring("visitor")]
    page = sign_in("operator", color_scheme=theme)
    page.wait_for_timeout(8_500)
    shot(page, f"live-{theme}")
    page.goto(f"{world.server.url}/console/calls/{calls[1]}")
    page.get_by_role("button", name="Listen").click()
    expect(page.locator("#lines")).to_contain_text("We are open Monday to Friday")
    page.wait_for_timeout(1_000)
    shot(page, f"call-{theme}")
    page.goto(f"{world.server.url}/console/decisions")
    expect(page.locator("#rows > li").first).to_be_visible()
    shot(page, f"decisions-{theme}")
    page.goto(f"{world.server.url}/console/calls/{calls[1]}")
    expect(page.locator("#state")).to_have_text("Completed")
    shot(page, f"ended-{theme}")
    for call in calls:
        world.end(call)
