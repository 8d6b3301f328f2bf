"""Jupyter server extension: reports the container's memory to JupyterLab, makes /proxy/PORT/ answer with one line if
nothing listens, and logs the address for the browser.
"""

import os
from pathlib import Path
from urllib.parse import quote

import container_memory
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from jupyter_server_proxy.handlers import ProxyHandler
from tornado import web

# Exists if the token was generated, not chosen.
GENERATED = Path("/secrets/token-is-generated")


class MemoryHandler(APIHandler):
    """Answers with `killed`, the number of processes killed for memory, and `limit`, in bytes."""

    @web.authenticated
    async def get(self):
        self.finish({"killed": container_memory.killed(), "limit": container_memory.limit()})


async def proxy(self, host, port, path, forward=ProxyHandler.proxy):
    """Forward a request, and answer 502 if nothing listens, where jupyter-server-proxy logs a traceback."""
    try:
        await forward(self, host, port, path)
    except (OSError, OverflowError):
        self.set_status(502)
        self.set_header("Content-Type", "text/plain")
        self.finish(f"No program answers on port {port} of the notebook's container: start it there, and reload.\n")


def _jupyter_server_extension_points():
    return [{"module": "data_toolbox_lab"}]


def _load_jupyter_server_extension(app):
    ProxyHandler.proxy = proxy
    path = url_path_join(app.web_app.settings["base_url"], "data-toolbox/memory")
    app.web_app.add_handlers(".*", [(path, MemoryHandler)])


async def _start_jupyter_server_extension(app):
    token = app.identity_provider.token if GENERATED.exists() else "..."
    # Some browsers cannot open 0.0.0.0.
    address = os.environ["NOTEBOOK_ADDRESS"].replace("0.0.0.0", "127.0.0.1", 1)
    # Hide the list of twenty language servers that are not installed.
    app.log.addFilter(lambda record: "non-installed server" not in str(record.msg))
    app.log.critical(
        "JupyterLab is ready at this address:\n\n    http://%s/lab?token=%s", address, quote(token, safe="")
    )
