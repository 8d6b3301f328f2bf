"""Log metrics from eight threads, each to a separate run, until the file in the argument exists.

Prints as JSON the steps of each run that the server acknowledged, and the number of calls that failed.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mlflow

WRITERS = 8
stop = Path(sys.argv[1])
client = mlflow.MlflowClient()
experiment = mlflow.set_experiment("faults").experiment_id
runs = [client.create_run(experiment).info.run_id for _ in range(WRITERS)]


def write(run):
    """Return the acknowledged steps of a run, and the number of failed calls."""
    acknowledged, failed, step = [], 0, 0
    while not stop.exists():
        try:
            client.log_metric(run, "value", step, step=step)
            acknowledged.append(step)
        except mlflow.MlflowException:
            failed += 1
        step += 1
    return acknowledged, failed


with ThreadPoolExecutor(WRITERS) as threads:
    results = dict(zip(runs, threads.map(write, runs), strict=True))
json.dump(
    {
        "acknowledged": {run: acknowledged for run, (acknowledged, _) in results.items()},
        "failed": sum(failed for _, failed in results.values()),
    },
    sys.stdout,
)
