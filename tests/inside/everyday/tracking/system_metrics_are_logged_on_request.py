import mlflow

mlflow.set_experiment("system metrics")
mlflow.set_system_metrics_sampling_interval(0.2)
mlflow.set_system_metrics_samples_before_logging(1)
with mlflow.start_run(log_system_metrics=True) as run:
    total = sum(number**2 for number in range(5_000_000))
metrics = mlflow.get_run(run.info.run_id).data.metrics
assert total > 0
assert 0 <= metrics["system/cpu_utilization_percentage"] <= 100
assert metrics["system/system_memory_usage_megabytes"] > 0
