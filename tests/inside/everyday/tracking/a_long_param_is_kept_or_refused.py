import contextlib
import io

import mlflow
from mlflow.exceptions import MlflowException

mlflow.set_experiment("long values")
with contextlib.redirect_stderr(io.StringIO()) as shown, mlflow.start_run() as run:
    mlflow.log_param("fits", "x" * 6000)
    try:
        mlflow.log_param("long", "x" * 9000)
        said = "'long' has 9000 characters" in shown.getvalue()
    except MlflowException as error:
        said = "6000" in str(error)
kept = mlflow.get_run(run.info.run_id).data.params
assert len(kept["fits"]) == 6000
assert said or len(kept["long"]) == 9000
