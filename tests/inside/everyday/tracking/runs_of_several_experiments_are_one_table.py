import mlflow
import pandas as pd

for name in ("alpha", "beta", "gamma"):
    mlflow.set_experiment(f"several {name}")
    with mlflow.start_run():
        mlflow.log_metric("score", len(name))
        mlflow.log_param("name", name)
runs = mlflow.search_runs(experiment_names=[f"several {name}" for name in ("alpha", "beta", "gamma")])
assert isinstance(runs, pd.DataFrame) and len(runs) >= 3
assert runs.groupby("params.name")["metrics.score"].max().to_dict() == {"alpha": 5, "beta": 4, "gamma": 5}
assert str(runs["start_time"].dtype).startswith("datetime64")
best = runs.sort_values("metrics.score").iloc[-1]
assert mlflow.get_run(best["run_id"]).data.params["name"] == best["params.name"]
