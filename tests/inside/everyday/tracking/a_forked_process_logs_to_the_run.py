import multiprocessing

import mlflow


def work(run_id, number):
    for step in range(20):
        mlflow.MlflowClient().log_metric(run_id, f"worker {number}", step, step=step)


mlflow.set_experiment("fork")
with mlflow.start_run() as run:
    mlflow.log_metric("before", 1)
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=work, args=(run.info.run_id, number)) for number in range(2)]
    [worker.start() for worker in workers]
    [worker.join(60) for worker in workers]
assert [worker.exitcode for worker in workers] == [0, 0]
client = mlflow.MlflowClient()
assert [len(client.get_metric_history(run.info.run_id, f"worker {number}")) for number in range(2)] == [20, 20]
