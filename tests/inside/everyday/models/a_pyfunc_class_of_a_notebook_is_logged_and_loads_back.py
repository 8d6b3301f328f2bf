import mlflow
import pandas as pd


class AddN(mlflow.pyfunc.PythonModel):
    def __init__(self, n):
        self.n = n

    def predict(self, context, model_input, params=None):
        return model_input.apply(lambda column: column + self.n)


mlflow.set_experiment("pyfunc")
with mlflow.start_run():
    info = mlflow.pyfunc.log_model(name="add_n", python_model=AddN(n=5), input_example=pd.DataFrame({"x": [1]}))
loaded = mlflow.pyfunc.load_model(info.model_uri)
assert loaded.predict(pd.DataFrame({"x": [1, 2]}))["x"].tolist() == [6, 7]
assert loaded.unwrap_python_model().n == 5
