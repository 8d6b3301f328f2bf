"""Use each part of MLflow through its client, in the notebook container; print the results as JSON."""

import json
import logging

import mlflow
import pandas as pd
import requests
from mlflow.genai import datasets
from sklearn.linear_model import LinearRegression

logging.disable(logging.WARNING)
address = mlflow.get_tracking_uri()
client = mlflow.MlflowClient()
experiment = mlflow.set_experiment("everything").experiment_id
results = {}

# Runs, artifacts, data sets and logged models.
table = pd.DataFrame({"x": [1.0, 2.0, 3.0], "y": [2.0, 4.0, 6.0]})
with mlflow.start_run() as run:
    mlflow.log_input(mlflow.data.from_pandas(table, name="table"), context="training")
    mlflow.log_table({"question": ["what?"], "answer": ["that"]}, "table.json")
    mlflow.log_dict({"a": 1}, "dict.json")
    model = LinearRegression().fit(table[["x"]], table["y"])
    logged = mlflow.sklearn.log_model(model, name="line", input_example=table[["x"]], registered_model_name="line")
results["inputs"] = [inputs.dataset.name for inputs in client.get_run(run.info.run_id).inputs.dataset_inputs]
results["artifact"] = mlflow.artifacts.load_dict(f"runs:/{run.info.run_id}/dict.json")
results["table"] = mlflow.load_table("table.json", [run.info.run_id])["answer"].tolist()
results["logged model"] = client.get_logged_model(logged.model_id).name

# The registry.
client.set_registered_model_alias("line", "best", logged.registered_model_version)
results["prediction"] = round(
    float(mlflow.pyfunc.load_model("models:/line@best").predict(pd.DataFrame({"x": [4.0]}))[0]), 6
)

# Prompts.
mlflow.genai.register_prompt(name="greeting", template="Hello {{name}}")
results["prompt"] = mlflow.genai.load_prompt("prompts:/greeting/1").format(name="you")

# Traces and feedback.
with mlflow.start_span("question") as span:
    span.set_inputs({"question": "what?"})
    span.set_outputs({"answer": "that"})
mlflow.flush_trace_async_logging()
mlflow.log_feedback(trace_id=span.trace_id, name="right", value=True)
trace = mlflow.get_trace(span.trace_id)
results["trace"] = [trace.data.spans[0].outputs, [assessment.name for assessment in trace.info.assessments]]
results["traces"] = len(mlflow.search_traces(locations=[experiment], return_type="list"))

# Data sets for evaluation.
dataset = datasets.create_dataset(name="questions", experiment_id=[experiment])
dataset.merge_records([{"inputs": {"question": "what?"}, "expectations": {"answer": "that"}}])
results["records"] = len(datasets.get_dataset(dataset_id=dataset.dataset_id).to_df())

# GraphQL, which the page of a run uses.
query = """query get($data: MlflowGetRunInput!) {
    mlflowGetRun(input: $data) { run { modelVersions { name version } } apiError { message } }
}"""
body = {"query": query, "operationName": "get", "variables": {"data": {"runId": run.info.run_id}}}
answer = requests.post(f"{address}/graphql", json=body, timeout=30).json()
results["GraphQL"] = answer["data"]["mlflowGetRun"]["run"]["modelVersions"]

print(json.dumps(results))
