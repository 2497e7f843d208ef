"""The console as its users work with it."""

import json
import os
import re
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import programs
from conftest import MASKED_VISITOR, SELLER, VISITOR, fetch, post
from cut_proxy import CutProxy

AXE = Path(os.environ.get("AXE", programs.ROOT / "target/browser-axe/node_modules/axe-core/axe.min.js"))

PAGES = ["/console", "/console/calls", "/console/decisions", "/console/numbers", "/console/health", "/console/audit", "/console/phone"]


def live(page: Page) -> None:
    expect(page.locator("#feed")).to_have_text(re.compile("^Live"))


def test_a_call_is_watched_live(world, sign_in):
    page = sign_in("operator")
    live(page)
    call = world.ring("visitor")
    row = page.get_by_role("row").filter(has=page.locator(f"a[href$='{call}']"))
    expect(row).to_contain_text("In progress")
    expect(row).to_contain_text(MASKED_VISITOR)
    expect(row).to_contain_text("Riverside Homes, this is Ava")
    expect(row.locator(".cost")).to_have_text(re.compile(r"^[0-9]\.[0-9]*[1-9]"))
    expect(row.locator(".added")).to_have_text(re.compile(r"^[0-9.]+ (µs|ms)$"))
    # The agent speaks: its bar moves, as does the caller's when they do.
    for who in ["agent", "caller"]:
        for _ in range(300):
            if row.locator(f"meter.{who}").evaluate("meter => meter.value") > 0.2:
                break
            page.wait_for_timeout(100)
        else:
            raise AssertionError(f"the {who} was not heard to speak")
    row.get_by_role("link").click()
    lines = page.locator("#lines")
    expect(lines).to_contain_text("Riverside Homes, this is Ava")
    expect(lines).to_contain_text("Hello, what are your opening hours?")
    expect(page.locator("#state")).to_have_text("Completed")
    expect(page.locator("#timeline")).to_contain_text("Ended: Completed")
    expect(page.locator("#latency svg").first).to_have_attribute("aria-label", re.compile("Agent ready \\d+ ms"))
    expect(page.locator("#facts")).to_contain_text("Clearline added")
    expect(page.locator("#hang-up")).to_be_hidden()
    with page.expect_download() as download:
        page.get_by_role("link", name="Events as CSV").click()
    text = Path(download.value.path()).read_text(encoding="utf-8")
    assert text.startswith("seq,at,type,event") and ",caller_said," in text


def test_numbers_are_shown_in_full_to_those_who_may_and_ask_for_it(world, sign_in):
    call = world.ring("silent")
    for role, may in [("operator", True), ("viewer", False)]:
        page = sign_in(role)
        row = page.get_by_role("row").filter(has=page.locator(f"a[href$='{call}']"))
        expect(row).to_contain_text(MASKED_VISITOR)
        page.locator("#menu summary").click()
        full = page.get_by_label("Numbers in full")
        expect(full).to_be_visible(visible=may)
        if not may:
            continue
        full.check()
        expect(row).to_contain_text(VISITOR)
        page.goto(f"{world.server.url}/console/calls/{call}")
        expect(page.locator("h1")).to_contain_text(VISITOR)
        page.locator("#menu summary").click()
        full.uncheck()
        expect(page.locator("h1")).to_contain_text(MASKED_VISITOR)
        page.locator("#menu summary").click()
        full.check()
        expect(page.locator("h1")).to_contain_text(VISITOR)
        page.locator("#menu summary").click()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/console/sign-in*")
        assert all(cookie["name"] != "clearline_numbers" for cookie in page.context.cookies())
    world.end(call)


