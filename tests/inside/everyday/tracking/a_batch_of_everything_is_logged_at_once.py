import time

import mlflow
from mlflow.entities import Metric, Param, RunTag

experiment = mlflow.set_experiment("batch").experiment_id
client = mlflow.MlflowClient()
run_id = client.create_run(experiment, run_name="by hand").info.run_id
now = int(time.time() * 1000)
metrics = [Metric("loss", 1 / (step + 1), now, step) for step in range(900)]
client.log_batch(run_id, metrics, [Param("p", "1")], [RunTag("t", "x")])
client.set_terminated(run_id, "FINISHED")
run = client.get_run(run_id)
assert (run.data.params, run.data.tags["t"], run.info.status) == ({"p": "1"}, "x", "FINISHED")
assert len(client.get_metric_history(run_id, "loss")) == 900
