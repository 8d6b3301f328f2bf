"""A visit to the pages of a toolbox: what the programs in this folder share.

They run in the image of this folder, on the network of the toolbox, and read their options as JSON from standard input:

- `servers`: URLs on this machine and their servers, such as {"http://127.0.0.1:8888": "notebook:8888"}
- `timeout`: the seconds within which an element has to appear, by default 30
- `blocked`: patterns of URLs that do not respond, such as `**/ajax-api/**`, by default none
- the options of the program

They print JSON: their results, and `complaints`, a line for each error of a page. If an element does not appear in
time, they exit with code 1, and the JSON has `failed`, one line, and `text`, that of the page. Screenshots of the end
of each step are in the folder `pictures`.
"""

import json
import re
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from chromium import launch
from playwright.sync_api import Error, expect, sync_playwright

PICTURES = Path("pictures")
WINDOW = {"width": 1120, "height": 800}
TIMEOUT_SECONDS = 30


class Visit:
    """A browser session: its `page`, and the `options` of the program."""

    def __init__(self, browser, options):
        self.options = options
        self.complaints = []
        self.current_step = "start"
        timeout_ms = 1000 * options.get("timeout", TIMEOUT_SECONDS)
        expect.set_options(timeout=timeout_ms)
        # Fixed, so that screenshots are the same everywhere.
        self.context = browser.new_context(
            viewport=WINDOW, color_scheme="light", reduced_motion="reduce", locale="en-US", timezone_id="UTC"
        )
        self.context.set_default_timeout(timeout_ms)
        for pattern in options.get("blocked", []):
            self.context.route(pattern, lambda route: route.abort())
        self.listen()
        self.page = self.context.new_page()

    def listen(self):
        """Record errors of the pages, and their requests to other servers."""
        self.context.on("console", self.check_console)
        self.context.on("weberror", lambda error: self.complaints.append(f"error in the page: {error.error}"))
        self.context.on("request", lambda request: self.check_address(request.url))
        self.context.on("response", self.check_response)
        self.context.on("requestfailed", self.check_failure)
        self.context.on("page", lambda page: page.on("websocket", lambda socket: self.check_address(socket.url)))

    def check_console(self, message):
        """Record an error that a page writes to its console."""
        # A failed request is recorded with its response.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.complaints.append(f"console: {message.text}")

    def check_address(self, address):
        """Record a request to any other server."""
        parts = urlsplit(address)
        own = {urlsplit(server).netloc for server in self.options["servers"]}
        # Not data: and blob:, which stay in the page.
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc not in own:
            self.complaints.append(f"request outside: {address}")

    def check_response(self, response):
        """Record a response that is an error."""
        if response.status >= 400:
            self.complaints.append(f"{response.status} for {response.request.method} {urlsplit(response.url).path}")

    def check_failure(self, request):
        """Record a request without a response."""
        # Leaving or reloading a page aborts its requests.
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"{request.failure} for {request.method} {urlsplit(request.url).path}")

    def address(self, service):
        """Return the address of a service on this machine."""
        return next(address for address, server in self.options["servers"].items() if server.startswith(f"{service}:"))

    @contextmanager
    def step(self, name):
        """Name the block in the message of a failure, and take a screenshot at its end."""
        self.current_step = name
        yield
        self.screenshot(name)

    def screenshot(self, name):
        """Save a screenshot of the page."""
        PICTURES.mkdir(exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name.replace(' ', '-')}.png")

    def failure(self, error):
        """Return the results of a visit in which something did not appear."""
        text = self.page.locator("body").inner_text()
        self.screenshot("failed")
        # Of Playwright's long log, keep what it waited for.
        message, _, log = str(error).partition("Call log:")
        waited = re.search(r"waiting for .*", log)
        line = f"{self.current_step}: {' '.join(message.split())} {waited[0] if waited else ''}".strip()
        return {"failed": line, "text": text}


def run(work):
    """Make a visit: `work(visit)` returns the results, as a dictionary."""
    options = json.load(sys.stdin)
    with sync_playwright() as playwright:
        browser = launch(playwright, options["servers"])
        visit = Visit(browser, options)
        try:
            results = work(visit)
        except (AssertionError, Error) as error:
            results = visit.failure(error)
        browser.close()
    json.dump(results | {"complaints": visit.complaints}, sys.stdout)
    sys.exit("failed" in results)