def test_it_says_why_a_call_was_refused(world, sign_in):
    post(f"{world.server.url}/api/v1/dnc", {"number": "+13055550142", "note": "asked"}, world.admin)
    with pytest.raises(Exception, match="403"):
        post(f"{world.server.url}/api/v1/calls", {"to": "+13055550142"}, world.admin)
    page = sign_in("operator")
    page.goto(f"{world.server.url}/console/decisions")
    refused = page.locator("#rows > li").filter(has_text="+1305•••0142").first
    expect(refused).to_contain_text("INTERNAL_DNC")
    expect(refused).to_contain_text("47 CFR 64.1200(d)")
    expect(refused).to_contain_text("Waiting does not help")
    refused.get_by_text("Every rule and input").click()
    expect(refused).to_contain_text(re.compile(r"28 rules were asked, \d+ refuse"))
    page.get_by_role("button", name=re.compile("Internal dnc")).click()
    expect(page.locator("#rows > li").first).to_contain_text("INTERNAL_DNC")

    page.goto(f"{world.server.url}/console/numbers")
    page.locator("#number").fill("555-0142")
    page.get_by_role("button", name="Could we call now?").click()
    expect(page.locator("#said")).to_contain_text("number")
    page.locator("#number").fill("(305) 555-0142")
    page.get_by_role("button", name="Could we call now?").click()
    expect(page.locator("#found")).to_contain_text("INTERNAL_DNC")
    expect(page.locator("#found")).to_contain_text("Listed")


def test_what_is_being_said_is_shown_before_it_is_settled(world, sign_in):
    page = sign_in("operator")
    call = world.ring("visitor")
    page.goto(f"{world.server.url}/console/calls/{call}")
    # Texts that were replaced a moment later are seen by the page only.
    page.evaluate(
        """() => {
          const line = document.getElementById("interim");
          window.interims = [];
          new MutationObserver(() => line.textContent && window.interims.push(line.textContent))
            .observe(line, { childList: true, characterData: true, subtree: true });
        }"""
    )
    expect(page.locator("#lines")).to_contain_text("Hello, what are your opening hours?")
    interims = page.evaluate("window.interims")
    assert any("Hello, what are your opening hours?".startswith(text.rstrip(" ….")) for text in interims), interims
    expect(page.locator("#interim")).to_be_hidden()
    world.end(call)


def test_a_recording_plays_in_step_with_the_conversation(world, sign_in):
    page = sign_in("operator")
    call = world.ring("visitor")
    page.goto(f"{world.server.url}/console/calls/{call}")
    expect(page.locator("#lines")).to_contain_text("Riverside Homes, this is Ava")
    world.step(call, "recording", {"step": "start"})
    expect(page.locator("#state")).to_have_text("Completed")
    page.get_by_role("button", name="Play the recording").click()
    audio = page.get_by_label("Recording of the call")
    expect(audio).to_be_visible()
    for _ in range(100):
        if audio.evaluate("audio => audio.duration") > 5:
            break
        page.wait_for_timeout(100)
    # A line that is clicked is where it goes on; that line is marked, and in its time the next ones.
    line = page.locator("#lines li").filter(has_text="We are open Monday to Friday")
    line.get_by_role("button").click()
    expect(line).to_have_class(re.compile("now"))
    # The recording began after the agent's first words, so the place is less than in the call.
    place = audio.evaluate("audio => audio.currentTime")
    assert 1 < place < audio.evaluate("audio => audio.duration") - 2, place
    expect(page.locator("#lines li.now")).to_contain_text("Thank you for calling. Goodbye.")
    page.goto(f"{world.server.url}/console/audit")
    expect(page.get_by_role("row").filter(has_text="listen to a recording").first).to_contain_text("operator of the checks")


def test_the_evidence_and_the_events_can_be_taken_along(world, sign_in):
    post(f"{world.server.url}/api/v1/dnc", {"number": "+13055550144", "note": "asked"}, world.admin)
    with pytest.raises(Exception, match="403"):
        post(f"{world.server.url}/api/v1/calls", {"to": "+13055550144"}, world.admin)
    call = json.loads(fetch(f"{world.server.url}/api/v1/calls?limit=1", world.admin))["calls"][0]["id"]
    page = sign_in("operator")
    page.goto(f"{world.server.url}/console/calls/{call}")
    expect(page.locator("#decision")).to_contain_text("INTERNAL_DNC")
    expect(page.locator("#quiet")).to_have_text("Nothing was said.")
    with page.expect_download() as download:
        page.get_by_role("button", name="Evidence bundle").click()
    assert download.value.suggested_filename == f"{call}-evidence.zip"
    with zipfile.ZipFile(download.value.path()) as bundle:
        evidence = json.loads(bundle.read("evidence.json"))
        assert evidence["decisions"][0]["call"]["to"] == "+13055550144"
        assert any(name.startswith("rules/") for name in bundle.namelist())
    with page.expect_download() as download:
        page.get_by_role("button", name="Call and events as JSON").click()
    saved = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert saved["call"]["id"] == call and saved["decision"] and saved["events"][0]["event"]["type"] == "created"
    page.get_by_text("Raw events").click()
    expect(page.locator("#raw")).to_contain_text('"type":"decided"')

    # Where there is no decision there is no evidence, and the page says so.
    call = world.ring("silent")
    page.goto(f"{world.server.url}/console/calls/{call}")
    page.get_by_role("button", name="Evidence bundle").click()
    expect(page.locator("#said .bad")).to_contain_text("never asked about this call")
    world.end(call)
    viewer = sign_in("viewer")
    viewer.goto(f"{world.server.url}/console/calls/{call}")
    expect(viewer.locator("#exports")).to_contain_text("Events as CSV")
    expect(viewer.get_by_role("button", name="Evidence bundle")).to_have_count(0)


