"""Open a page in Chromium, each time as if for the first time, and wait until something shows.

Arguments: the address of the page; the host and port where its server really is; a selector of Playwright's for what
has to show; how many times. Runs in the image of tests/bench/browser, beside the server. Prints the seconds of each,
from the navigation on, as JSON.
"""

import json
import sys
import time
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright

PATIENCE_MS = 60_000
address, server, selector, times = sys.argv[1:]
OPTIONS = [
    # To servers that know the port on the machine the page has the name that it has there.
    f"--host-resolver-rules=MAP {urlsplit(address).netloc} {server}",
    # Nothing is asked of the outside by the browser itself.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def seconds(browser):
    """Return how long the page takes with no cache and no cookies."""
    context = browser.new_context(viewport={"width": 1600, "height": 900})
    page = context.new_page()
    start = time.monotonic()
    page.goto(address, wait_until="commit")
    page.locator(selector).first.wait_for(timeout=PATIENCE_MS)
    took = time.monotonic() - start
    context.close()
    return took


with sync_playwright() as playwright:
    # Playwright leaves out Chromium's sandbox, which Docker does not allow.
    browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=OPTIONS)
    took = [seconds(browser) for _ in range(int(times))]
    browser.close()
json.dump(took, sys.stdout)
