import math

import mlflow

mlflow.set_experiment("metrics")
values = [0.1, -1e300, 1e-300, 0, True, math.nan, math.inf, -math.inf]
with mlflow.start_run() as run:
    for step, value in enumerate(values):
        mlflow.log_metric("odd value", value, step=step)
    mlflow.log_metrics({"train/loss": 0.5, "val/loss": 0.7, "f1.score-macro_5": 1}, step=3)
history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "odd value")
found = [metric.value for metric in sorted(history, key=lambda metric: metric.step)]
assert found[:5] == values[:5]
assert math.isnan(found[5])
assert found[6] > 1e308 and found[7] < -1e308
assert mlflow.get_run(run.info.run_id).data.metrics["val/loss"] == 0.7
