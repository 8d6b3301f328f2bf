"""Exit with 0 when the MLflow server of this container works, else with 1 and the reason.

It works when it answers from its database and has room for artifacts. It is asked for the default experiment, a row of
the database, under the name that the notebook uses.
"""

import http.client
import os
import shutil
import sys

ROUTE = "/api/2.0/mlflow/experiments/get?experiment_id=0"
# Less than the time that docker-compose.yml gives to the check: cut off from there it could not tell the reason.
TIMEOUT_SECONDS = 8
# With less the disk counts as full, for which the postgres container has the same number.
LEAST_ROOM_MB = 32


def problem(port):
    """Return why the server on this machine's TCP port `port` does not answer from its database; None when it does."""
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


def lack_of_room(folder):
    """Return that the disk of `folder` is full, in words; None when it is not."""
    room = shutil.disk_usage(folder).free >> 20
    return None if room >= LEAST_ROOM_MB else f"The disk of the artifacts is full: {room} MB are free."


if __name__ == "__main__":
    port, folder = int(os.environ["MLFLOW_PORT"]), os.environ["MLFLOW_ARTIFACTS_DESTINATION"]
    sys.exit(problem(port) or lack_of_room(folder))
