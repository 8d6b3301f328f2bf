import hashlib
import os
from pathlib import Path

import mlflow

content = os.urandom(1 << 20) * 50
Path("big file.bin").write_bytes(content)
mlflow.set_experiment("big files")
with mlflow.start_run() as run:
    mlflow.log_artifact("big file.bin")
    mlflow.log_text("", "empty.txt")
path = mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/big file.bin", dst_path="back")
assert hashlib.sha256(Path(path).read_bytes()).digest() == hashlib.sha256(content).digest()
assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/empty.txt") == ""
