import os

import requests

session = requests.Session()
session.headers["Authorization"] = f"token {os.environ['JUPYTER_TOKEN']}"
api = os.environ["NOTEBOOK"] + "/api"
assert session.get(f"{api}/status", timeout=30).json()["kernels"] >= 0
names = [item["name"] for item in session.get(f"{api}/contents/examples", timeout=30).json()["content"]]
assert "1-track-an-experiment.ipynb" in names
refused = requests.get(f"{api}/contents", timeout=30)
assert refused.status_code == 403
assert "mlflow" in requests.get(os.environ["MLFLOW_TRACKING_URI"], timeout=30).text.lower()
