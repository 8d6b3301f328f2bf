import mlflow

NAMES = ["with blanks", "fold #1", "what?", "50% + more", "a & b", "Größe", "学習", "🎉 party", ".hidden", "a/b"]
NAMES += ["x" * 200, "a'b", 'a"b']
for name in NAMES:
    experiment = mlflow.set_experiment(f"names: {name}")
    with mlflow.start_run(run_name=name) as run:
        mlflow.set_tag("kind", name)
        mlflow.set_experiment_tag("kind", name)
    assert mlflow.get_experiment_by_name(f"names: {name}").experiment_id == experiment.experiment_id
    assert mlflow.get_experiment(experiment.experiment_id).tags["kind"] == name
    kept = mlflow.get_run(run.info.run_id)
    assert (kept.info.run_name, kept.data.tags["kind"]) == (name, name)
    quote = '"' if "'" in name else "'"
    found = mlflow.search_runs([experiment.experiment_id], f"run_name = {quote}{name}{quote}", output_format="list")
    assert [item.info.run_id for item in found] == [run.info.run_id], name
