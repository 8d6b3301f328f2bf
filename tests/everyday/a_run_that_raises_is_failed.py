import contextlib
import subprocess
import sys

import mlflow

mlflow.set_experiment("failed")
with contextlib.suppress(ZeroDivisionError), mlflow.start_run() as run:
    1 / 0
assert mlflow.get_run(run.info.run_id).info.status == "FAILED"
for ending, status in {"1 / 0": "FAILED", "sys.exit(3)": "FAILED", "pass": "FINISHED"}.items():
    program = f"import mlflow, sys; mlflow.start_run(run_name='{ending}'); mlflow.log_metric('m', 1); {ending}"
    subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    name = f"run_name = '{ending}'"
    [run] = mlflow.search_runs(filter_string=name, max_results=1, output_format="list")
    assert (run.info.status, run.data.metrics) == (status, {"m": 1})
