import mlflow
import numpy as np
from sklearn.datasets import load_iris
from sklearn.dummy import DummyRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.utils import all_estimators
from sklearn.utils._test_common.instance_generator import _construct_instances

X, y = load_iris(return_X_y=True)
TEXTS = ["a bird", "a fish", "a bird and a fish"] * 10
IMAGES = np.random.default_rng(0).random((5, 20, 20))
# All kinds of data that estimators need; each gets the first that it accepts.
DATA = [(X, y), (X[:100], y[:100]), (X, y + 1), (X, np.c_[y, y]), (X[:, 0], y), (X @ X.T,), (X[:, :3],), (IMAGES,)]
DATA += [(TEXTS, y[:30]), ([{"a": 1}] * 30,), ([["a"], ["b", "c"]],), (y,)]


def fitted(name, kind):
    for data in DATA:
        try:
            model = (
                FrozenEstimator(DummyRegressor().fit(X, y))
                if name == "FrozenEstimator"
                else next(_construct_instances(kind))
            )
            # Some predictions of a dummy are random.
            model.set_params(**({"random_state": 0} if name == "DummyClassifier" else {}))
            model.fit(*data)
            return model, data[0], prediction(model, data[0])
        except Exception as error:
            reason = error
    raise reason


def prediction(model, data):
    method = getattr(model, "predict", getattr(model, "transform", None))
    return str(method(data)) if method else str(model)


failed = {}
mlflow.set_experiment("every estimator")
with mlflow.start_run():
    for name, kind in all_estimators():
        try:
            model, data, predicted = fitted(name, kind)
            info = mlflow.sklearn.log_model(model, name=name, pip_requirements=["scikit-learn"])
            assert prediction(mlflow.sklearn.load_model(info.model_uri), data) == predicted
        except Exception as error:
            failed[name] = str(error)[:200]
assert not failed, failed
