"""Print as JSON how `mlflow server` would have its workers serve, and how serve.py does: arguments and environment.

Runs in the mlflow container. Nothing is started.
"""

import json
import os
import sys

sys.path.insert(0, "/opt/mlflow")
os.environ["PYTHONPATH"] = "/opt/mlflow"

import mlflow.server
import serve
from mlflow.cli import cli

before = dict(os.environ)
ours = {"options": serve.options(before), "environment": serve.worker_variables(before)}


def note(command, extra_env, **_):
    """Print in the place of starting."""
    changed = {name: value for name, value in (os.environ | extra_env).items() if before.get(name) != value}
    theirs = {"options": command[command.index("uvicorn") + 1 :], "environment": changed}
    asked = [name for option in cli.commands["server"].params for name in [option.envvar] if name]
    print(json.dumps({"ours": ours, "theirs": theirs, "asked": asked, "left": serve.LEFT_TO_MLFLOW}))
    sys.exit()


mlflow.server._exec_cmd = note
cli(["server", "--app-name", "data-toolbox"])
