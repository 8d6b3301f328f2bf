"""Log in to two toolboxes at once.

Options: `labs`, the URLs of JupyterLab with their tokens; `pages`, the URLs of MLflow; `ways`, from where each is
opened: `file`, a page on this machine, or `link`, a page of another site. Runs on the network of the machine. Results:
whether each JupyterLab `ran` a cell; the `flags` of their cookies; the names of the cookies that a `stranger`, a server
on another port, receives under each host; the cookies that a page of the second toolbox `sent` to the first; and what
that page could `read` of the responses.
"""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from visit import run

WIKI = "http://wiki.example/"
FETCH = """
async addresses => Promise.all(addresses.map(address =>
  fetch(address, {credentials: "include"}).then(answer => answer.text()).then(text => text.slice(0, 40), () => null)))
"""


def use_two(visit):
    page, context, labs = visit.page, visit.context, visit.options["labs"]
    hosts = [urlsplit(lab).hostname for lab in labs]
    ran = []
    for lab, way in zip(labs, visit.options["ways"], strict=True):
        # `reset` closes what an earlier visit had open.
        address = f"{lab}&reset"
        with visit.step(f"open by a {way}"):
            if way == "file":
                # As the task "open" does.
                redirect = Path("open.html").absolute()
                redirect.write_text(f'<meta http-equiv="refresh" content="0; url={address}">')
                page.goto(redirect.as_uri())
            else:
                wiki = f'<a href="{address}">lab</a>'
                context.route(WIKI, lambda route: route.fulfill(body=wiki, content_type="text/html"))  # noqa: B023
                page.goto(WIKI)
                page.get_by_role("link").click()
            page.locator(".jp-LauncherCard", has=page.get_by_text("Python 3 (ipykernel)", exact=True)).first.click()
            page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
            page.locator(".jp-Notebook .cm-content").first.click()
            page.keyboard.type("6 * 7")
            page.keyboard.press("Shift+Enter")
            page.locator(".jp-OutputArea-output", has_text="42").wait_for()
            ran.append(True)

    received = {}

    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self):
            cookies = self.headers.get("Cookie", "").split("; ")
            received[self.headers["Host"].rpartition(":")[0]] = [cookie.partition("=")[0] for cookie in cookies]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *_):
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        other = context.new_page()
        for host in [*hosts, "127.0.0.1"]:
            other.goto(f"http://{host}:{server.server_port}/")
        server.shutdown()

    # The page is now one of the second toolbox.
    addresses = [
        f"{urlsplit(labs[0]).scheme}://{urlsplit(labs[0]).netloc}/api/contents",
        f"{visit.options['pages'][0]}/version",
    ]
    requests = []
    page.on("request", lambda request: requests.append(request))
    read = page.evaluate(FETCH, addresses)
    sent = {
        urlsplit(request.url).netloc: request.all_headers().get("cookie", "")
        for request in requests
        if request.url in addresses
    }
    flags = [(cookie["domain"], cookie["name"], cookie["sameSite"]) for cookie in context.cookies()]
    return {"ran": ran, "flags": flags, "stranger": received, "sent": sent, "read": read}


run(use_two)
