"""Log a file of random bytes, of as many MB as the argument says, as the artifact of a new run, and get it back.

With a second argument, a folder, it waits in the middle of the first upload: it writes its process id to the file
`half` there, and goes on when there is a file `go`.

Prints as JSON the run, the error if there was one, the seconds until the end of the upload, what the run has stored
then (names and sizes in bytes), and whether it is the same.
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
    """A file that can be read to its middle, and further when `gate / "go"` is there."""

    def __init__(self, path, mode):
        super().__init__(path, mode)
        self.middle = Path(path).stat().st_size // 2

    def read(self, size=-1):
        """Read as a file does, and stop once in the middle."""
        if self.tell() >= self.middle and not (gate / "half").exists():
            (gate / "part").write_text(str(os.getpid()))
            (gate / "part").rename(gate / "half")
            while not (gate / "go").exists():
                time.sleep(0.05)
        return super().read(size)


if len(sys.argv) > 2:
    gate = Path(sys.argv[2])
    # MLflow opens with this what it uploads.
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
    # Whatever it is, the test reads it.
    except Exception as raised:
        error = str(raised)
    seconds = time.monotonic() - start
    stored = [[file.path, file.file_size] for file in client.list_artifacts(run_id)]
    back = Path(folder) / "back"
    back.mkdir()
    same = bool(stored) and digest(Path(client.download_artifacts(run_id, "blob.bin", str(back)))) == digest(blob)

json.dump({"run_id": run_id, "error": error, "seconds": seconds, "stored": stored, "same": same}, sys.stdout)
