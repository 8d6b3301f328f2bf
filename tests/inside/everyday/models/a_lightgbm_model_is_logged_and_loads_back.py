import subprocess
import sys

import mlflow
from sklearn.datasets import load_iris

# As `pip install lightgbm`, but without changing the environment of the other programs.
subprocess.run(
    [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", "here", "lightgbm"], check=True
)
sys.path.insert(0, "here")
import lightgbm

X, y = load_iris(return_X_y=True)
mlflow.set_experiment("lightgbm")
model = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(X, y)
with mlflow.start_run():
    info = mlflow.lightgbm.log_model(model, name="model")
assert (mlflow.lightgbm.load_model(info.model_uri).predict(X) == model.predict(X)).all()
