"""Send requests of each kind to MLflow, one by one on a single connection.

Arguments: the experiment to search, and the seconds for each kind. Uses plain HTTP, so that MLflow's client is not
measured. Prints the seconds of each request, by kind, as JSON.
"""

import http.client
import itertools
import json
import sys
import time

MIN_REQUESTS = 3
BATCH = 1000
POINTS = 10_000

searched, seconds = sys.argv[1], float(sys.argv[2])
connection = http.client.HTTPConnection("mlflow", 5000, timeout=60)


def send(method, path, body=None):
    """Send a request; return the body of the response. Raises OSError if the status is not 200."""
    connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != http.client.OK:
        raise OSError(f"{path}: HTTP {answer.status}: {text[:300]}")
    return text


def call(method, path, body=None):
    """Send a request to the API; return the body of the response."""
    return send(method, f"/api/2.0/mlflow/{path}", body)


def new_run():
    """Create a run; return its ID."""
    created = json.loads(call("POST", "runs/create", {"experiment_id": "0", "start_time": 1}))
    return created["run"]["info"]["run_id"]


def metrics(count, keys, step):
    """Return `count` metrics of `keys` keys; their steps begin at `step` times `count`."""
    return [
        {"key": f"key{number % keys}", "value": number, "timestamp": number, "step": step * count + number}
        for number in range(count)
    ]


def times(request):
    """Call `request(step)` with steps from 0 until the time is up; return the seconds of each call."""
    took = []
    end = time.monotonic() + seconds
    for step in itertools.count():
        begin = time.monotonic()
        request(step)
        took.append(time.monotonic() - begin)
        if time.monotonic() > end and len(took) >= MIN_REQUESTS:
            return took


def batches(count, keys):
    """Return the seconds of logging batches of metrics to a new run."""
    run = new_run()
    return times(lambda step: call("POST", "runs/log-batch", {"run_id": run, "metrics": metrics(count, keys, step)}))


run = new_run()
long = new_run()
for step in range(POINTS // BATCH):
    call("POST", "runs/log-batch", {"run_id": long, "metrics": metrics(BATCH, 1, step)})
history = f"metrics/get-history?run_id={long}&metric_key=key0&max_results={POINTS}"
assert len(json.loads(call("GET", history))["metrics"]) == POINTS

metric = {"run_id": run, "key": "metric", "value": 1, "timestamp": 0}
page = {"experiment_ids": [searched], "max_results": 100}
assert len(json.loads(call("POST", "runs/search", page))["runs"]) == 100
print(
    json.dumps(
        {
            "/health": times(lambda _: send("GET", "/health")),
            "log-metric": times(lambda step: call("POST", "runs/log-metric", metric | {"step": step})),
            "log-batch of 1 row": batches(1, 1),
            "log-batch of 10 rows": batches(10, 10),
            f"log-batch of {BATCH} rows, 10 keys": batches(BATCH, 10),
            f"log-batch of {BATCH} rows, {BATCH} keys": batches(BATCH, BATCH),
            "create run": times(lambda _: new_run()),
            "get run": times(lambda _: call("GET", f"runs/get?run_id={run}")),
            "search 100 runs": times(lambda _: call("POST", "runs/search", page)),
            f"history of {POINTS:,} points": times(lambda _: call("GET", history)),
        }
    )
)
