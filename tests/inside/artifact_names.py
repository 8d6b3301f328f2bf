"""Log artifacts under all kinds of names with every function, and load each back with every function.

Prints the failed checks of each name as JSON; nothing if all passed.
"""

import json
import sys
import tempfile
import unicodedata
from pathlib import Path

import matplotlib.pyplot as plt
import mlflow
import mlflow.artifacts
import numpy as np
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import MlflowClient

NAMES = [
    *(f"fold #{number}.txt" for number in range(3)),
    *("what?.txt", "what", "what?", "a#", "a", "100%.txt", "50%25.txt", "a%20b.txt", "a b.txt", "a%2520b.txt"),
    *("a%2Fb.txt", "a%2e%2e.txt", "a&b=c.txt", "a+b.txt", "a;b.txt", "a:b.txt", "A:b.txt", "a@b.txt", "a[1].txt"),
    *("a'b.txt", 'a"b.txt', "a\\b.txt", "a,b!$~^{|}<>`.txt", "=.txt", ".hidden", "...", "a.", "a ", " a"),
    *("naïve.txt", "grün.txt", unicodedata.normalize("NFD", "grün.txt"), "模型.txt", "🎉.txt", "x" * 200, "ü" * 127),
    *("d #1/e?2/f%203/g.txt", "d #1/e?2/f%203/h ü.txt", "d #2/e?2/g.txt"),
]
REFUSED = ["a\nb.txt", "a\0b.txt", "a\x7fb.txt", "a\udcfcb.txt", "../a.txt", "a/../../b.txt", "x" * 300, "ü" * 128]
# In the name of a table, MLflow rejects the first of these, and does not find the others again.
NOT_IN_TABLES = "\"',:[]{}\\"

client = MlflowClient()
wrong = {}


def check(name, what, is_so):
    """Record a failed check of a name."""
    if not is_so:
        wrong.setdefault(name, []).append(what)


def list_files(run_id, path=None):
    """Return the names of all files of a run."""
    files = []
    for entry in client.list_artifacts(run_id, path):
        files += list_files(run_id, entry.path) if entry.is_dir else [entry.path]
    return files


mlflow.set_experiment("names of artifacts")

# Log as text, and load with every function.
with mlflow.start_run() as run:
    for name in NAMES:
        mlflow.log_text(f"of {name}", name)
run_id = first_id = run.info.run_id
check("all", "list_artifacts", sorted(list_files(run_id)) == sorted(NAMES))
with tempfile.TemporaryDirectory() as folder:
    mlflow.artifacts.download_artifacts(run_id=run_id, dst_path=folder)
    files = {str(path.relative_to(folder)): path.read_text() for path in Path(folder).rglob("*") if path.is_file()}
    check("all", "download_artifacts", files == {name: f"of {name}" for name in NAMES})
for name in NAMES:
    text = f"of {name}"
    for uri in (f"runs:/{run_id}/{name}", f"{run.info.artifact_uri}/{name}"):
        check(name, f"load_text({uri})", mlflow.artifacts.load_text(uri) == text)
    for arguments in ({"run_id": run_id, "artifact_path": name}, {"artifact_uri": f"runs:/{run_id}/{name}"}):
        path = Path(mlflow.artifacts.download_artifacts(**arguments))
        check(name, f"download_artifacts({arguments})", path.read_text() == text and path.name == Path(name).name)
    check(name, "client", Path(client.download_artifacts(run_id, name)).read_text() == text)

# Log with every other function.
with mlflow.start_run() as run, tempfile.TemporaryDirectory() as folder:
    run_id = run.info.run_id
    for name in NAMES:
        if "/" not in name and len(name) < 120:
            (Path(folder) / name).write_text(name)
            mlflow.log_artifact(Path(folder) / name, "one")
            mlflow.log_dict({"name": name}, f"dict/{name}.json")
            check(name, "log_dict", mlflow.artifacts.load_dict(f"runs:/{run_id}/dict/{name}.json") == {"name": name})
            if not any(letter in name for letter in NOT_IN_TABLES):
                for _ in range(2):
                    mlflow.log_table({"name": [name]}, f"table/{name}.json")
                table = mlflow.load_table(f"table/{name}.json", run_ids=[run_id])
                check(name, "log_table", list(table["name"]) == [name, name])
    mlflow.log_artifacts(folder, "d #1")
    for folder_name in ("one", "d #1"):
        logged = {Path(path).name for path in list_files(run_id, folder_name)}
        check(folder_name, "log_artifacts", logged == {path.name for path in Path(folder).iterdir()})
    for name in ("fold #1.png", "what?.png", "a%20b.png"):
        mlflow.log_figure(plt.figure(), name)
        mlflow.log_image(np.zeros((2, 2, 3), np.uint8), f"image {name}")
        check(name, "log_image", mlflow.artifacts.load_image(f"runs:/{run_id}/image {name}").size == (2, 2))
        check(name, "log_figure", mlflow.artifacts.load_image(f"runs:/{run_id}/{name}").size[0] > 2)

# Names that cannot be stored.
with mlflow.start_run() as run:
    for name in REFUSED:
        try:
            mlflow.log_text("lost", name)
        except Exception as error:
            print(f"{name!r:.30}: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)
        else:
            check(name, "log_text", False)
    check("all", "refused", list_files(run.info.run_id) == [])

# Only the artifact with exactly this name is deleted.
repository = get_artifact_repository(f"runs:/{first_id}")
left = sorted(NAMES)
for name in NAMES:
    repository.delete_artifacts(name)
    left.remove(name)
    check(name, "delete_artifacts", sorted(list_files(first_id)) == left)

print(json.dumps(wrong, indent=2))
