from concurrent.futures import ThreadPoolExecutor

import mlflow

mlflow.set_experiment("threads")


def train(number):
    with mlflow.start_run(run_name=f"thread {number}") as run:
        mlflow.log_param("number", number)
        for step in range(10):
            mlflow.log_metric("loss", number / (step + 1), step=step)
    return run.info.run_id


with ThreadPoolExecutor(4) as pool:
    ids = list(pool.map(train, range(8)))
client = mlflow.MlflowClient()
for number, run_id in enumerate(ids):
    assert client.get_run(run_id).data.params == {"number": str(number)}
    assert len(client.get_metric_history(run_id, "loss")) == 10
