"""An extension of the Jupyter server: tells JupyterLab about the container's memory, has /proxy/PORT/ answer in one
line where no program listens, and logs the address for the browser.
"""

import os
from pathlib import Path
from urllib.parse import quote

import container_memory
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from jupyter_server_proxy.handlers import ProxyHandler
from tornado import web

# Is there as long as nobody has chosen the token.
GENERATED = Path("/secrets/token-is-generated")


class MemoryHandler(APIHandler):
    """Answers with `killed`, how many processes were ended for memory, and `limit`, in bytes."""

    @web.authenticated
    async def get(self):
        self.finish({"killed": container_memory.killed(), "limit": container_memory.limit()})


async def proxy(self, host, port, path, forward=ProxyHandler.proxy):
    """Forward a request as jupyter-server-proxy does, which logs a traceback and answers 500 if nothing listens."""
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
    # Some browsers open no page at the address that stands for all of the machine's own.
    address = os.environ["NOTEBOOK_ADDRESS"].replace("0.0.0.0", "127.0.0.1", 1)
    # The list of servers that are not there, twenty of them, would be below it.
    app.log.addFilter(lambda record: "non-installed server" not in str(record.msg))
    app.log.critical(
        "JupyterLab is ready at this address:\n\n    http://%s/lab?token=%s", address, quote(token, safe="")
    )
