import mlflow

mlflow.set_experiment("nested")
with mlflow.start_run(run_name="parent") as parent:
    for depth in (1, 2, 3):
        with mlflow.start_run(run_name=f"child {depth}", nested=True):
            mlflow.log_param("depth", depth)
            with mlflow.start_run(run_name=f"grandchild {depth}", nested=True) as grandchild:
                mlflow.log_metric("loss", 1 / depth)
children = mlflow.search_runs(filter_string=f"tags.mlflow.parentRunId = '{parent.info.run_id}'", output_format="list")
assert sorted(child.info.run_name for child in children) == ["child 1", "child 2", "child 3"]
assert mlflow.get_parent_run(grandchild.info.run_id).info.run_name == "child 3"
