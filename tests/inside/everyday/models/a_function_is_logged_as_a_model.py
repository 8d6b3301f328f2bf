import mlflow
from mlflow.pyfunc.utils import pyfunc


@pyfunc
def shout(model_input: list[str]) -> list[str]:
    return [text.upper() for text in model_input]


mlflow.set_experiment("function")
with mlflow.start_run():
    info = mlflow.pyfunc.log_model(name="shout", python_model=shout, input_example=["a"])
assert mlflow.pyfunc.load_model(info.model_uri).predict(["öl", "a"]) == ["ÖL", "A"]
