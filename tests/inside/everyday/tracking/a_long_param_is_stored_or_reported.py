import contextlib
import io

import mlflow
from mlflow.exceptions import MlflowException

mlflow.set_experiment("long values")
with contextlib.redirect_stderr(io.StringIO()) as stderr, mlflow.start_run() as run:
    mlflow.log_param("fits", "x" * 6000)
    try:
        mlflow.log_param("long", "x" * 9000)
        reported = "'long' has 9000 characters" in stderr.getvalue()
    except MlflowException as error:
        reported = "6000" in str(error)
stored = mlflow.get_run(run.info.run_id).data.params
assert len(stored["fits"]) == 6000
assert reported or len(stored["long"]) == 9000
