"""How soon an open page shows what happened: the live page in Chromium, with 500 calls and 500 events a second, none with audio.

    cargo build --release --example console_load
    target/browser-venv/bin/python tests/browser/page_latency.py

From the time at which the server recorded an event to the row of its call having changed, by the one clock of the machine. Chromium
and the server share its processors. Not a check: the figures are printed, and only rows in view exist to be looked at.
"""

import shutil
import subprocess
import sys
import time

from playwright.sync_api import sync_playwright

SECONDS = 30
GOAL_MS = 100

WATCH = """() => {
  window.delays = [];
  new MutationObserver((changes) => {
    const now = performance.timeOrigin + performance.now();
    for (const { addedNodes } of changes) {
      for (const node of addedNodes) if (/^\\d{16}$/.test(node.textContent)) window.delays.push(now - Number(node.textContent) / 1000);
    }
  }).observe(document.getElementById("rows"), { childList: true, subtree: true });
}"""


def measure(address: str, key: str) -> list[float]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1200})
        page.goto(f"{address}/console/sign-in")
        page.get_by_label("API key").fill(key)
        page.get_by_role("button", name="Sign in").click()
        page.locator("#rows .words b").first.wait_for()
        page.evaluate(WATCH)
        time.sleep(SECONDS)
        delays = page.evaluate("window.delays")
        print(f"{page.locator('#count').text_content()} calls, {page.locator('#rows > *').count()} of them in view")
        browser.close()
    return sorted(delays)


def main() -> None:
    server = subprocess.Popen(
        ["target/release/examples/console_load", "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        address, key = server.stdout.readline().split()
        delays = measure(address, key)
    finally:
        server.stdin.close()
        server.wait(timeout=60)
    if not delays:
        sys.exit("no row changed")
    p50, p99 = (delays[int((len(delays) - 1) * share)] for share in (0.5, 0.99))
    verdict = "met" if p99 < GOAL_MS else "MISSED"
    print(f"from {len(delays)} events to the page: p50 {p50:.0f} ms, p99 {p99:.0f} ms (goal {GOAL_MS} ms: {verdict}), worst {delays[-1]:.0f} ms")


if __name__ == "__main__":
    main()
