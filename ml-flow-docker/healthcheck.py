"""Exit with 0 when the MLflow server of this container answers from its database, else with 1 and the reason.

Asks for the default experiment, which is a row of the database, under the name that the notebook uses.
"""

import http.client
import os
import sys

ROUTE = "/api/2.0/mlflow/experiments/get?experiment_id=0"
# Less than the time that docker-compose.yml gives to the check: cut off from there it could not tell the reason.
TIMEOUT_SECONDS = 8


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


if __name__ == "__main__":
    sys.exit(problem(int(os.environ["MLFLOW_PORT"])))
