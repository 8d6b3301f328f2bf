import joblib
import mlflow
from mlflow.artifacts import download_artifacts
from sklearn.cluster import KMeans

mlflow.set_experiment("joblib dump")
model = KMeans(2, n_init=1).fit([[0], [1], [10], [11]])
joblib.dump(model, "k means.joblib")
with mlflow.start_run() as run:
    mlflow.log_artifact("k means.joblib", artifact_path="models")
path = download_artifacts(f"runs:/{run.info.run_id}/models/k means.joblib")
assert (joblib.load(path).labels_ == model.labels_).all()
