from pathlib import Path

import mlflow

NAMES = ["fold #1.txt", "fold #2.txt", "what?.txt", "50%.txt", "a%20b.txt", "a%25.txt", "a+b.txt", "a & b.txt"]
NAMES += ["Größe.txt", "学習.txt", "🎉.txt", ".hidden", "a=b;c,d@e.txt", "[1] (2) {3}.txt", "it's.txt", "~a$.txt"]
NAMES += ["a b.txt", "x" * 200 + ".txt"]
mlflow.set_experiment("artifacts")
Path("files").mkdir()
with mlflow.start_run() as run:
    for name in NAMES:
        mlflow.log_text(name, name)
        Path("files", name).write_text(name)
        mlflow.log_artifact(f"files/{name}", "one by one")
    mlflow.log_artifacts("files", "folder #1")
client = mlflow.MlflowClient()
for folder in ("", "one by one/", "folder #1/"):
    files = client.list_artifacts(run.info.run_id, folder.strip("/") or None)
    listed = [item.path for item in files if not item.is_dir]
    assert sorted(listed) == sorted(folder + name for name in NAMES)
    for name in NAMES:
        assert Path(client.download_artifacts(run.info.run_id, folder + name)).read_text() == name
whole = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="folder #1")
assert sorted(path.name for path in Path(whole).iterdir()) == sorted(NAMES)
