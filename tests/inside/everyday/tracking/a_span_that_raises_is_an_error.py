import contextlib

import mlflow

mlflow.set_experiment("span errors")
with contextlib.suppress(KeyError), mlflow.start_span("outer") as outer:
    outer.set_inputs({"question": "ü?"})
    with mlflow.start_span("inner") as inner:
        inner.set_attribute("depth", 2)
        {}["missing"]
trace = mlflow.get_trace(outer.trace_id, flush=True)
assert trace.info.state == "ERROR"
assert trace.data.spans[0].inputs == {"question": "ü?"}
assert "missing" in str(trace.data.spans[1].events[0].attributes)
