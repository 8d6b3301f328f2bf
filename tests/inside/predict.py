"""Load the registered model from the tracking server; print its predictions for the JSON on standard input."""

import json
import sys

import mlflow
import numpy as np

model = mlflow.sklearn.load_model("models:/breast-cancer/latest")
json.dump(model.predict(np.array(json.load(sys.stdin))).tolist(), sys.stdout)
