"""Be logged in to two toolboxes at once, each by the page that leads to it.

Asked for: `labs`, the addresses of JupyterLab with their tokens, `pages`, those of MLflow beside them, and `ways`, from
where each is opened: `file`, a page on this machine, or `link`, one of another site. Runs on the network of the
machine. Seen: whether each JupyterLab `ran` a cell; the `flags` of their cookies; to whom a `stranger`, a server on
another port, gets cookies when it is asked for by the hosts of the toolboxes and by 127.0.0.1, as {host: names}; whose
cookies a page of the second toolbox `took` along when it asked the first; and whether that page `read` an answer.
"""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from visit import run

WIKI = "http://wiki.example/"
ASK = """
async addresses => Promise.all(addresses.map(address =>
  fetch(address, {credentials: "include"}).then(answer => answer.text()).then(text => text.slice(0, 40), () => null)))
"""


def be_in_two(visit):
    page, context, labs = visit.page, visit.context, visit.told["labs"]
    hosts = [urlsplit(lab).hostname for lab in labs]
    ran = []
    for lab, way in zip(labs, visit.told["ways"], strict=True):
        # What an earlier visit had open does not come back.
        address = f"{lab}&reset"
        with visit.step(f"open by a {way}"):
            if way == "file":
                # As the task "open" does.
                door = Path("open.html").absolute()
                door.write_text(f'<meta http-equiv="refresh" content="0; url={address}">')
                page.goto(door.as_uri())
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

    heard = {}

    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self):
            cookies = self.headers.get("Cookie", "").split("; ")
            heard[self.headers["Host"].rpartition(":")[0]] = [cookie.partition("=")[0] for cookie in cookies]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *_):
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        other = context.new_page()
        for host in [*hosts, "127.0.0.1"]:
            other.goto(f"http://{host}:{server.server_port}/")
        server.shutdown()

    # The page is one of the second toolbox now.
    asked = [
        f"{urlsplit(labs[0]).scheme}://{urlsplit(labs[0]).netloc}/api/contents",
        f"{visit.told['pages'][0]}/version",
    ]
    sent = []
    page.on("request", lambda request: sent.append(request))
    read = page.evaluate(ASK, asked)
    took = {
        urlsplit(request.url).netloc: request.all_headers().get("cookie", "")
        for request in sent
        if request.url in asked
    }
    flags = [(cookie["domain"], cookie["name"], cookie["sameSite"]) for cookie in context.cookies()]
    return {"ran": ran, "flags": flags, "stranger": heard, "took": took, "read": read}


run(be_in_two)
