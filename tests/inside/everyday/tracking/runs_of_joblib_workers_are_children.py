import mlflow
from joblib import Parallel, delayed


def train(parent, number):
    with mlflow.start_run(run_name=f"job {number}", parent_run_id=parent):
        mlflow.log_metric("square", number**2)


mlflow.set_experiment("joblib")
with mlflow.start_run() as parent:
    Parallel(n_jobs=2)(delayed(train)(parent.info.run_id, number) for number in range(4))
found = mlflow.search_runs(
    search_all_experiments=True, filter_string=f"tags.mlflow.parentRunId = '{parent.info.run_id}'"
)
assert sorted(found["metrics.square"]) == [0, 1, 4, 9]
