"""Log metrics, params and batches from many clients at once, each with a separate connection and run.

Arguments: the URL of MLflow, the number of clients, the maximum seconds, and a file whose existence ends the program.
Uses plain HTTP, so that any Python can run it and MLflow's client is not measured. Prints as JSON the acknowledged
steps of each run by kind of request, the failures, and the durations of the requests in seconds.
"""

import http.client
import json
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

# Between requests of a client while the server is unavailable.
PAUSE_SECONDS = 0.2
TIMEOUT_SECONDS = 60
BATCH = 10

address = urlsplit(sys.argv[1])
clients = int(sys.argv[2])
duration_seconds = float(sys.argv[3])
stop = Path(sys.argv[4])


def requests(run, step):
    """Return the requests of a client at a step: path and body by kind."""
    metric = {"value": step, "timestamp": 0, "step": step}
    batch = [{"key": f"batch{number}"} | metric for number in range(BATCH)]
    return {
        "metric": ("log-metric", {"run_id": run, "key": "metric"} | metric),
        "param": ("log-parameter", {"run_id": run, "key": f"param{step}", "value": "x"}),
        "batch": ("log-batch", {"run_id": run, "metrics": batch}),
    }


class Client:
    """A client with a persistent connection."""

    def __init__(self, _=None):
        self.connection = http.client.HTTPConnection(address.hostname, address.port, timeout=TIMEOUT_SECONDS)
        self.acknowledged = {"metric": [], "param": [], "batch": []}
        self.seconds = []
        self.failures = []
        self.run = self.post("runs/create", {"experiment_id": "0"})["run"]["info"]["run_id"]

    def post(self, path, body):
        """Send a request; return the parsed response. Raises OSError or HTTPException if it fails."""
        self.connection.request(
            "POST", f"/api/2.0/mlflow/{path}", json.dumps(body), {"Content-Type": "application/json"}
        )
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != http.client.OK:
            raise OSError(f"HTTP {answer.status}: {text[:500]}")
        return json.loads(text)

    def write(self):
        """Log until the time is up or the stop file exists."""
        end = time.monotonic() + duration_seconds
        step = 0
        while True:
            for kind, (path, body) in requests(self.run, step).items():
                if time.monotonic() > end or stop.exists():
                    return
                start = time.monotonic()
                try:
                    self.post(f"runs/{path}", body)
                except (OSError, http.client.HTTPException) as error:
                    self.failures.append(repr(error))
                    self.connection.close()
                    time.sleep(PAUSE_SECONDS)
                else:
                    self.seconds.append(time.monotonic() - start)
                    self.acknowledged[kind].append(step)
            step += 1


with ThreadPoolExecutor(clients) as threads:
    writers = list(threads.map(Client, range(clients)))
    start = time.monotonic()
    list(threads.map(Client.write, writers))
    seconds = time.monotonic() - start
took = sorted(second for writer in writers for second in writer.seconds)
failures = [failure for writer in writers for failure in writer.failures]
json.dump(
    {
        "acknowledged": {writer.run: writer.acknowledged for writer in writers},
        "failed": len(failures),
        "failures": failures[:5],
        "seconds": seconds,
        "median": statistics.median(took),
        "p99": took[len(took) * 99 // 100],
        "slowest": took[-1],
    },
    sys.stdout,
)
