"""A visit to the pages of a toolbox: what the programs beside this file share.

They run in the image of this folder, on the network of the toolbox, and read JSON from standard input:

- `servers`: which server is behind which address of this machine, as {"http://127.0.0.1:8888": "notebook:8888"}
- `patience`: how many seconds each thing may take to show, 30 without it
- `blocked`: patterns of addresses that do not answer, as `**/ajax-api/**`; none without it
- what the program itself asks for

They print JSON: what they saw, and `complaints`, a line for each thing that went wrong without being asked for. What
does not show in time ends them with exit code 1, and then the JSON has `failed`, one line, and `text`, which the page
showed. A picture of the page at the end of each step is left in the folder `pictures`.
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
    """A person who opens pages: `page` is what they see, `told` what the program was told."""

    def __init__(self, browser, told):
        self.told = told
        self.complaints = []
        self.doing = "start"
        patience_ms = 1000 * told.get("patience", TIMEOUT_SECONDS)
        expect.set_options(timeout=patience_ms)
        # The same everywhere, so that the pictures are.
        self.context = browser.new_context(
            viewport=WINDOW, color_scheme="light", reduced_motion="reduce", locale="en-US", timezone_id="UTC"
        )
        self.context.set_default_timeout(patience_ms)
        for pattern in told.get("blocked", []):
            self.context.route(pattern, lambda route: route.abort())
        self.listen()
        self.page = self.context.new_page()

    def listen(self):
        """Note what the pages complain about, and whom they ask."""
        self.context.on("console", self.heard)
        self.context.on("weberror", lambda error: self.complaints.append(f"error in the page: {error.error}"))
        self.context.on("request", lambda request: self.asked(request.url))
        self.context.on("response", self.answered)
        self.context.on("requestfailed", self.unanswered)
        self.context.on("page", lambda page: page.on("websocket", lambda socket: self.asked(socket.url)))

    def heard(self, message):
        """Note an error that a page writes to its console."""
        # What an answer was is known from the answer.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.complaints.append(f"console: {message.text}")

    def asked(self, address):
        """Note a request to anyone but the servers."""
        parts = urlsplit(address)
        own = {urlsplit(server).netloc for server in self.told["servers"]}
        # Pages have pictures of their own making too, in data: and blob:.
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc not in own:
            self.complaints.append(f"asked outside: {address}")

    def answered(self, response):
        """Note an answer that is an error."""
        if response.status >= 400:
            self.complaints.append(f"{response.status} for {response.request.method} {urlsplit(response.url).path}")

    def unanswered(self, request):
        """Note a request that got no answer."""
        # A page that is left, or that asks anew, gives up what it had asked for.
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"{request.failure} for {request.method} {urlsplit(request.url).path}")

    def address(self, service):
        """Return the address of a service on this machine."""
        return next(address for address, server in self.told["servers"].items() if server.startswith(f"{service}:"))

    @contextmanager
    def step(self, name):
        """Do the block, which the message names when it fails, and take a picture at its end."""
        self.doing = name
        yield
        self.picture(name)

    def picture(self, name):
        """Take a picture of the page."""
        PICTURES.mkdir(exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name.replace(' ', '-')}.png")

    def failed(self, error):
        """Return what is said when something did not show."""
        text = self.page.locator("body").inner_text()
        self.picture("failed")
        # Playwright says at length what it tried meanwhile; what it waited for is the first thing of that.
        said, _, log = str(error).partition("Call log:")
        waited = re.search(r"waiting for .*", log)
        return {"failed": f"{self.doing}: {' '.join(said.split())} {waited[0] if waited else ''}".strip(), "text": text}


def run(work):
    """Make a visit: `work` gets it and returns what it saw, as a dictionary."""
    told = json.load(sys.stdin)
    with sync_playwright() as playwright:
        browser = launch(playwright, told["servers"])
        visit = Visit(browser, told)
        try:
            seen = work(visit)
        except (AssertionError, Error) as error:
            seen = visit.failed(error)
        browser.close()
    json.dump(seen | {"complaints": visit.complaints}, sys.stdout)
    sys.exit("failed" in seen)
