"""Open pages in the user's browser."""

import html
import os
import sys
import webbrowser

from . import addresses, credentials, health
from .errors import Failure, one_line
from .process import ROOT

PAGES = ("notebook", "mlflow")
# A page that redirects to the notebook: the address has the token, and all users of the machine can read the command
# line of a browser. Not a hidden file, which some browsers cannot read.
REDIRECT = ROOT / "open-notebook.html"


def show(toolbox, service):
    """Open the page of a service in the browser, the notebook through REDIRECT, and print its address.

    Raises Failure when the service has no page or is not running, or there is no browser.
    """
    if service not in PAGES:
        raise Failure(f"{one_line(service)} has no page: choose from {', '.join(PAGES)}.")
    if not health.is_running(toolbox.containers().get(service)):
        raise Failure(f'{service} is not running: "invoke up" starts it.')
    is_lab = service == "notebook"
    page = addresses.page(toolbox.config, service)
    address = addresses.lab(toolbox.config, credentials.read(toolbox, service, "token")) if is_lab else page
    try:
        opened = has_display(os.environ, sys.platform) and webbrowser.open(redirect(address) if is_lab else address)
    except webbrowser.Error:
        opened = False
    if not opened:
        raise Failure(f"there is no browser on this machine: open {address} on yours, through SSH if necessary.")
    print(f"Opened {page}.")


def has_display(environment, platform):
    """Return whether a graphical browser can run; without a display, webbrowser would start a text browser."""
    displays = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    return platform in ("darwin", "win32") or any(environment.get(name) for name in displays)


def redirect(address):
    """Write the page that redirects to an address; return its own address."""
    REDIRECT.unlink(missing_ok=True)
    refresh = f'<meta http-equiv="refresh" content="0; url={html.escape(address)}">'
    with os.fdopen(os.open(REDIRECT, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as page:
        page.write(f"<!doctype html>{refresh}<title>Notebook</title>\n")
    return REDIRECT.as_uri()
