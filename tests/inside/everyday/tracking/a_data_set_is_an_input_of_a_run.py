import mlflow
import pandas as pd

mlflow.set_experiment("inputs")
table = pd.DataFrame({"x": [1.0, 2.0], "when": pd.to_datetime(["2026-01-01", "2026-01-02"]), "y": [0, 1]})
table.to_csv("table.csv", index=False)
dataset = mlflow.data.from_pandas(table, source="table.csv", name="träume #1", targets="y")
with mlflow.start_run() as run:
    mlflow.log_input(dataset, context="training")
    mlflow.log_input(mlflow.data.from_numpy(table[["x"]].to_numpy()), context="test")
inputs = mlflow.get_run(run.info.run_id).inputs.dataset_inputs
assert "träume #1" in [item.dataset.name for item in inputs]
found = mlflow.search_runs(filter_string="dataset.name = 'träume #1'", search_all_experiments=True)
assert found["run_id"].tolist() == [run.info.run_id]
