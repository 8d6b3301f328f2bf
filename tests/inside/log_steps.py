"""Log a metric step by step until the file in the argument exists; print the number of steps."""

import json
import sys
from pathlib import Path

import mlflow

end = Path(sys.argv[1])
steps = 0
mlflow.set_experiment("writer")
with mlflow.start_run():
    while not end.exists():
        mlflow.log_metric("step", steps, step=steps)
        mlflow.log_text(str(steps), f"{steps}.txt")
        steps += 1
end.unlink()
json.dump(steps, sys.stdout)
