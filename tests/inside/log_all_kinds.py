"""Log data of each kind to MLflow, with the client of the server's version; print what was logged as JSON.

Runs in the mlflow container. `artifacts` maps "run path" to the SHA-256.
"""

import hashlib
import json
import os
import random
import tempfile
from pathlib import Path

os.environ["MLFLOW_TRACKING_URI"] = "http://mlflow:5000"

import mlflow
from mlflow.data.http_dataset_source import HTTPDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import Metric, Param, RunTag

client = mlflow.MlflowClient()
experiment = mlflow.set_experiment("from the past, données").experiment_id
artifacts = {}
for number in range(3):
    with mlflow.start_run(run_name=f"run {number}") as run:
        steps = [Metric("loss", 1 / (step + 1), 1_700_000_000_000 + step, step) for step in range(200)]
        steps += [Metric("not a number", float("nan"), 1_700_000_000_000, 0)]
        client.log_batch(
            run.info.run_id, steps, [Param("alpha", "0.1"), Param("long", "x" * 5000)], [RunTag("team", "é")]
        )
        mlflow.log_input(
            MetaDataset(HTTPDatasetSource("https://example.org/data.csv"), name="data"), context="training"
        )
        with tempfile.TemporaryDirectory() as folder:
            for name, size in (("small.bin", 10), ("large.bin", 5_000_000)):
                content = random.Random(f"{number} {name}").randbytes(size)
                Path(folder, name).write_bytes(content)
                artifacts[f"{run.info.run_id} models/{name}"] = hashlib.sha256(content).hexdigest()
            mlflow.log_artifacts(folder, "models")
client.create_registered_model("model", tags={"stage": "old"}, description="from the past")
version = client.create_model_version("model", f"{run.info.artifact_uri}/models", run.info.run_id)
client.set_registered_model_alias("model", "best", version.version)
deleted = client.create_run(experiment).info.run_id
client.delete_run(deleted)
with mlflow.start_span("a trace") as span:
    span.set_inputs({"question": "what was?"})
print(json.dumps({"experiment": experiment, "deleted": deleted, "artifacts": artifacts}))
