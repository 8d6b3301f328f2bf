from pathlib import Path

import mlflow

mlflow.set_experiment("MLflow 2 registry")
Path("model").mkdir()
Path("model/MLmodel").write_text("flavors: {}\nutc_time_created: '2026-01-01 00:00:00'\n")
with mlflow.start_run() as run:
    mlflow.log_artifacts("model", "model")
client = mlflow.MlflowClient()
client.create_registered_model("MLflow 2 model")
version = client.create_model_version("MLflow 2 model", f"{run.info.artifact_uri}/model", run.info.run_id)
client.set_registered_model_alias("MLflow 2 model", "champion", version.version)
assert client.get_model_version_by_alias("MLflow 2 model", "champion").run_id == run.info.run_id
path = mlflow.artifacts.download_artifacts("models:/MLflow 2 model@champion")
assert Path(path, "MLmodel").exists()
client.delete_registered_model("MLflow 2 model")
