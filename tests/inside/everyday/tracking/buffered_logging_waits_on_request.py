import mlflow

mlflow.set_experiment("flushed")
mlflow.config.enable_async_logging(True)
with mlflow.start_run() as run:
    future = mlflow.log_metric("loss", 0.5, synchronous=False)
    mlflow.log_params({"a": 1}, synchronous=False)
    future.wait()
    mlflow.flush_async_logging()
    assert mlflow.get_run(run.info.run_id).data.metrics == {"loss": 0.5}
    assert mlflow.get_run(run.info.run_id).data.params == {"a": "1"}
