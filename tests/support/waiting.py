"""Wait for conditions of a running toolbox."""

import time

# Three failing health checks, 10 s apart and each up to 10 s long, and a margin for slow machines.
TIMEOUT_SECONDS = 120
# MLflow cannot answer this without its database.
DATABASE_ROUTE = "/api/2.0/mlflow/experiments/get?experiment_id=0"
# Some conditions hold only for a moment.
POLL_SECONDS = 0.02


def until(condition, what, seconds=TIMEOUT_SECONDS):
    """Wait until `condition()` is true, and return its value; after `seconds` fail with a message that names `what`."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"timed out waiting until {what}"
        time.sleep(POLL_SECONDS)
    return value


def answers(toolbox):
    """Return whether MLflow answers from its database within five seconds."""
    try:
        return toolbox.get("mlflow", DATABASE_ROUTE, timeout=5)[0] == 200
    except OSError:
        return False


def is_healthy(toolbox, *services):
    """Return whether each of the services is healthy."""
    return all(toolbox.health(service)[0] == "healthy" for service in services)
