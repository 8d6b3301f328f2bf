"""How long a training loop in the notebook waits for its metrics, as people write it, and with buffered logging."""

from benchmarks import stacks

CALLS = 1000
BUFFERED = {"MLFLOW_ENABLE_ASYNC_LOGGING": "true", "MLFLOW_ASYNC_LOGGING_BUFFERING_SECONDS": "1"}


def measure(sides, table, quick):
    """Add the seconds until all metrics are on the server, without and with buffering.

    A third row compares stock without buffering to ours with it.
    """
    # A quick run makes a fifth of the calls that wait for their response.
    plain_calls = CALLS // 5 if quick else CALLS
    for _, side in stacks.in_turn(sides, 1 if quick else 3):
        plain = side.in_container("notebook", "loop.py", plain_calls)["seconds"] * CALLS / plain_calls
        buffered = side.in_container("notebook", "loop.py", CALLS, environment=BUFFERED)["seconds"]
        add(table, side, "", plain)
        add(table, side, ", buffered", buffered)
        add(table, side, ", ours buffered", buffered if side.name == "ours" else plain)


def add(table, side, how, seconds):
    """Add the seconds of a loop; `how` is the end of the row's name."""
    table.add("training loop", f"{CALLS} log_metric calls{how}", "s", side.name, seconds)
