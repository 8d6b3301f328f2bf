"""Log a file of random bytes as an artifact of a new run, and download it. Argument: its size in MiB.

With a second argument, a folder, it waits in the middle of the upload: it writes its PID to the file `half` there, and
continues when a file `go` exists.

Prints as JSON the run, the error or null, the seconds of the upload, the artifacts of the run (names and sizes in
bytes), and whether the content is the same.
"""

import hashlib
import io
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import mlflow
from mlflow.store.artifact import http_artifact_repo

MB = 1 << 20
client = mlflow.MlflowClient()


def digest(path):
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Halting(io.FileIO):
    """A file whose second half can be read only once `gate / "go"` exists."""

    def __init__(self, path, mode):
        super().__init__(path, mode)
        self.middle = Path(path).stat().st_size // 2

    def read(self, size=-1):
        """Read, and wait once in the middle."""
        if self.tell() >= self.middle and not (gate / "half").exists():
            (gate / "part").write_text(str(os.getpid()))
            (gate / "part").rename(gate / "half")
            while not (gate / "go").exists():
                time.sleep(0.05)
        return super().read(size)


if len(sys.argv) > 2:
    gate = Path(sys.argv[2])
    # MLflow opens the files that it uploads with this function.
    http_artifact_repo.open = Halting

with tempfile.TemporaryDirectory() as folder:
    blob = Path(folder) / "blob.bin"
    with blob.open("wb") as file:
        for _ in range(int(sys.argv[1])):
            file.write(os.urandom(MB))
    run_id = client.create_run("0").info.run_id
    error, start = None, time.monotonic()
    try:
        client.log_artifact(run_id, str(blob))
    # The test checks it.
    except Exception as raised:
        error = str(raised)
    seconds = time.monotonic() - start
    stored = [[file.path, file.file_size] for file in client.list_artifacts(run_id)]
    target = Path(folder) / "downloaded"
    target.mkdir()
    same = bool(stored) and digest(Path(client.download_artifacts(run_id, "blob.bin", str(target)))) == digest(blob)

json.dump({"run_id": run_id, "error": error, "seconds": seconds, "stored": stored, "same": same}, sys.stdout)
