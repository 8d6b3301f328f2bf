import subprocess
import sys
from pathlib import Path

import mlflow

Path("train.py").write_text("import mlflow\nmlflow.start_run(run_name='of a commit')\n")
for command in ("init -q", "add train.py", "-c user.name=a -c user.email=a@b.c commit -qm one"):
    subprocess.run(["git", *command.split()], check=True)
commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
subprocess.run([sys.executable, "train.py"], check=True)
[run] = mlflow.search_runs(["0"], "run_name = 'of a commit'", max_results=1, output_format="list")
assert run.data.tags["mlflow.source.git.commit"] == commit
assert run.data.tags["mlflow.source.name"].endswith("train.py")
