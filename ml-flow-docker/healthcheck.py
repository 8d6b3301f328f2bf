"""Exit with 0 if the MLflow server of this container is healthy, otherwise with 1 and the reason.

It is healthy if it answers a query of the default experiment, which reads the database, with the Host header that the
notebook uses, and if there is disk space for artifacts.
"""

import http.client
import os
import shutil
import sys

ROUTE = "/api/2.0/mlflow/experiments/get?experiment_id=0"
# Less than the timeout in docker-compose.yml, so that the reason is still printed.
TIMEOUT_SECONDS = 8
# With less free space the disk counts as full; postgres-docker/healthcheck has the same number.
LEAST_FREE_MB = 32


def problem(port):
    """Return why the server on TCP port `port` does not answer from its database, or None if it does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", ROUTE, headers={"Host": f"mlflow:{port}"})
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    except TimeoutError:
        return f"MLflow does not answer within {TIMEOUT_SECONDS} s: is the database up?"
    except (OSError, http.client.HTTPException) as error:
        return f"MLflow does not answer: {error}"
    if answer.status == http.client.OK:
        return None
    return f"MLflow cannot read its database (HTTP {answer.status}): {text}"


def lack_of_space(folder):
    """Return a message if the disk of `folder` is full, otherwise None."""
    free = shutil.disk_usage(folder).free >> 20
    return None if free >= LEAST_FREE_MB else f"The disk of the artifacts is full: {free} MB are free."


if __name__ == "__main__":
    port, folder = int(os.environ["MLFLOW_PORT"]), os.environ["MLFLOW_ARTIFACTS_DESTINATION"]
    sys.exit(problem(port) or lack_of_space(folder))
