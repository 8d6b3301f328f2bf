"""Exit with 0 when the MLflow server of this container answers from its database, else with 1 and the reason.

Asks for the default experiment, which is a row of the database, under the name that the notebook uses.
"""

import http.client
import os
import sys

ROUTE = "/api/2.0/mlflow/experiments/get?experiment_id=0"
# Less than the health check's own timeout in docker-compose.yml, which would cut the reason off.
TIMEOUT_SECONDS = 8

port = int(os.environ["MLFLOW_PORT"])
try:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    connection.request("GET", ROUTE, headers={"Host": f"mlflow:{port}"})
    answer = connection.getresponse()
    text = answer.read(500).decode(errors="replace")
except TimeoutError:
    sys.exit(f"No answer within {TIMEOUT_SECONDS} s: is the database up?")
except OSError as error:
    sys.exit(f"The server cannot be reached: {error}")
if answer.status != http.client.OK:
    sys.exit(f"The server answers {answer.status}, is the database up? {text}")
