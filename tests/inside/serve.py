"""Log a model, give it an alias, and predict with MLflow in three ways, with only the model as an argument.

Prints as JSON the predictions of `mlflow models predict`, `mlflow.models.predict` and `mlflow models serve` for three
flowers.
"""

import json
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import mlflow
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

MODEL = "models:/flowers@champion"
PORT = 5001
TIMEOUT_SECONDS = 120

features, kinds = load_iris(return_X_y=True)
with mlflow.start_run():
    model = RandomForestClassifier(5, random_state=0).fit(features, kinds)
    mlflow.sklearn.log_model(model, name="model", registered_model_name="flowers")
mlflow.MlflowClient().set_registered_model_alias("flowers", "champion", 1)
rows = features[[0, 75, 149]].tolist()
body = json.dumps({"inputs": rows})


def serve():
    """Serve the model, send one request, and return the response."""
    server = subprocess.Popen(["mlflow", "models", "serve", "-m", MODEL, "--port", str(PORT)], stdout=sys.stderr)
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}/invocations", body.encode(), headers)
    end = time.monotonic() + TIMEOUT_SECONDS
    try:
        while True:
            try:
                with urllib.request.urlopen(request) as answer:
                    return json.load(answer)
            except urllib.error.URLError:
                assert server.poll() is None, "the server has ended"
                assert time.monotonic() < end, "the model was not served"
                time.sleep(0.2)
    finally:
        server.terminate()
        server.wait()


with tempfile.TemporaryDirectory() as folder:
    output, input_file = Path(folder, "output.json"), Path(folder, "input.json")
    input_file.write_text(body)
    subprocess.run(["mlflow", "models", "predict", "-m", MODEL, "-i", input_file, "-o", output], check=True)
    by_command = json.loads(output.read_text())
    mlflow.models.predict(MODEL, rows, output_path=str(output))
    by_function = json.loads(output.read_text())
print(json.dumps([answer["predictions"] for answer in (by_command, by_function, serve())]))
