"""Query MLflow for runs of an experiment, as its pages do, on a single connection.

Arguments: the experiment, its number of runs, and how often to repeat each query. Prints the milliseconds of each
repetition, by query, as JSON.
"""

import base64
import http.client
import json
import sys
import time

PAGE = 100
experiment, count, times = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
connection = http.client.HTTPConnection("mlflow", 5000, timeout=300)


def send(method, path, body=None):
    """Send a request; return (the response, its milliseconds). Raises OSError if the status is not 200."""
    start = time.perf_counter()
    connection.request(method, f"/api/2.0/mlflow/{path}", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    milliseconds = (time.perf_counter() - start) * 1000
    if answer.status != http.client.OK:
        raise OSError(f"HTTP {answer.status}: {text[:500]}")
    return json.loads(text), milliseconds


def search(order="attributes.start_time DESC", **more):
    """Return the request of MLflow's table of runs."""
    body = {"experiment_ids": [experiment], "run_view_type": "ACTIVE_ONLY", "max_results": PAGE, "order_by": [order]}
    return "POST", "runs/search", json.dumps(body | more)


def token(offset):
    """Return the token of the page that begins after `offset` runs."""
    return base64.b64encode(json.dumps({"offset": offset}).encode()).decode()


run = send(*search())[0]["runs"][0]["info"]["run_id"]
QUERIES = {
    "first page": search(),
    "deep page": search(page_token=token(count // 2)),
    "ordered by a metric": search(order="metrics.`loss` ASC"),
    # Each matches a tenth of the runs.
    "filtered by a metric": search(filter="metrics.loss < 0.1"),
    "filtered by a param": search(filter="params.depth = '7'"),
    "history of a metric": ("GET", f"metrics/get-history?run_id={run}&metric_key=loss&max_results=25000"),
}
measured = {}
for query, request in QUERIES.items():
    # A warm-up, which also checks that the result is not empty.
    answer, _ = send(*request)
    assert answer.get("runs") or answer.get("metrics"), query
    measured[query] = [send(*request)[1] for _ in range(times)]
print(json.dumps(measured))
