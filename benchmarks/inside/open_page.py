"""Open a page in Chromium, each time as if for the first time, and wait until something shows.

Arguments: the address of the page; the host and port where its server really is; a selector of Playwright's for what
has to show; how many times. Runs in the image of tests/inside/browser, beside the server. Prints the seconds of each,
from the navigation on, as JSON.
"""

import json
import sys
import time

from chromium import launch
from playwright.sync_api import sync_playwright

PATIENCE_MS = 60_000
address, server, selector, times = sys.argv[1:]


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
    browser = launch(playwright, {address: server})
    took = [seconds(browser) for _ in range(int(times))]
    browser.close()
json.dump(took, sys.stdout)
