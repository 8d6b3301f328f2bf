"""Log a metric at each step of a loop, as people write it; the argument is the number of steps.

The environment decides whether logging is asynchronous. Prints the seconds until all metrics are on the server, as
JSON, after checking that they are.
"""

import json
import sys
import time

import mlflow

steps = int(sys.argv[1])
with mlflow.start_run() as run:
    begin = time.monotonic()
    for step in range(steps):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
    if mlflow.environment_variables.MLFLOW_ENABLE_ASYNC_LOGGING.get():
        mlflow.flush_async_logging()
    seconds = time.monotonic() - begin
found = mlflow.MlflowClient().get_metric_history(run.info.run_id, "loss")
assert [metric.step for metric in found] == list(range(steps)), len(found)
print(json.dumps({"seconds": seconds}))
