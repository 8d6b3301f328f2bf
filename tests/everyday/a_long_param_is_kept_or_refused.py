import warnings

import mlflow
from mlflow.exceptions import MlflowException

mlflow.set_experiment("long values")
with warnings.catch_warnings(record=True) as warned, mlflow.start_run() as run:
    warnings.simplefilter("always")
    mlflow.log_param("fits", "x" * 6000)
    try:
        mlflow.log_param("long", "x" * 9000)
        said = bool(warned)
    except MlflowException as error:
        said = "6000" in str(error)
kept = mlflow.get_run(run.info.run_id).data.params
assert len(kept["fits"]) == 6000
assert said or len(kept["long"]) == 9000
