import mlflow
import numpy as np
from sklearn.datasets import load_iris
from sklearn.utils import all_estimators
from sklearn.utils._test_common.instance_generator import _construct_instances

X, y = load_iris(return_X_y=True)
TEXTS = ["a bird", "a fish", "a bird and a fish"] * 10
DATA = [(X, y), (X, np.c_[y, y]), (X[:, 0], y), (TEXTS, y[:30]), ([{"a": 1}] * 30, None), (y, None), (y, y)]


def fitted(estimator):
    for data in DATA:
        try:
            return estimator.fit(*data), data[0]
        except Exception as error:
            reason = error
    raise reason


def outcome(estimator, data):
    method = getattr(estimator, "predict", None) or getattr(estimator, "transform", None)
    return method(data) if method else None


logged, failed = 0, {}
mlflow.set_experiment("every estimator")
with mlflow.start_run():
    for name, kind in all_estimators():
        try:
            model, data = fitted(next(_construct_instances(kind)))
            info = mlflow.sklearn.log_model(model, name=name, pip_requirements=["scikit-learn"])
            loaded = mlflow.sklearn.load_model(info.model_uri)
            np.testing.assert_equal(str(outcome(loaded, data)), str(outcome(model, data)))
            logged += 1
        except Exception as error:
            failed[name] = str(error)[:200]
print(logged, failed)
assert not failed
assert logged > 190
