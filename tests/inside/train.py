"""Train a model as people do in a notebook, log everything to MLflow, and print what was logged as JSON."""

import hashlib
import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import mlflow
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

STEPS = 100

features, labels = load_breast_cancer(return_X_y=True)
features = StandardScaler().fit_transform(features)
train_x, test_x, train_y, test_y = train_test_split(features, labels, random_state=0)

mlflow.set_experiment("breast cancer")
with mlflow.start_run(run_name="sgd") as run:
    params = {"alpha": 0.001, "loss": "log_loss"}
    mlflow.log_params(params)
    mlflow.set_tags({"team": "données", "purpose": "test of the toolbox"})

    model = SGDClassifier(random_state=0, **params)
    losses = []
    for step in range(STEPS):
        model.partial_fit(train_x, train_y, classes=[0, 1])
        losses.append(log_loss(test_y, model.predict_proba(test_x)))
        mlflow.log_metric("loss", losses[-1], step=step)

    figure, axes = plt.subplots()
    axes.plot(losses)
    mlflow.log_figure(figure, "loss.png")

    blob = hashlib.sha256(b"a file of one's own").digest() * 4096
    Path("/tmp/blob.bin").write_bytes(blob)
    mlflow.log_artifact("/tmp/blob.bin")

    logged = mlflow.sklearn.log_model(model, name="model", registered_model_name="breast-cancer")

json.dump(
    {
        "run_id": run.info.run_id,
        "experiment_id": run.info.experiment_id,
        "params": {name: str(value) for name, value in params.items()},
        "losses": losses,
        "model_id": logged.model_id,
        "blob_sha256": hashlib.sha256(blob).hexdigest(),
        "predictions": model.predict(test_x).tolist(),
        "test_x": test_x.tolist(),
    },
    sys.stdout,
)
