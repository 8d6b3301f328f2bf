import mlflow
from mlflow.exceptions import MlflowException

mlflow.set_experiment("NUL")
refused = []
with mlflow.start_run() as run:
    for log in (mlflow.log_param, mlflow.set_tag):
        try:
            log("text", "a\0b")
        except MlflowException as error:
            refused.append(str(error))
    mlflow.log_metric("after", 1)
assert len(refused) == 2
assert all("NUL" in reason or "0x00" in reason or "null" in reason.lower() for reason in refused), refused
assert mlflow.get_run(run.info.run_id).data.metrics == {"after": 1}
