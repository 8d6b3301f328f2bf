"""How long a start takes: from the command to the first logged metric, and to JupyterLab."""

import http.client
import json
import time

from benchmarks import fill, stacks
from toolbox.errors import Failure

POLL_SECONDS = 0.05
TIMEOUT_SECONDS = 300
REQUEST_SECONDS = 5
FILLED_RUNS = 1000


def measure(sides, table, quick):
    """Add the seconds of a start with empty and with filled volumes, and of `docker restart`. Leaves both running."""
    for _, side in stacks.in_turn(sides, 1 if quick else 3):
        side.compose("down", "--volumes")
        add(table, side, "empty volumes", up(side))
        side.up()
        fill.runs(side, fill.experiment(side, "start"), 1, FILLED_RUNS)
        side.compose("down")
        add(table, side, "filled volumes", up(side))
        side.up()
        table.add("start", "first metric, docker restart", "s", side.name, restart(side))
        side.up()


def add(table, side, volumes, seconds):
    """Add the seconds until the first metric and until JupyterLab."""
    for what, value in zip(("first metric", "JupyterLab"), seconds, strict=True):
        table.add("start", f"{what}, {volumes}", "s", side.name, value)


def up(side):
    """Start a side; return the seconds until a metric could be logged, and until JupyterLab answered."""
    begin = time.monotonic()
    end = begin + TIMEOUT_SECONDS
    with side.started("docker", "compose", "up", "--detach") as process:
        pending = {"metric": logs_a_metric, "notebook": shows_jupyterlab}
        seconds = {}
        while pending:
            for name, is_ready in list(pending.items()):
                if is_ready(side):
                    seconds[name] = time.monotonic() - begin
                    del pending[name]
            wait(end, side)
        process.communicate()
    return seconds["metric"], seconds["notebook"]


def restart(side):
    """Restart the mlflow container with Docker's own command; return the seconds until a metric could be logged."""
    container = side.container("mlflow")
    begin = time.monotonic()
    # The old process has exited when the command returns, so only the new one can respond.
    side.run("docker", "restart", container)
    while not logs_a_metric(side):
        wait(begin + TIMEOUT_SECONDS, side)
    return time.monotonic() - begin


def wait(end, side):
    """Wait a moment before the next request. Raises Failure after `end`, on the monotonic clock."""
    if time.monotonic() > end:
        raise Failure(f"{side.name} did not respond for {TIMEOUT_SECONDS} s: check the machine's load, and try again.")
    time.sleep(POLL_SECONDS)


def logs_a_metric(side):
    """Return whether a run could be created and a metric logged."""
    run = send(side, "mlflow", "POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"})
    if run is None:
        return False
    metric = {"run_id": run["run"]["info"]["run_id"], "key": "first", "value": 1, "timestamp": 0, "step": 0}
    return send(side, "mlflow", "POST", "/api/2.0/mlflow/runs/log-metric", metric) is not None


def shows_jupyterlab(side):
    """Return whether the notebook server responds."""
    return send(side, "notebook", "GET", "/api") is not None


def send(side, service, method, path, body=None):
    """Send a request to a service from this machine; return the JSON of the response, or None if it failed."""
    connection = http.client.HTTPConnection("127.0.0.1", side.port(service), timeout=REQUEST_SECONDS)
    try:
        connection.request(method, path, body and json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return json.loads(answer.read()) if answer.status == http.client.OK else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
