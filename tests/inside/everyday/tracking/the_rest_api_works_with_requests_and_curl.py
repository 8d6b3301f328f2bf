import json
import os
import subprocess

import requests

api = os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow"
created = requests.post(f"{api}/experiments/create", json={"name": "rest größe"}, timeout=30)
experiment = created.json()["experiment_id"]
run = requests.post(f"{api}/runs/create", json={"experiment_id": experiment, "run_name": "r"}, timeout=30).json()["run"]
body = {"run_id": run["info"]["run_id"], "key": "loss", "value": 0.5, "timestamp": 1, "step": 1}
assert requests.post(f"{api}/runs/log-metric", json=body, timeout=30).status_code == 200
search = ["curl", "--silent", "--fail", "-H", "Content-Type: application/json", f"{api}/runs/search", "-d"]
found = subprocess.run([*search, json.dumps({"experiment_ids": [experiment]})], capture_output=True, check=True)
assert json.loads(found.stdout)["runs"][0]["data"]["metrics"][0]["value"] == 0.5
missing = requests.get(f"{api}/runs/get", params={"run_id": "0" * 32}, timeout=30)
assert (missing.status_code, missing.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
wrong = requests.post(f"{api}/runs/log-metric", json=body | {"value": "much"}, timeout=30)
assert wrong.status_code == 400
