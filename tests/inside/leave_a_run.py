"""Log a metric and be gone without ending the run, as a kernel is that was killed; print the id of the run, as JSON."""

import json
import os
import sys

import mlflow

mlflow.set_experiment("left running")
run = mlflow.start_run().info.run_id
mlflow.log_metric("loss", 1)
json.dump(run, sys.stdout)
sys.stdout.flush()
# As a signal would, with none of what Python does at its end, but with success.
os._exit(0)
