import mlflow
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer


class Clip(BaseEstimator, TransformerMixin):
    def fit(self, X, y=None):
        self.low_, self.high_ = np.percentile(X, [5, 95])
        return self

    def transform(self, X):
        return np.clip(X, self.low_, self.high_)


mlflow.set_experiment("own transformer")
X = np.random.default_rng(0).exponential(size=(50, 1))
model = make_pipeline(FunctionTransformer(lambda x: x + 1), Clip(), LinearRegression()).fit(X, X[:, 0])
with mlflow.start_run():
    info = mlflow.sklearn.log_model(model, name="model")
assert np.allclose(mlflow.sklearn.load_model(info.model_uri).predict(X), model.predict(X))
