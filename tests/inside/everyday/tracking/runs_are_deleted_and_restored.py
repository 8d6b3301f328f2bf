import mlflow
from mlflow.entities import ViewType

experiment = mlflow.set_experiment("deleted runs").experiment_id
with mlflow.start_run() as run:
    mlflow.log_metric("kept", 1)
    mlflow.log_text("kept", "kept.txt")
mlflow.delete_run(run.info.run_id)
assert run.info.run_id not in mlflow.search_runs([experiment]).get("run_id", []).__str__()
gone = mlflow.search_runs([experiment], run_view_type=ViewType.DELETED_ONLY)
assert run.info.run_id in gone["run_id"].tolist()
mlflow.MlflowClient().restore_run(run.info.run_id)
assert mlflow.get_run(run.info.run_id).data.metrics == {"kept": 1}
assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/kept.txt") == "kept"
