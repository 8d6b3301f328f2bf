import mlflow
from mlflow.entities import AssessmentSource

mlflow.set_experiment("feedback")
with mlflow.start_span("chat") as span:
    span.set_outputs("42")
mlflow.flush_trace_async_logging()
person = AssessmentSource(source_type="HUMAN", source_id="jörg@example.org")
feedback = mlflow.log_feedback(trace_id=span.trace_id, name="right", value=False, rationale="zu kurz", source=person)
mlflow.log_expectation(trace_id=span.trace_id, name="answer", value={"text": "43"})
mlflow.update_assessment(span.trace_id, feedback.assessment_id, mlflow.entities.Feedback(name="right", value=True))
found = {item.name: item for item in mlflow.get_trace(span.trace_id).info.assessments}
assert found["right"].value is True
assert found["answer"].value == {"text": "43"}
mlflow.set_trace_tag(span.trace_id, "seen", "yes")
assert mlflow.get_trace(span.trace_id).info.tags["seen"] == "yes"
