import subprocess
import time

import mlflow
import requests
from sklearn.linear_model import LinearRegression

mlflow.set_experiment("served")
with mlflow.start_run():
    model = LinearRegression().fit([[0], [1]], [0, 2])
    mlflow.sklearn.log_model(model, name="model", registered_model_name="doubles")
mlflow.MlflowClient().set_registered_model_alias("doubles", "champion", "1")
server = subprocess.Popen(["mlflow", "models", "serve", "-m", "models:/doubles@champion", "-p", "5077"])
try:
    while server.poll() is None:
        try:
            answer = requests.post("http://127.0.0.1:5077/invocations", json={"inputs": [[3]]}, timeout=30)
            break
        except requests.ConnectionError:
            time.sleep(0.2)
    assert [round(value) for value in answer.json()["predictions"]] == [6]
finally:
    server.terminate()
