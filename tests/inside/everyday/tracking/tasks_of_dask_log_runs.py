import mlflow
from dask.distributed import Client, LocalCluster


def train(alpha):
    mlflow.set_experiment("dask")
    with mlflow.start_run(run_name=f"alpha {alpha}") as run:
        mlflow.log_param("alpha", alpha)
    return run.info.run_id


if __name__ == "__main__":
    mlflow.set_experiment("dask")
    with LocalCluster(n_workers=2, threads_per_worker=1, memory_limit="800MB") as cluster, Client(cluster) as client:
        ids = client.gather(client.map(train, [0.1, 1, 10]))
    assert [mlflow.get_run(run_id).data.params["alpha"] for run_id in ids] == ["0.1", "1", "10"]
