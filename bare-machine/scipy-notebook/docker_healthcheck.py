#!/usr/bin/python3 -I
"""Fail unless the Jupyter server of this container answers at /api, which requires no token.

Uses Debian's Python and no module of Jupyter, because it runs often and must start fast.
"""

import json
import os
import ssl
import sys
import urllib.request
from pathlib import Path


def server_url():
    """Return the URL of the newest server, from the files that servers write with their port and base URL."""
    data = Path(os.environ.get("JUPYTER_DATA_DIR") or Path.home() / ".local/share/jupyter")
    runtime = Path(os.environ.get("JUPYTER_RUNTIME_DIR") or data / "runtime")
    files = sorted(runtime.glob("jpserver-*.json"), key=lambda file: file.stat().st_mtime)
    if not files:
        sys.exit(f"No Jupyter server has written its address to {runtime} yet.")
    server = json.loads(files[-1].read_text(encoding="utf-8"))
    scheme = "https" if server["secure"] else "http"
    return f"{scheme}://localhost:{server['port']}{server['base_url']}api"


# The certificate is not for the name localhost, and a proxy cannot resolve localhost.
opener = urllib.request.build_opener(
    urllib.request.HTTPSHandler(context=ssl._create_unverified_context()),
    urllib.request.ProxyHandler({}),
)
with opener.open(server_url(), timeout=4) as answer:
    print(answer.read().decode())
