"""Answer every request with two bytes, with MLflow's web server, until standard input ends.

Listens on a free port of all addresses, and prints that port when it is ready.
"""

import socket
import sys
from threading import Thread

import uvicorn


async def app(scope, receive, send):
    """Answer a request."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def end():
    """Stop the server at the end of standard input."""
    sys.stdin.read()
    server.should_exit = True


# asyncio sets TCP_NODELAY only if the socket names its protocol; otherwise small responses wait 40 ms.
with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
    listener.bind(("0.0.0.0", 0))
    listener.listen()
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="warning", access_log=False))
    Thread(target=end, daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    server.run(sockets=[listener])