def test_a_lost_connection_is_shown_and_loses_nothing(world, sign_in):
    with CutProxy(world.server.port) as proxy:
        page = sign_in("operator", proxy.url)
        live(page)
        before = world.ring("silent")
        expect(page.locator(f"a[href$='{before}']")).to_be_visible()
        proxy.cut()
        expect(page.locator("#feed")).to_have_text(re.compile("Connection lost"))
        during = world.ring("visitor")
        world.end(before)
        proxy.mend()
        expect(page.locator("#feed")).to_have_text(re.compile("Live again"))
        row = page.get_by_role("row").filter(has=page.locator(f"a[href$='{during}']"))
        expect(row).to_contain_text("agent")
        over = page.get_by_role("row").filter(has=page.locator(f"a[href$='{before}']"))
        expect(over).to_contain_text("Completed")
        world.end(during)


def test_a_call_page_has_every_event_once_after_its_connection_was_lost(world, sign_in):
    with CutProxy(world.server.port) as proxy:
        page = sign_in("operator", proxy.url)
        call = world.ring("visitor")
        page.goto(f"{proxy.url}/console/calls/{call}")
        expect(page.locator("#lines")).to_contain_text("Riverside Homes, this is Ava")
        for words in ["First note.", "Second note."]:
            proxy.cut()
            expect(page.locator("#feed")).to_have_text(re.compile("Connection lost"))
            world.step(call, "message", {"text": words})
            proxy.mend()
            expect(page.locator("#feed")).to_have_text(re.compile("Live"))
            expect(page.locator("#timeline")).to_contain_text(words)
        expect(page.locator("#state")).to_have_text("Completed")
        page.get_by_text("Raw events").click()
        # What the server kept, in its order, each once.
        kept = page.evaluate("async (id) => (await (await fetch(`/console/data/calls/${id}`)).json()).events.map((entry) => entry.seq)", call)
        expect(page.locator("#raw")).to_contain_text(f'"seq":{kept[-1]}}}')
        shown = [json.loads(line)["seq"] for line in page.locator("#raw").text_content().splitlines()]
        assert shown == kept
        assert page.locator("#lines li").filter(has_text="note.").count() == 2


def test_an_agents_key_may_work_its_calls_but_not_step_between(world, sign_in):
    call = world.ring("silent")
    page = sign_in("agent")
    page.goto(f"{world.server.url}/console/calls/{call}")
    expect(page.locator("#party")).to_contain_text("•••")
    expect(page.get_by_role("button", name="Whisper to agent")).to_be_visible()
    for hidden in ["Listen", "Take over", "Say to caller", "Mute agent", "Stop all outbound"]:
        expect(page.get_by_role("button", name=hidden).locator("visible=true")).to_have_count(0)
    refused = page.evaluate(
        """async (call) => {
          const headers = { "X-CSRF-Token": document.body.dataset.csrf, "Content-Type": "application/json" };
          const answer = async (path, body) => (await fetch(path, { method: "POST", headers, body: JSON.stringify(body) })).status;
          return [await answer(`/api/v1/calls/${call}/say`, { text: "Hi." }), await answer(`/api/v1/calls/${call}/mute`, {}),
            await answer("/api/v1/outbound/stop", { reason: "x" })];
        }""",
        call,
    )
    assert refused == [403, 403, 403]
    page.keyboard.press("e")
    page.get_by_role("dialog").get_by_role("button", name="Hang up").click()
    expect(page.locator("#state")).to_have_text("Completed")


