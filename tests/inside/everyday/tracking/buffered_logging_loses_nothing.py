import subprocess
import sys

import mlflow

ENDS = ["", "mlflow.end_run()", "sys.exit(0)", "raise ValueError('wrong')"]
mlflow.set_experiment("buffered")
for number, end in enumerate(ENDS):
    program = f"""
import mlflow, sys
mlflow.config.enable_async_logging(True)
mlflow.start_run(run_name="end {number}")
for step in range(50):
    mlflow.log_metric("loss", step, step=step)
{end}
"""
    subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
    [run] = mlflow.search_runs(filter_string=f"run_name = 'end {number}'", max_results=1, output_format="list")
    assert len(mlflow.MlflowClient().get_metric_history(run.info.run_id, "loss")) == 50, end
