"""An extension of the Jupyter server: tells JupyterLab about the container's memory, and has /proxy/PORT/ answer in one
line where no program listens.
"""

import container_memory
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from jupyter_server_proxy.handlers import ProxyHandler
from tornado import web


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
