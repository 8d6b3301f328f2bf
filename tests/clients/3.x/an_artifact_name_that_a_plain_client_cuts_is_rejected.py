import mlflow
from mlflow.exceptions import MlflowException

mlflow.set_experiment("names from this machine")
refused = []
with mlflow.start_run() as run:
    for number in (1, 2, 3):
        try:
            mlflow.log_text(str(number), f"what? {number}.txt")
        except (MlflowException, OSError) as error:
            refused.append(str(error))
    mlflow.log_text("kept", "what 4.txt")
assert len(refused) == 3
assert [item.path for item in mlflow.artifacts.list_artifacts(run_id=run.info.run_id)] == ["what 4.txt"]
