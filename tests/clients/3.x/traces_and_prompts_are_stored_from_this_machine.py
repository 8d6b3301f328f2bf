import mlflow

experiment = mlflow.set_experiment("traces from this machine").experiment_id
with mlflow.start_span("asked") as span:
    span.set_inputs({"question": "größe?"})
    span.set_outputs("2 m")
mlflow.flush_trace_async_logging()
mlflow.log_feedback(trace_id=span.trace_id, name="right", value=True)
trace = mlflow.get_trace(span.trace_id)
assert trace.data.spans[0].outputs == "2 m"
assert [item.name for item in trace.info.assessments] == ["right"]
mlflow.genai.register_prompt(name="from-this-machine", template="Hello {{name}}")
assert mlflow.genai.load_prompt("prompts:/from-this-machine/1").format(name="you") == "Hello you"
