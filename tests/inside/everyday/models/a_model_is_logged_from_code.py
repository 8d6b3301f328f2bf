from pathlib import Path

import mlflow

Path("agent.py").write_text("""
import mlflow

class Greeter(mlflow.pyfunc.PythonModel):
    def predict(self, model_input: list[str]) -> list[str]:
        return [f"Hello {name}" for name in model_input]

mlflow.models.set_model(Greeter())
""")
mlflow.set_experiment("models from code")
with mlflow.start_run():
    info = mlflow.pyfunc.log_model(name="greeter", python_model="agent.py")
assert mlflow.pyfunc.load_model(info.model_uri).predict(["you"]) == ["Hello you"]
