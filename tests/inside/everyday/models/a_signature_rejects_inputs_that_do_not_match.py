import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression

mlflow.set_experiment("signature")
X = pd.DataFrame({"size": [1.0, 2.0, 3.0], "rooms": [1, 2, 3]})
model = LinearRegression().fit(X, [10, 20, 30])
with mlflow.start_run():
    signature = infer_signature(X, model.predict(X))
    info = mlflow.sklearn.log_model(model, name="house", signature=signature, input_example=X.iloc[:1])
loaded = mlflow.pyfunc.load_model(info.model_uri)
assert loaded.predict(X).round().tolist() == [10, 20, 30]
assert loaded.metadata.get_input_schema().input_names() == ["size", "rooms"]
try:
    loaded.predict(X[["size"]])
except MlflowException as error:
    assert "rooms" in str(error)
else:
    raise AssertionError("a table without a column was accepted")
