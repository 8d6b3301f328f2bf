import mlflow

mlflow.set_experiment("continued")
run = mlflow.start_run(run_name="first half")
mlflow.log_metric("loss", 2, step=1)
mlflow.end_run()
with mlflow.start_run(run_id=run.info.run_id):
    mlflow.log_metric("loss", 1, step=2)
    mlflow.set_tag("mlflow.runName", "whole")
kept = mlflow.get_run(run.info.run_id)
assert (kept.info.run_name, kept.info.status, kept.data.metrics["loss"]) == ("whole", "FINISHED", 1)
assert mlflow.active_run() is None
assert mlflow.last_active_run().info.run_id == run.info.run_id
