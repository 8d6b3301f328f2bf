"""Log a model in a kernel with the debugger on, and print the cell's stdout and stderr as JSON.

The debugger is switched on as JupyterLab does, over the kernel's control channel.
"""

import json

from jupyter_client.manager import start_new_kernel

CELL = """
import subprocess
import sys

import mlflow
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

subprocess.run([sys.executable, "-c", "pass"], timeout=30, check=True)
mlflow.set_experiment("no red lines")
X, y = load_iris(return_X_y=True, as_frame=True)
mlflow.autolog()
with mlflow.start_run():
    model = RandomForestClassifier(3).fit(X, y)
mlflow.autolog(disable=True)
with mlflow.start_run():
    mlflow.log_metric("loss", 0.42)
    mlflow.sklearn.log_model(model, name="model", input_example=X.head(), registered_model_name="no red lines")
print("done")
"""
# For the cell, on a busy machine.
TIMEOUT_SECONDS = 300

manager, client = start_new_kernel(kernel_name="python3")


def debug(command, **arguments):
    """Send a request of the debugger's protocol and wait for its response."""
    content = {"type": "request", "seq": 1, "command": command, "arguments": arguments}
    message = client.session.msg("debug_request", content)
    client.control_channel.send(message)
    while True:
        answer = client.control_channel.get_msg(timeout=60)
        if answer["parent_header"].get("msg_id") == message["header"]["msg_id"]:
            assert answer["content"]["success"], answer["content"]
            return


printed = {"stdout": "", "stderr": ""}


def collect(message):
    """Collect the output of the cell."""
    content = message["content"]
    if message["msg_type"] == "stream":
        printed[content["name"]] += content["text"]
    elif message["msg_type"] == "error":
        printed["stderr"] += "\n".join(content["traceback"])


try:
    debug("initialize", clientID="test", adapterID="", pathFormat="path", linesStartAt1=True, columnsStartAt1=True)
    debug("attach")
    client.execute_interactive(CELL, timeout=TIMEOUT_SECONDS, output_hook=collect)
finally:
    manager.shutdown_kernel(now=True)
print(json.dumps(printed))
