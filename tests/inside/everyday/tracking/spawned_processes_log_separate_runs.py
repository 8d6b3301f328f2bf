import multiprocessing

import mlflow


def work(number):
    mlflow.set_experiment("spawn")
    with mlflow.start_run(run_name=f"spawned {number}") as run:
        mlflow.log_metric("number", number)
    return run.info.run_id


if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        ids = pool.map(work, range(3))
    assert [mlflow.get_run(run_id).data.metrics["number"] for run_id in ids] == [0, 1, 2]
