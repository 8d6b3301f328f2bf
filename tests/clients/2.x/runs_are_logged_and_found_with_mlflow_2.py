import mlflow

assert mlflow.__version__.startswith("2.")
mlflow.set_experiment("MLflow 2 größe")
with mlflow.start_run(run_name="fold #1") as run:
    mlflow.log_params({"alpha": 0.1, "ä": "🎉"})
    for step in range(5):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
    mlflow.set_tag("team", "a & b")
client = mlflow.MlflowClient()
found = mlflow.search_runs(
    experiment_names=["MLflow 2 größe"], filter_string="metrics.loss < 1 AND tags.team = 'a & b'", output_format="list"
)
assert run.info.run_id in [item.info.run_id for item in found]
assert client.get_run(run.info.run_id).data.params == {"alpha": "0.1", "ä": "🎉"}
assert len(client.get_metric_history(run.info.run_id, "loss")) == 5
client.delete_run(run.info.run_id)
client.restore_run(run.info.run_id)
