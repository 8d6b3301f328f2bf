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


failed = {}
mlflow.set_experiment("every estimator")
with mlflow.start_run():
    for name, kind in all_estimators():
        try:
            model, data = fitted(next(_construct_instances(kind)))
            info = mlflow.sklearn.log_model(model, name=name, pip_requirements=["scikit-learn"])
            loaded = mlflow.sklearn.load_model(info.model_uri)
            method = "predict" if hasattr(model, "predict") else "transform"
            if hasattr(model, method):
                assert str(getattr(loaded, method)(data)) == str(getattr(model, method)(data))
        except Exception as error:
            failed[name] = str(error)[:200]
assert not failed
