"""Opening a page in the browser of the person who asked for it."""

import html
import os
import sys
import webbrowser

from .commands import ROOT
from .failure import Failure

# A page that leads on to the notebook, because what a browser is told on its command line can be read by all users of
# the machine, and the address has the token. Not hidden: some browsers may read no hidden files.
DOOR = ROOT / "open-notebook.html"


def show(address, is_secret):
    """Open an address in the browser; if it is a secret, by way of a file that only its owner can read.

    Raises Failure when there is no browser here.
    """
    try:
        opened = can_draw(os.environ, sys.platform) and webbrowser.open(door(address) if is_secret else address)
    except webbrowser.Error:
        opened = False
    if not opened:
        raise Failure(f"there is no browser on this machine: open {address} in yours, through SSH if need be.")


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