def test_a_viewer_sees_less_and_cannot_act(world, sign_in):
    call = world.ring("silent")
    page = sign_in("viewer")
    live(page)
    expect(page.locator(f"a[href$='{call}']")).to_have_text("+1212•••0187")
    expect(page.get_by_role("button", name="Stop all outbound")).to_be_hidden()
    expect(page.get_by_role("link", name="Audit")).to_be_hidden()
    page.goto(f"{world.server.url}/console/calls/{call}")
    expect(page.locator("#party")).to_contain_text("•••")
    expect(page.locator("#actions button")).to_have_count(0)
    assert VISITOR not in page.content()
    # What the page does not offer, the server refuses.
    refused = page.evaluate(
        """async (call) => {
          const headers = { "X-CSRF-Token": document.body.dataset.csrf };
          const answer = async (path) => (await fetch(path, { method: "POST", headers })).status;
          return [await answer(`/api/v1/calls/${call}/end`), await answer("/api/v1/outbound/stop")];
        }""",
        call,
    )
    assert refused == [403, 403]
    assert world.call(call)["state"] == "in_progress"
    world.end(call)


def test_hang_up_and_stop_all_are_confirmed_and_written_down(world, sign_in):
    call = world.ring("silent")
    page = sign_in("operator")
    page.goto(f"{world.server.url}/console/calls/{call}")
    page.get_by_role("button", name="Hang up").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(page.locator("#state")).to_have_text("In progress")
    page.get_by_role("button", name="Hang up").click()
    page.get_by_role("dialog").get_by_role("button", name="Hang up").click()
    expect(page.locator("#state")).to_have_text("Completed")

    page.get_by_role("button", name="Stop all outbound").click()
    dialog = page.get_by_role("dialog")
    # Without a reason nothing is stopped.
    dialog.get_by_role("button", name="Stop all outbound calls").click()
    expect(dialog).to_be_visible()
    dialog.get_by_role("textbox").fill("a complaint")
    dialog.get_by_role("button", name="Stop all outbound calls").click()
    expect(page.get_by_role("alert")).to_contain_text(re.compile("All outbound calls are stopped .* a complaint"))
    asked = post(f"{world.server.url}/api/v1/check", {"number": SELLER}, world.admin)
    assert asked["reason_code"] == "OUTBOUND_STOPPED"
    page.get_by_role("button", name="Release").click()
    dialog.get_by_role("textbox").fill("settled")
    page.keyboard.press("Enter")
    expect(page.locator("#stopped")).to_be_hidden()

    page.goto(f"{world.server.url}/console/audit")
    for words in ["hang up", "stop all outbound", "release outbound"]:
        row = page.get_by_role("row").filter(has_text=words).first
        expect(row).to_contain_text("operator of the checks")
        expect(row).to_contain_text("console")


