import mlflow


@mlflow.trace(span_type="RETRIEVER")
def look_up(question):
    return ["a", "b"]


@mlflow.trace(name="answer #1", attributes={"model": "none"})
def answer(question):
    mlflow.update_current_trace(tags={"topic": "größe"})
    return f"{question}: {len(look_up(question))}"


experiment = mlflow.set_experiment("traces").experiment_id
assert answer("how many?") == "how many?: 2"
trace = mlflow.get_trace(mlflow.get_last_active_trace_id(), flush=True)
assert [span.name for span in trace.data.spans] == ["answer #1", "look_up"]
assert trace.data.spans[1].outputs == ["a", "b"]
found = mlflow.search_traces(locations=[experiment], filter_string="tags.topic = 'größe'")
assert len(found) >= 1
