"""Print as JSON the arguments and environment that `mlflow server` and serve.py would give to their workers.

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


def print_command(command, extra_env, **_):
    """Print the command instead of running it."""
    changed = {name: value for name, value in (os.environ | extra_env).items() if before.get(name) != value}
    theirs = {"options": command[command.index("uvicorn") + 1 :], "environment": changed}
    variables = [name for option in cli.commands["server"].params for name in [option.envvar] if name]
    print(json.dumps({"ours": ours, "theirs": theirs, "variables": variables, "left": serve.LEFT_TO_MLFLOW}))
    sys.exit()


mlflow.server._exec_cmd = print_command
cli(["server", "--app-name", "data-toolbox"])
