"""What the first example of the notebook logs."""

import json

# The heading of the section with the chart.
NOTEBOOK = {"path": "examples/1-track-an-experiment.ipynb", "heading": "Learning curves"}
NAMES = {"experiment": "Example 1: digits", "metric": "val_loss", "picture": "confusion.png", "model": "digits"}
ALIAS = "champion"


def champion(toolbox):
    """Return the options of find_run.py once the notebook has run: its names, and the champion's run and version."""
    path = f"/api/2.0/mlflow/registered-models/alias?name={NAMES['model']}&alias={ALIAS}"
    status, answer = toolbox.get("mlflow", path)
    assert status == 200, answer
    version = json.loads(answer)["model_version"]
    return NAMES | {"run_id": version["run_id"], "version": version["version"]}
