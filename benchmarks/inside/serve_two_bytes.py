"""Answer every request with two bytes, with the web server that MLflow uses, until standard input ends.

Listens on a free port of all addresses, and prints it when it answers.
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
    """End the server with standard input."""
    sys.stdin.read()
    server.should_exit = True


# With its protocol, which asyncio looks at: without, it lets the kernel hold back small answers for 40 ms.
with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
    listener.bind(("0.0.0.0", 0))
    listener.listen()
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="warning", access_log=False))
    Thread(target=end, daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    server.run(sockets=[listener])
