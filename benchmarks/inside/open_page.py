"""Open a page in Chromium repeatedly, with an empty cache, and wait until an element is visible.

Arguments: the URL of the page; the real host and port of its server; a Playwright selector of the element; how often.
Runs in the image of tests/inside/browser, in the network of the server. Prints the seconds of each, from the start of
the navigation, as JSON.
"""

import json
import sys
import time

from chromium import launch
from playwright.sync_api import sync_playwright

TIMEOUT_MS = 60_000
address, server, selector, times = sys.argv[1:]


def seconds(browser):
    """Return how long the page takes without cache and cookies."""
    context = browser.new_context(viewport={"width": 1600, "height": 900})
    page = context.new_page()
    start = time.monotonic()
    page.goto(address, wait_until="commit")
    page.locator(selector).first.wait_for(timeout=TIMEOUT_MS)
    took = time.monotonic() - start
    context.close()
    return took


with sync_playwright() as playwright:
    browser = launch(playwright, {address: server})
    took = [seconds(browser) for _ in range(int(times))]
    browser.close()
json.dump(took, sys.stdout)
