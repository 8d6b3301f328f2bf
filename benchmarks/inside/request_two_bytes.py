"""Send requests to a server in the mlflow container, one by one on a single connection.

Arguments: its port, and for how many seconds. Prints the seconds of each request, as JSON.
"""

import http.client
import json
import sys
import time

port, seconds = int(sys.argv[1]), float(sys.argv[2])
connection = http.client.HTTPConnection("mlflow", port, timeout=30)


def request():
    """Send a request; return how many seconds it took."""
    start = time.perf_counter()
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"ok"
    return time.perf_counter() - start


# The first one opens the connection.
request()
end = time.perf_counter() + seconds
took = []
while time.perf_counter() < end:
    took.append(request())
print(json.dumps(took))
