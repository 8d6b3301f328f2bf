"""Ask a server of the mlflow container again and again, on one connection that is kept.

Arguments: its port, and for how many seconds to ask. Prints the seconds of each request, as JSON.
"""

import http.client
import json
import sys
import time

port, seconds = int(sys.argv[1]), float(sys.argv[2])
connection = http.client.HTTPConnection("mlflow", port, timeout=30)


def ask():
    """Return how many seconds a request takes."""
    start = time.perf_counter()
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"ok"
    return time.perf_counter() - start


# The first one opens the connection.
ask()
end = time.perf_counter() + seconds
took = []
while time.perf_counter() < end:
    took.append(ask())
print(json.dumps(took))
