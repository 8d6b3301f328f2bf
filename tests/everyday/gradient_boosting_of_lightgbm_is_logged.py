import subprocess
import sys

command = [sys.executable, "-m", "venv", "--system-site-packages", "boosting"]
subprocess.run(command, check=True)
subprocess.run(["boosting/bin/pip", "install", "--quiet", "--no-deps", "lightgbm"], check=True)
program = """
import mlflow, lightgbm
from sklearn.datasets import load_iris
X, y = load_iris(return_X_y=True)
mlflow.set_experiment("lightgbm")
model = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(X, y)
with mlflow.start_run():
    info = mlflow.lightgbm.log_model(model, name="model")
assert (mlflow.lightgbm.load_model(info.model_uri).predict(X) == model.predict(X)).all()
"""
ran = subprocess.run(["boosting/bin/python", "-c", program], capture_output=True, text=True, check=False)
assert ran.returncode == 0, ran.stderr[-800:]
