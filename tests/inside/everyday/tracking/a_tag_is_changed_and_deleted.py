import mlflow

mlflow.set_experiment("tags")
with mlflow.start_run(tags={"release": "1"}) as run:
    mlflow.set_tags({"release": "2", "note": "x" * 5000, "mlflow.note.content": "**fett** und 🎉"})
    mlflow.delete_tag("release")
tags = mlflow.get_run(run.info.run_id).data.tags
assert "release" not in tags
assert tags["note"] == "x" * 5000
assert tags["mlflow.note.content"] == "**fett** und 🎉"
assert tags["mlflow.user"]
