"""Log a metric for some seconds as a training loop does, print what was logged as JSON, then kill this process.

Argument: the seconds. Each value is the time at which it was logged, in seconds since 1970.
"""

import json
import os
import signal
import sys
import time

import mlflow

mlflow.set_experiment("killed")
run = mlflow.start_run().info.run_id
logged = []
end = time.time() + float(sys.argv[1])
while time.time() < end:
    logged.append(time.time())
    mlflow.log_metric("time", logged[-1], step=len(logged))
    time.sleep(0.005)
print(json.dumps({"run": run, "logged": logged}), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
