"""Waiting for what a running toolbox does."""

import time

# Three health checks that fail, 10 s apart, each of them up to 10 s long, and room for a slow machine.
PATIENCE_SECONDS = 120
# What MLflow can answer only with its database.
DATABASE_ROUTE = "/api/2.0/mlflow/experiments/get?experiment_id=0"
# Some of what is waited for is there for a moment only.
PAUSE_SECONDS = 0.02


def until(condition, what, seconds=PATIENCE_SECONDS):
    """Wait until `condition()` holds, and return what it gave; fail, and say `what` did not happen, when it does not in
    time.
    """
    end = time.monotonic() + seconds
    while not (given := condition()):
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(PAUSE_SECONDS)
    return given


def answers(toolbox):
    """Return whether MLflow answers from its database within five seconds."""
    try:
        return toolbox.get("mlflow", DATABASE_ROUTE, timeout=5)[0] == 200
    except OSError:
        return False


def is_healthy(toolbox, *services):
    """Return whether Docker finds each of the services healthy."""
    return all(toolbox.health(service)[0] == "healthy" for service in services)
