from pathlib import Path

import mlflow

mlflow.set_experiment("artifacts from this machine")
Path("größe.bin").write_bytes(b"\0\xff" * 1_000_000)
with mlflow.start_run() as run:
    mlflow.log_artifact("größe.bin", "a b")
    mlflow.log_text("ä", "t.txt")
path = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="a b/größe.bin")
assert Path(path).read_bytes() == b"\0\xff" * 1_000_000
assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/t.txt") == "ä"
assert [item.path for item in mlflow.artifacts.list_artifacts(run_id=run.info.run_id)] == ["a b", "t.txt"]
