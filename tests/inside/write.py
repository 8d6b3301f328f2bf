"""Log metrics from eight threads, each to its own run, until the file named by the argument is there.

Prints as JSON which steps of each run the server acknowledged, and how many calls failed for good.
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
    """Return the steps of a run that were acknowledged, and the number of calls that failed."""
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
