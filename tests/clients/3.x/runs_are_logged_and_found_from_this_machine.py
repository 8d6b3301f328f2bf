import mlflow

assert mlflow.__version__.startswith("3.")
experiment = mlflow.set_experiment("from this machine").experiment_id
with mlflow.start_run(run_name="größe #1", log_system_metrics=False) as run:
    mlflow.log_params({"alpha": 0.1})
    mlflow.log_metrics({"loss": 0.5}, step=3)
    with mlflow.start_run(nested=True, run_name="child"):
        mlflow.log_metric("loss", 0.25)
found = mlflow.search_runs([experiment], "run_name = 'größe #1'", output_format="list")
assert run.info.run_id in [item.info.run_id for item in found]
children = mlflow.search_runs([experiment], f"tags.mlflow.parentRunId = '{run.info.run_id}'", output_format="list")
assert [child.data.metrics for child in children] == [{"loss": 0.25}]
