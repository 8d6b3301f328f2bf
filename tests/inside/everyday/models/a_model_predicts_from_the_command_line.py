import json
import subprocess
from pathlib import Path

import mlflow
from sklearn.linear_model import LinearRegression

mlflow.set_experiment("predict")
with mlflow.start_run() as run:
    mlflow.sklearn.log_model(LinearRegression().fit([[0], [1]], [0, 2]), name="model")
Path("input.json").write_text('{"inputs": [[4]]}')
uri = f"runs:/{run.info.run_id}/model"
command = ["mlflow", "models", "predict", "-m", uri, "-i", "input.json", "-o", "output.json"]
predicted = subprocess.run(command, capture_output=True, text=True, check=False)
assert predicted.returncode == 0, predicted.stderr
assert [round(value) for value in json.loads(Path("output.json").read_text())["predictions"]] == [8]
