"""The latency for one client, in the notebook container and through the published port."""

import http.client
import json
import time

from benchmarks import fill, stacks

# In the experiment that is searched.
RUNS = 1000
# For each kind of request.
WARM_UP_SECONDS = 0.1
PORT_REQUESTS = 40


def measure(sides, table, quick):
    """Add p50 and p95 of each kind of request, one value per round."""
    rounds, seconds = (1, 0.3) if quick else (5, 1.5)
    experiments = {name: fill.experiment(side, "one client") for name, side in sides.items()}
    for name, side in sides.items():
        fill.runs(side, experiments[name], 1, RUNS)
    for _, side in stacks.in_turn(sides, rounds):
        arguments = ("notebook", "request_one_by_one.py", experiments[side.name])
        side.in_container(*arguments, WARM_UP_SECONDS)
        for kind, times in side.in_container(*arguments, seconds).items():
            add(table, side, kind, times)
        for kind, times in through_port(side).items():
            add(table, side, f"{kind} through the published port", times)


def add(table, side, kind, times):
    """Add the median and the 95th percentile of `times`, in seconds."""
    times = sorted(times)
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        table.add("one client", f"{kind}, {name}", "ms", side.name, times[int(share * (len(times) - 1))] * 1000)


def through_port(side):
    """Return the seconds of requests from this machine, by kind."""
    connection = http.client.HTTPConnection("127.0.0.1", side.port("mlflow"), timeout=60)

    def send(method, path, body=None):
        begin = time.monotonic()
        connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == http.client.OK, text
        return time.monotonic() - begin, text

    api = "/api/2.0/mlflow/runs"
    run = json.loads(send("POST", f"{api}/create", {"experiment_id": "0"})[1])["run"]["info"]["run_id"]
    metric = {"run_id": run, "key": "metric", "value": 1, "timestamp": 0}
    found = {
        "/health": [send("GET", "/health")[0] for _ in range(PORT_REQUESTS)],
        "log-metric": [send("POST", f"{api}/log-metric", metric | {"step": step})[0] for step in range(PORT_REQUESTS)],
    }
    connection.close()
    return found
