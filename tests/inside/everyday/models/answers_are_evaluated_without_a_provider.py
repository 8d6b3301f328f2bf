import contextlib
import io

import mlflow
from mlflow.genai.scorers import scorer


@scorer
def is_right(outputs, expectations) -> bool:
    return outputs == expectations["answer"]


@scorer
def length(outputs) -> int:
    return len(outputs)


mlflow.set_experiment("genai evaluation")
data = [{"inputs": {"text": text}, "expectations": {"answer": text.upper()}} for text in ("a", "bb", "ß")]
printed = io.StringIO()
with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
    result = mlflow.genai.evaluate(data=data, predict_fn=lambda text: text.upper(), scorers=[is_right, length])
assert result.metrics["is_right/mean"] == 1
assert round(result.metrics["length/mean"], 2) == 1.67
assert len(result.tables["eval_results"]) == 3
assert "mlflow:5000" not in printed.getvalue()
