"""Log metrics with MLflow's client to each store in turn, always to a new run.

Arguments: the number of rounds, and for each store its tracking URI and the experiment; {folder} in a URI is a
temporary directory in the home. Prints for each store a list of the milliseconds of a call of log_metric, one per
round, including a share of the creation of the run, as JSON.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

# Without it MLflow refuses to keep runs in files.
os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"

import mlflow

CALLS = 300


def milliseconds(uri, experiment, calls):
    """Return the mean milliseconds of a call."""
    mlflow.set_tracking_uri(uri)
    start = time.perf_counter()
    with mlflow.start_run(experiment_id=experiment):
        for step in range(calls):
            mlflow.log_metric("loss", 0.5, step=step)
    return (time.perf_counter() - start) * 1000 / calls


rounds, *rest = sys.argv[1:]
with tempfile.TemporaryDirectory(dir=Path.home()) as folder:
    stores = [(uri.format(folder=folder), experiment) for uri, experiment in zip(rest[::2], rest[1::2], strict=True)]
    # Creates the tables.
    for store in stores:
        milliseconds(*store, calls=1)
    took = [[milliseconds(*store, calls=CALLS) for store in stores] for _ in range(int(rounds))]
    print(json.dumps(list(zip(*took, strict=True))))
