"""Ask MLflow for one thing after the other, on one connection that is kept.

Arguments: the experiment to search, and for how many seconds to ask for each kind of thing. Speaks plain HTTP, so that
MLflow's client is not measured. Prints the seconds of each request, by kind, as JSON.
"""

import http.client
import itertools
import json
import sys
import time

# How often at least, however long it takes.
LEAST = 3
BATCH = 1000
POINTS = 10_000

searched, seconds = sys.argv[1], float(sys.argv[2])
connection = http.client.HTTPConnection("mlflow", 5000, timeout=60)


def send(method, path, body=None):
    """Send a request; return the text of the answer. Raises OSError when it is not OK."""
    connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != http.client.OK:
        raise OSError(f"{path}: HTTP {answer.status}: {text[:300]}")
    return text


def call(method, path, body=None):
    """Send a request to the API; return the text of the answer."""
    return send(method, f"/api/2.0/mlflow/{path}", body)


def new_run():
    """Make a run; return its id."""
    made = json.loads(call("POST", "runs/create", {"experiment_id": "0", "start_time": 1}))
    return made["run"]["info"]["run_id"]


def metrics(count, keys, step):
    """Return as many metrics, spread over keys, of a step and those after it."""
    return [
        {"key": f"key{number % keys}", "value": number, "timestamp": number, "step": step * count + number}
        for number in range(count)
    ]


def times(ask):
    """Ask until the time is over, with a number from 0 on; return the seconds of each time."""
    found = []
    end = time.monotonic() + seconds
    for step in itertools.count():
        begin = time.monotonic()
        ask(step)
        found.append(time.monotonic() - begin)
        if time.monotonic() > end and len(found) >= LEAST:
            return found


def batches(count, keys):
    """Return the seconds of batches of metrics into a new run."""
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
