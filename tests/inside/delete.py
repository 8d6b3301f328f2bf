"""Log runs and models and delete some of them, as people do over months; print their IDs by name, as JSON."""

import json
import sys
from pathlib import Path

import mlflow

client = mlflow.MlflowClient()
ids = {}
# Not a multiple of a disk's block size.
Path("/tmp/weight.bin").write_bytes(b"x" * 300_001)


def experiment(name, location=None):
    ids[name] = client.create_experiment(name, artifact_location=location)
    return ids[name]


def run(name, where, with_file=True):
    ids[name] = client.create_run(where).info.run_id
    client.log_metric(ids[name], "loss", 0.5)
    if with_file:
        client.log_artifact(ids[name], "/tmp/weight.bin", "some/folder")
    return ids[name]


def model(name, where, source_run=None):
    ids[name] = client.create_logged_model(where, name="model", source_run_id=source_run).model_id
    client.log_model_artifact(ids[name], "/tmp/weight.bin")
    client.finalize_logged_model(ids[name], "READY")
    return ids[name]


def register(name, source, source_run=None, source_model=None):
    client.create_registered_model(name)
    client.create_model_version(name, source, source_run, model_id=source_model)


def register_model(name, source_model, source_run=None):
    register(name, f"models:/{source_model}", source_run, source_model)


lived_in = experiment("lived in")
run("live run", lived_in)
for name in ("old run", "young run"):
    client.delete_run(run(name, lived_in))
for name in ("old model", "young model"):
    client.delete_logged_model(model(name, lived_in))
client.delete_run(run("old run of a live model", lived_in))
model("live model", lived_in, ids["old run of a live model"])

# Sources of registered versions, for each way to register one; and one whose version is deleted.
run("registered run", lived_in)
register("by run", f"{client.get_run(ids['registered run']).info.artifact_uri}/some", ids["registered run"])
client.delete_run(ids["registered run"])
run("registered model's run", lived_in, with_file=False)
register_model("by model", model("registered model", lived_in), ids["registered model's run"])
client.delete_run(ids["registered model's run"])
client.delete_logged_model(ids["registered model"])
register_model("original", model("copied model", lived_in))
client.copy_model_version("models:/original/1", "copy")
client.delete_model_version("original", "1")
client.delete_logged_model(ids["copied model"])
register_model("given up", model("given up model", lived_in))
client.delete_model_version("given up", "1")
client.delete_logged_model(ids["given up model"])

# Experiments, deleted with everything in them.
for name in ("old experiment", "young experiment", "needed experiment", "experiment with a live run"):
    where = experiment(name)
    run(f"run of {name}", where)
    model(f"model of {name}", where)
    mlflow.set_experiment(experiment_id=where)
    with mlflow.start_span(f"span of {name}"):
        pass
mlflow.flush_trace_async_logging()
register_model("needs an experiment", ids["model of needed experiment"])
for name in ("old experiment", "young experiment", "needed experiment", "experiment with a live run"):
    client.delete_experiment(ids[name])
client.restore_run(ids["run of experiment with a live run"])

# A run whose artifacts are not in the artifact store.
client.delete_run(run("run elsewhere", experiment("elsewhere", "s3://bucket/folder"), with_file=False))

json.dump(ids, sys.stdout)
