"""Log models as a tutorial does, load them in another process, and compare their predictions.

Prints as JSON: `wrong`, the output of models with other predictions, `missing`, the error of a model whose file is
missing, and `states`, those of all logged models.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import mlflow
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

LOAD = """
import sys, mlflow, numpy
from sklearn.datasets import load_iris
X = load_iris().data
print([mlflow.{}.load_model(uri).predict(X).tolist() for uri in sys.argv[1:]])
"""


class Always(ClassifierMixin, BaseEstimator):
    """An estimator such as a notebook may define."""

    def fit(self, inputs, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, inputs):
        return np.full(len(inputs), self.classes_[0])


def double(inputs):
    return inputs * 2


def load(flavor, *uris):
    """Return the result of predicting with models in another process and folder."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", LOAD.format(flavor), *uris]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


X, y = load_iris(return_X_y=True)
models = [
    GridSearchCV(RandomForestClassifier(3), {"max_depth": [2]}),
    HistGradientBoostingClassifier(max_iter=2),
    make_pipeline(FunctionTransformer(double), Always()),
]
experiment = mlflow.set_experiment("models of all kinds")
with mlflow.start_run(), tempfile.TemporaryDirectory() as folder:
    uris = [mlflow.sklearn.log_model(model.fit(X, y), name="model").model_uri for model in models]
    expected = [model.predict(X).tolist() for model in models]
    del Always
    Path(folder, "own_file.py").write_text("class Model:\n    def predict(self, X):\n        return X\n")
    sys.path.insert(0, folder)
    from own_file import Model

    lost = mlflow.sklearn.log_model(Model(), name="model").model_uri

wrong = {}
for flavor in ("sklearn", "pyfunc"):
    result = load(flavor, *uris)
    if result.stdout.strip() != str(expected):
        wrong[flavor] = result.stdout + result.stderr
states = [model.status.value for model in mlflow.search_logged_models([experiment.experiment_id], output_format="list")]
print(json.dumps({"wrong": wrong, "missing": load("pyfunc", lost).stderr.splitlines()[-1], "states": states}))
