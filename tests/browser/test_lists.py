"""Lists that stay open all day: filtered by the server, looked at again, with nothing lost of where one was."""

import copy
import json
import re

import pytest
from playwright.sync_api import expect

from conftest import fetch, post

AGAIN_MS = 31_000


def test_calls_are_filtered_by_the_server(world, sign_in):
    with pytest.raises(Exception, match="403"):
        post(f"{world.server.url}/api/v1/calls", {"to": "+13055550148"}, world.admin)
    call = world.ring("silent")
    page = sign_in("operator")
    page.goto(f"{world.server.url}/console/calls")
    expect(page.locator(f"#rows a[href$='{call}']")).to_be_visible()
    with page.expect_response(re.compile(r"/api/v1/calls\?.*disposition=blocked")) as answer:
        page.get_by_label("Disposition").select_option("blocked")
    found = [call["id"] for call in answer.value.json()["calls"]]
    expect(page.locator("#rows tr")).to_have_count(len(found))
    assert found and all(outcome == "Blocked" for outcome in page.locator("#rows .chip").all_text_contents())
    page.get_by_label("State").select_option("live")
    expect(page.locator("#none")).to_be_visible()
    world.end(call)


def test_calls_are_looked_at_again_and_stay_where_they_were(world, sign_in):
    page = sign_in("operator", viewport={"width": 1280, "height": 500})
    template = json.loads(fetch(f"{world.server.url}/api/v1/calls/{world.ring('silent')}", world.admin))

    def numbered(n: int) -> dict:
        return {**copy.deepcopy(template), "id": f"call_{n:032x}", "from": f"+1212•••{n:04}", "state": "in_progress", "disposition": None}

    calls = [numbered(n) for n in range(250, 0, -1)]

    def listed(route) -> None:
        query = dict(part.split("=") for part in route.request.url.split("?")[1].split("&"))
        first = int(query.get("cursor", "0"))
        last = first + int(query["limit"])
        route.fulfill(json={"calls": calls[first:last], "next_cursor": str(last) if last < len(calls) else None})

    page.route("**/api/v1/calls?**", listed)
    page.clock.install()
    page.goto(f"{world.server.url}/console/calls")
    rows = page.locator("#rows tr")
    expect(rows).to_have_count(100)
    page.get_by_role("button", name="Older calls").click()
    expect(rows).to_have_count(200)
    link = page.locator(f"#rows a[href$='{calls[150]['id']}']")
    link.focus()
    place = link.bounding_box()["y"]
    assert 0 < place < 500 and page.evaluate("scrollY") > 1000

    # Three calls come, the one that is looked at ends, one is not in the list any more.
    calls[150].update(state="ended", disposition="completed")
    gone = calls.pop(10)["id"]
    calls[:0] = [numbered(n) for n in (253, 252, 251)]
    page.clock.fast_forward(AGAIN_MS)
    expect(rows.first).to_contain_text("0253")
    expect(rows).to_have_count(200)
    expect(link.locator("xpath=ancestor::tr")).to_contain_text("Completed")
    expect(link).to_be_focused()
    expect(page.locator(f"#rows a[href$='{gone}']")).to_have_count(0)
    moved = abs(link.bounding_box()["y"] - place)
    assert moved < 3, moved


def test_the_audit_log_is_looked_at_again(world, sign_in):
    page = sign_in("operator")
    page.clock.install()
    page.goto(f"{world.server.url}/console/audit")
    rows = page.locator("#rows tr")
    expect(rows.first).to_be_visible()
    before = rows.first.text_content()
    count = rows.count()
    for number in ["+13055550149", "+13055550150"]:
        post(f"{world.server.url}/api/v1/dnc", {"number": number, "note": "asked"}, world.admin)
    page.clock.fast_forward(AGAIN_MS)
    expect(rows.first).to_contain_text("put on the do-not-call list")
    expect(rows.nth(1)).to_contain_text("put on the do-not-call list")
    texts = rows.all_text_contents()
    # What was there stands below what came since, once.
    assert len(texts) == count + 2 and texts[2] == before, texts[:4]
