"""Listen on a free port of all addresses until standard input ends.

Prints the port, and at the end the number of connections.
"""

import select
import socket
import sys

connections = 0
with socket.create_server(("", 0)) as listener:
    print(listener.getsockname()[1], flush=True)
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if listener in ready:
            listener.accept()[0].close()
            connections += 1
        elif sys.stdin in ready:
            break
print(connections)
