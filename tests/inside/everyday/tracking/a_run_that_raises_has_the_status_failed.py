import contextlib
import sys

import mlflow

mlflow.set_experiment("failed")
with contextlib.suppress(ZeroDivisionError), mlflow.start_run() as run:
    1 / 0
assert mlflow.get_run(run.info.run_id).info.status == "FAILED"
with contextlib.suppress(SystemExit), mlflow.start_run() as left:
    mlflow.log_metric("m", 1)
    sys.exit(3)
assert mlflow.get_run(left.info.run_id).data.metrics == {"m": 1}
