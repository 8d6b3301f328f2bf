import json
import subprocess
from pathlib import Path

import mlflow


def cli(*arguments):
    result = subprocess.run(["mlflow", *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


experiment = mlflow.set_experiment("command line").experiment_id
with mlflow.start_run(run_name="by cli") as run:
    mlflow.log_text("hallo", "größe #1.txt")
assert "command line" in cli("experiments", "search")
assert run.info.run_id in cli("runs", "list", "--experiment-id", experiment)
listed = json.loads(cli("artifacts", "list", "--run-id", run.info.run_id))
assert [item["path"] for item in listed] == ["größe #1.txt"]
cli("artifacts", "download", "--run-id", run.info.run_id, "--dst-path", "downloaded")
assert Path("downloaded/größe #1.txt").read_text() == "hallo"
cli("runs", "delete", "--run-id", run.info.run_id)
assert mlflow.get_run(run.info.run_id).info.lifecycle_stage == "deleted"
