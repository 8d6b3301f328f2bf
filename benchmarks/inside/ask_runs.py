"""Ask MLflow for runs of an experiment, as its pages do, on one connection that is kept.

Arguments: the experiment, how many runs it has, and how often to ask each question. Prints the milliseconds of each
time, by question, as JSON.
"""

import base64
import http.client
import json
import sys
import time

PAGE = 100
experiment, count, times = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
connection = http.client.HTTPConnection("mlflow", 5000, timeout=300)


def ask(method, path, body=None):
    """Send a request; return (the answer, the milliseconds until it was there). Raises OSError if it is not OK."""
    start = time.perf_counter()
    connection.request(method, f"/api/2.0/mlflow/{path}", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    milliseconds = (time.perf_counter() - start) * 1000
    if answer.status != http.client.OK:
        raise OSError(f"HTTP {answer.status}: {text[:500]}")
    return json.loads(text), milliseconds


def search(order="attributes.start_time DESC", **more):
    """Return the request with which MLflow's page asks for a table of runs."""
    body = {"experiment_ids": [experiment], "run_view_type": "ACTIVE_ONLY", "max_results": PAGE, "order_by": [order]}
    return "POST", "runs/search", json.dumps(body | more)


def token(offset):
    """Return the token of the page that begins after `offset` runs."""
    return base64.b64encode(json.dumps({"offset": offset}).encode()).decode()


run = ask(*search())[0]["runs"][0]["info"]["run_id"]
QUESTIONS = {
    "first page": search(),
    "deep page": search(page_token=token(count // 2)),
    "ordered by a metric": search(order="metrics.`loss` ASC"),
    # A tenth of the runs each.
    "filtered by a metric": search(filter="metrics.loss < 0.1"),
    "filtered by a param": search(filter="params.depth = '7'"),
    "history of a metric": ("GET", f"metrics/get-history?run_id={run}&metric_key=loss&max_results=25000"),
}
found = {}
for question, request in QUESTIONS.items():
    # The first time is not counted, and shows that there is what was asked for.
    answer, _ = ask(*request)
    assert answer.get("runs") or answer.get("metrics"), question
    found[question] = [ask(*request)[1] for _ in range(times)]
print(json.dumps(found))
