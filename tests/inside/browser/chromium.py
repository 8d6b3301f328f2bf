"""Chromium, as every program in this image starts it."""

from urllib.parse import urlsplit

OPTIONS = [
    # Nothing is asked of the outside by the browser itself.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def launch(playwright, servers):
    """Start Chromium and return Playwright's browser.

    `servers` maps addresses, as `http://127.0.0.1:5000`, to the host and port where their servers really are. A server
    that knows its port on the machine is asked for by the name that it has there.
    """
    rules = ",".join(f"MAP {urlsplit(address).netloc} {server}" for address, server in servers.items())
    # Playwright leaves out Chromium's sandbox, which Docker does not allow.
    options = [f"--host-resolver-rules={rules}", *OPTIONS]
    return playwright.chromium.launch(executable_path="/usr/bin/chromium", args=options)
