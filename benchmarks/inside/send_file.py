"""Log a file of random bytes as an artifact, and download it again; the argument is its size in megabytes.

Prints the seconds of upload and download, as JSON, after comparing the files. The artifact is deleted with the volume.
"""

import filecmp
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import mlflow

with tempfile.TemporaryDirectory(dir=Path.home()) as folder:
    sent = Path(folder) / "sent.bin"
    with sent.open("wb") as file:
        for _ in range(int(sys.argv[1])):
            file.write(os.urandom(1_000_000))
    with mlflow.start_run() as run:
        begin = time.monotonic()
        mlflow.log_artifact(sent)
        up = time.monotonic() - begin
    begin = time.monotonic()
    got = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path=sent.name, dst_path=f"{folder}/got")
    down = time.monotonic() - begin
    assert filecmp.cmp(sent, got, shallow=False)
print(json.dumps({"up": up, "down": down}))
