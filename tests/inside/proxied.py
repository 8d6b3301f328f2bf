"""Run a proxy on port 3128 of this container, log a run, and send requests outside in three ways.

Prints JSON: `requests`, the URLs that the proxy received, and `names`, the hosts in NO_PROXY.
"""

import json
import os
import subprocess
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import mlflow
import requests

OUTSIDE = "http://outside.example.org/"
received = []


class Proxy(BaseHTTPRequestHandler):
    def do_GET(self):
        received.append(self.path)
        self.send_response(200)
        self.end_headers()

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_):
        """Log nothing."""


threading.Thread(target=ThreadingHTTPServer(("127.0.0.1", 3128), Proxy).serve_forever, daemon=True).start()
with mlflow.start_run():
    mlflow.log_metric("loss", 0.42)
    mlflow.log_text("hello", "hello.txt")
subprocess.run(["curl", "--silent", "http://mlflow:5000/health"], check=True, stdout=subprocess.DEVNULL)
urllib.request.urlopen(OUTSIDE + "urllib").close()
requests.get(OUTSIDE + "requests", timeout=30)
subprocess.run(["curl", "--silent", OUTSIDE + "curl"], check=True)
print(json.dumps({"requests": received, "names": os.environ["NO_PROXY"].split(",")}))
