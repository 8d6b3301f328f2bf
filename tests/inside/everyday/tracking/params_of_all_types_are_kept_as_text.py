import mlflow
import numpy as np
from mlflow.exceptions import MlflowException

mlflow.set_experiment("params")
params = {"lr": 1e-3, "layers": [64, 32], "optimizer": None, "on": True, "seed": np.int64(3)}
params |= {"größe": "ü 🎉", "a/b c": ""}
with mlflow.start_run() as run:
    mlflow.log_params(params)
    mlflow.log_param("lr", 1e-3)
    try:
        mlflow.log_param("lr", 2)
    except MlflowException as error:
        assert "lr" in str(error)
    else:
        raise AssertionError("a param was changed")
kept = mlflow.get_run(run.info.run_id).data.params
assert kept == {name: str(value) for name, value in params.items()}
