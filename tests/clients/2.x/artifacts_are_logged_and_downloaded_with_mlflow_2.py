from pathlib import Path

import mlflow

mlflow.set_experiment("MLflow 2 artifacts")
with mlflow.start_run() as run:
    mlflow.log_text("grüße", "texts/größe 1.txt")
    mlflow.log_dict({"a": [1, None]}, "config.json")
    Path("data").mkdir()
    Path("data/x.bin").write_bytes(b"\0\xff" * 1000)
    mlflow.log_artifacts("data", "copied")
base = f"runs:/{run.info.run_id}"
assert mlflow.artifacts.load_text(f"{base}/texts/größe 1.txt") == "grüße"
assert mlflow.artifacts.load_dict(f"{base}/config.json") == {"a": [1, None]}
folder = mlflow.artifacts.download_artifacts(f"{base}/copied")
assert Path(folder, "x.bin").read_bytes() == b"\0\xff" * 1000
