"""Opening a page in the browser of the person who asked for it."""

import html
import os
import sys
import webbrowser

from . import addresses, credentials, health
from .errors import Failure, one_line
from .process import ROOT

PAGES = ("notebook", "mlflow")
# A page that leads on to the notebook, because what a browser is told on its command line can be read by all users of
# the machine, and the address has the token. Not hidden: some browsers may read no hidden files.
DOOR = ROOT / "open-notebook.html"


def show(toolbox, service):
    """Open the page of a service in the browser, and say which; the notebook by way of a file.

    Raises Failure when the service has no page or does not run, or there is no browser here.
    """
    if service not in PAGES:
        raise Failure(f"{one_line(service)} has no page: choose from {', '.join(PAGES)}.")
    if not health.is_running(toolbox.containers().get(service)):
        raise Failure(f'{service} is not running: "invoke up" starts it.')
    is_lab = service == "notebook"
    page = addresses.page(toolbox.config, service)
    address = addresses.lab(toolbox.config, credentials.read(toolbox, service, "token")) if is_lab else page
    try:
        opened = can_draw(os.environ, sys.platform) and webbrowser.open(door(address) if is_lab else address)
    except webbrowser.Error:
        opened = False
    if not opened:
        raise Failure(f"there is no browser on this machine: open {address} in yours, through SSH if need be.")
    print(f"Opened {page}.")


def can_draw(environment, platform):
    """Return whether a browser with windows can be there: on a terminal alone, a text browser would take its place."""
    windows = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    return platform in ("darwin", "win32") or any(environment.get(name) for name in windows)


def door(address):
    """Write the page that leads on to an address; return its own address."""
    DOOR.unlink(missing_ok=True)
    leads_on = f'<meta http-equiv="refresh" content="0; url={html.escape(address)}">'
    with os.fdopen(os.open(DOOR, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as page:
        page.write(f"<!doctype html>{leads_on}<title>Notebook</title>\n")
    return DOOR.as_uri()
