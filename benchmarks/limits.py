"""The upper limits of this machine: Postgres without MLflow, and MLflow's web server without an application."""

import statistics
import subprocess
from contextlib import contextmanager
from pathlib import Path

from benchmarks import stacks

INSIDE = Path(__file__).parent / "inside"
ROUNDS = 5
SECONDS, SECONDS_QUICK = 2, 0.3
# Where the notebook may create tables.
DATABASES = {"stock": "mlflow", "ours": "datasets"}


def measure(sides, table, quick):
    """Record the rows per second of one connection to Postgres, and p50 and requests per second of a bare route."""
    seconds = SECONDS_QUICK if quick else SECONDS
    for _, stack in stacks.in_turn(sides, 1 if quick else ROUNDS):
        one, many = stack.in_container("notebook", "write_rows.py", DATABASES[stack.name], seconds)
        table.add("limits", "one-row commits", "commits/s", stack.name, one)
        table.add("limits", "rows, 1000 a statement", "rows/s", stack.name, many)
        with bare_route(stack) as port:
            times = stack.in_container("notebook", "request_two_bytes.py", port, seconds)
        table.add("limits", "bare route, p50", "ms", stack.name, statistics.median(times) * 1000)
        table.add("limits", "bare route", "requests/s", stack.name, len(times) / sum(times))


@contextmanager
def bare_route(stack):
    """Run a trivial web server in the mlflow container during the block; gives its port."""
    program = (INSIDE / "serve_two_bytes.py").read_text()
    command = ["docker", "exec", "--interactive", stack.container("mlflow"), "python", "-c", program]
    # The exit closes its standard input, which stops it.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        yield int(server.stdout.readline())
