import mlflow

mlflow.set_experiment("tables")
with mlflow.start_run() as run:
    mlflow.log_table({"question": ["1 + 1?"], "answer": [2]}, "eval.json")
    mlflow.log_table({"question": ["2 + 2?"], "answer": [4]}, "eval.json")
table = mlflow.load_table("eval.json", run_ids=[run.info.run_id], extra_columns=["run_id"])
assert table["answer"].tolist() == [2, 4]
assert set(table["run_id"]) == {run.info.run_id}
