import subprocess
import sys

import mlflow
from sklearn.datasets import make_regression
from sklearn.ensemble import ExtraTreesRegressor

mlflow.set_experiment("another process")
X, y = make_regression(50, 3, random_state=0)
with mlflow.start_run() as run:
    mlflow.sklearn.log_model(ExtraTreesRegressor(5, random_state=0).fit(X, y), name="model")
program = f"""
import mlflow
print(type(mlflow.sklearn.load_model("runs:/{run.info.run_id}/model")).__name__)
"""
printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
assert printed.strip() == "ExtraTreesRegressor"
