"""Start Chromium, the same way for every program in this image."""

from urllib.parse import urlsplit

OPTIONS = [
    # The browser itself sends no requests.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def launch(playwright, servers):
    """Start Chromium and return Playwright's browser.

    `servers` maps URLs of this machine, such as `http://127.0.0.1:5000`, to the real host and port, so that requests
    have the Host header that the server expects.
    """
    rules = ",".join(f"MAP {urlsplit(address).netloc} {server}" for address, server in servers.items())
    # Playwright disables Chromium's sandbox, which Docker does not allow.
    options = [f"--host-resolver-rules={rules}", *OPTIONS]
    return playwright.chromium.launch(executable_path="/usr/bin/chromium", args=options)