def test_everything_can_be_done_with_the_keyboard(world, sign_in):
    calls = [world.ring("silent") for _ in range(3)]
    page = sign_in("operator")
    live(page)
    expect(page.locator(f"a[href$='{calls[0]}']")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    page.keyboard.type("reception")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    first = page.evaluate("document.activeElement.href")
    page.keyboard.press("ArrowDown")
    second = page.evaluate("document.activeElement.href")
    assert first != second and "/console/calls/call_" in second
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/calls/call_*")
    expect(page.locator("#state")).to_have_text("In progress")
    page.keyboard.press("e")
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.get_by_role("dialog").get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#state")).to_have_text("Completed")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Hang up")
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    page.wait_for_url("**/console/decisions")
    page.keyboard.press("t")
    theme = page.evaluate("document.documentElement.dataset.theme")
    page.keyboard.press("l")
    page.wait_for_url("**/console")
    assert page.evaluate("document.documentElement.dataset.theme") == theme, "the theme stays"
    for call in calls:
        world.end(call)


def test_signing_in_stepping_in_and_stopping_all_need_no_mouse(world, open_page):
    call = world.ring("silent")
    page = open_page()
    page.goto(f"{world.server.url}/console/calls/{call}")
    # The sign-in page has its field ready and leads on to the page that was asked for.
    expect(page.get_by_label("API key")).to_be_focused()
    page.keyboard.type(world.key("operator"))
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/console/calls/{call}")
    expect(page.locator("#state")).to_have_text("In progress")
    page.keyboard.press("w")
    page.keyboard.type("A returning customer.")
    page.keyboard.press("Enter")
    expect(page.locator("#timeline")).to_contain_text("whispered to the agent: A returning customer.")
    page.keyboard.press("m")
    expect(page.get_by_role("button", name="Unmute agent")).to_be_visible()
    page.keyboard.press("m")
    expect(page.get_by_role("button", name="Mute agent")).to_be_visible()
    page.keyboard.press("i")
    expect(page.get_by_role("group", name="Listening")).to_be_visible()
    page.keyboard.press("i")
    expect(page.locator("#panel")).to_be_empty()
    page.keyboard.press("o")
    expect(page.get_by_role("group", name="You speak with the caller")).to_be_visible()
    page.keyboard.press("o")
    expect(page.locator("#timeline")).to_contain_text("Handed back by")
    page.keyboard.press("x")
    expect(page.get_by_role("textbox", name="Transfer")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#actions button").first).to_be_focused()

    page.keyboard.press("S")
    page.keyboard.type("a complaint")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("a complaint")
    release = page.get_by_role("button", name="Release")
    for _ in range(40):
        page.keyboard.press("Tab")
        if release.evaluate("button => button === document.activeElement"):
            break
    page.keyboard.press("Enter")
    page.keyboard.type("settled")
    page.keyboard.press("Enter")
    expect(page.locator("#stopped")).to_be_hidden()
    world.end(call)


def look_with_axe(page: Page, where: str) -> list[str]:
    # Through the debugger: the pages' own policy lets no foreign script in.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })")
    serious = [violation for violation in found["violations"] if violation["impact"] in ("serious", "critical")]
    return [
        f"{where}: {violation['id']}: {violation['help']} {[node['html'][:160] for node in violation['nodes'][:3]]}"
        for violation in serious
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(world, sign_in, open_page, theme):
    with pytest.raises(Exception, match="403"):
        post(f"{world.server.url}/api/v1/calls", {"to": "+13055550145"}, world.admin)
    refused = json.loads(fetch(f"{world.server.url}/api/v1/calls?limit=1", world.admin))["calls"][0]["id"]
    call = world.ring("silent")
    page = sign_in("operator", color_scheme=theme)
    faults = []
    for path in [*PAGES, f"/console/calls/{refused}", f"/console/calls/{call}"]:
        page.goto(f"{world.server.url}{path}")
        if path == "/console/numbers":
            page.locator("#number").fill(SELLER)
            page.keyboard.press("Enter")
            expect(page.locator("#found section")).to_have_count(6)
        else:
            expect(page.locator("#rows > *, #checks > *, #lines > *, #decision > *, #phone").first).to_be_visible()
        faults += look_with_axe(page, f"{path} ({theme})")
    # What opens on a call's page, and on every page.
    page.keyboard.press("w")
    expect(page.get_by_role("textbox", name="Whisper to the agent")).to_be_focused()
    faults += look_with_axe(page, f"whispering ({theme})")
    page.keyboard.press("Escape")
    page.keyboard.press("i")
    expect(page.get_by_role("group", name="Listening")).to_be_visible()
    faults += look_with_axe(page, f"listening ({theme})")
    page.keyboard.press("i")
    for key in ["e", "S", "?"]:
        page.keyboard.press(key)
        expect(page.get_by_role("dialog")).to_be_visible()
        faults += look_with_axe(page, f"dialog of {key} ({theme})")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
    page.locator("#menu summary").click()
    faults += look_with_axe(page, f"menu ({theme})")
    stranger = open_page(color_scheme=theme)
    stranger.goto(f"{world.server.url}/console/sign-in")
    faults += look_with_axe(stranger, f"sign-in ({theme})")
    assert not faults, "\n".join(faults)
    world.end(call)


def test_it_fits_a_phone(world, sign_in):
    call = world.ring("visitor")
    page = sign_in("operator", viewport={"width": 390, "height": 800})
    for path in [*PAGES, f"/console/calls/{call}"]:
        page.goto(f"{world.server.url}{path}")
        page.wait_for_load_state("load")
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"{path} is {overflow} px too wide"
    world.end(call)


def test_pages_are_light_and_paint_at_once(world, sign_in):
    page = sign_in("operator")
    live(page)
    answers = []
    page.on("response", lambda answer: answers.append(answer) if "/console" in answer.url and "/data/" not in answer.url else None)
    session = page.context.new_cdp_session(page)
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    call = world.ring("silent")
    for path in [*PAGES, f"/console/calls/{call}"]:
        # What the page before still asks for is none of this one's, and its bodies go with it.
        page.goto("about:blank")
        answers.clear()
        page.goto(f"{world.server.url}{path}")
        weights = [(answer.url, len(answer.body())) for answer in answers]
        weight = sum(size for _, size in weights)
        assert 5_000 < weight < 150 * 1024, weights
        print(f"\n{path.removesuffix(call)} weighs {weight / 1024:.0f} KiB, data apart", end="")
    print()

    # First paint from a warm server, as the browser tells it. Seconds are the machine's: they are printed, not judged.
    session.send("Network.setCacheDisabled", {"cacheDisabled": False})
    for path in PAGES:
        paints = []
        for _ in range(7):
            page.goto(f"{world.server.url}{path}")
            wait_for_paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
            for _ in range(100):
                if page.evaluate(wait_for_paint):
                    break
                page.wait_for_timeout(20)
            paints.append(page.evaluate(wait_for_paint))
        assert all(paints), f"{path}: {paints}"
        paints.sort()
        print(f"first contentful paint of {path}: median {paints[3]:.0f} ms, worst {paints[-1]:.0f} ms")


HOSTILE = "<img src=x onerror='window.broken=1'><script>window.broken=1</script>\u202e\u0000{{7*7}}"


def hostile(value):
    """Everything that comes from outside, as somebody would write it who wants to get into the page."""
    if isinstance(value, dict):
        words = {"text", "agent", "name", "words", "summary", "detail", "message", "to", "from", "purpose", "reason", "transfer"}
        return {key: HOSTILE if key in words and isinstance(item, str) else hostile(item) for key, item in value.items()}
    return [hostile(item) for item in value] if isinstance(value, list) else value


def test_words_of_others_stay_words(world, sign_in):
    with pytest.raises(Exception, match="403"):
        post(f"{world.server.url}/api/v1/calls", {"to": "+13055550146"}, world.admin)
    refused = json.loads(fetch(f"{world.server.url}/api/v1/calls?limit=1", world.admin))["calls"][0]["id"]
    call = world.ring("visitor")
    page = sign_in("operator")
    page.goto(f"{world.server.url}/console/calls/{call}")
    expect(page.locator("#lines")).to_contain_text("Hello, what are your opening hours?")
    world.step(call, "message", {"text": HOSTILE.replace("\u0000", "")})
    page.route("**/console/data/**", lambda route: route.fulfill(json=hostile(route.fetch().json())))
    page.route("**/api/v1/calls**", lambda route: route.fulfill(json=hostile(route.fetch().json())))
    for path in [f"/console/calls/{call}", f"/console/calls/{refused}", "/console", "/console/calls", "/console/decisions", "/console/audit"]:
        page.goto(f"{world.server.url}{path}")
        expect(page.locator("main")).to_contain_text("<img src=x onerror=")
        assert page.locator("main img, main script").count() == 0, path
        assert page.evaluate("window.broken") is None, path
    world.end(call)


def test_a_very_long_call_opens_and_goes_on(world, sign_in):
    call = world.ring("silent")
    page = sign_in("operator")

    def long(route) -> None:
        # Some five hours of talk.
        state = route.fetch().json()
        at = state["now"]
        for n in range(4_000):
            seq = state["seq"] - 10_000 + n
            said = {"type": "caller_said", "text": f"Line {n}."} if n % 2 else {"type": "agent_said", "turn": n, "text": f"Line {n}."}
            state["events"].append({"seq": seq, "call_id": call, "at": at, "event": said})
        route.fulfill(json=state)

    page.route("**/console/data/calls/*", long)
    page.goto(f"{world.server.url}/console/calls/{call}")
    expect(page.locator("#lines")).to_contain_text("Line 3999.")
    took = page.evaluate("performance.measure('open', { start: 0 }).duration")
    print(f"\na call of 4,000 lines is open after {took:.0f} ms")
    page.evaluate(f"() => {{ window.frames_meanwhile = ({FRAMES})(['', 60]); }}")
    world.step(call, "message", {"text": "Still here?"})
    expect(page.locator("#lines li").last).to_contain_text("Still here?")
    # Every line is there once, in its order. How long a line more takes to be laid out is for a person to see.
    shown = page.locator("#lines li").filter(has_text=re.compile(r"Line \d+\.$")).all_text_contents()
    assert [int(re.search(r"Line (\d+)\.$", text)[1]) for text in shown] == list(range(4_000))
    tell_frames("a line more on a call of 4,000", page.evaluate("window.frames_meanwhile"))
    world.end(call)


# Scrolls by so many pixels with each frame (or only looks on), and gives the milliseconds from each frame to the next, and the most rows
# that existed at once.
FRAMES = """async ([grid, steps, pixels = 0]) => {
  const next = () => new Promise(requestAnimationFrame);
  const scrolled = grid && document.getElementById(grid);
  const frames = [];
  let [most, last] = [0, await next()];
  for (let step = 1; step <= steps; step += 1) {
    if (scrolled) scrolled.scrollTop = step * pixels;
    const now = await next();
    frames.push(now - last);
    last = now;
    most = Math.max(most, document.querySelectorAll("#rows > *").length);
  }
  return { frames: frames.sort((a, b) => a - b), most };
}"""


def tell_frames(what: str, measured: dict) -> None:
    """Times are the machine's: they are printed, not judged."""
    frames = measured["frames"]
    print(f"\n{what}: a frame takes {frames[len(frames) // 2]:.0f} ms at the median, {frames[-1]:.0f} ms at the worst")


def test_thousands_of_calls_stay_smooth(world, sign_in):
    page = sign_in("operator")
    live(page)
    # A snapshot of many calls, as the server would give it.
    template = world.call(world.ring("silent"))
    oldest = datetime.fromisoformat(template["created_at"]) - timedelta(hours=2)

    def many(route) -> None:
        state = route.fetch().json()
        state["calls"] = [
            {**template, "id": f"call_{n:032x}", "from": f"+1212•••{n:04}", "created_at": (oldest + timedelta(seconds=n)).isoformat()}
            for n in range(5_000)
        ]
        route.fulfill(json=state)

    def shows(place: int, href: str) -> None:
        """The row of this place is where it belongs, and in view."""
        row = page.locator(f"#rows > [aria-rowindex='{place + 2}']")
        expect(row).to_be_in_viewport()
        expect(row.get_by_role("link")).to_have_attribute("href", href)

    number_of = "/console/calls/call_{:032x}".format

    page.route("**/console/data/live", many)
    page.reload()
    expect(page.locator("#count")).to_have_text("5000")
    # The newest is on top, and only the rows about the view exist, wherever it is.
    shows(0, number_of(4_999))
    measured = page.evaluate(FRAMES, ["grid", 60, 3_000])
    assert 10 < measured["most"] < 100, measured
    tell_frames("scrolling through 5,000 live calls", measured)
    height = page.evaluate("parseFloat(getComputedStyle(grid).getPropertyValue('--row'))")
    for place in [2_500, 4_999, 0]:
        page.evaluate("([top]) => { grid.scrollTop = top; }", [place * height])
        shows(place, number_of(4_999 - place))
    # One more comes first.
    newest = world.ring("silent")
    expect(page.locator("#count")).to_have_text("5001")
    shows(0, f"/console/calls/{newest}")
    for wanted in ["+12125554998", "(212) 555-4998", "4998"]:
        page.get_by_label("Search").fill(wanted)
        expect(page.locator("#count")).to_have_text("1 of 5001 live")
        shows(0, number_of(4_998))
        assert page.locator("#rows > *").count() == 1
    world.end(newest)
