import mlflow
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

mlflow.set_experiment("grid search")
mlflow.sklearn.autolog()
X, y = load_iris(return_X_y=True)
with mlflow.start_run() as run:
    search = GridSearchCV(SVC(), {"C": [0.1, 1, 10]}, cv=3).fit(X, y)
runs = mlflow.search_runs(filter_string=f"tags.mlflow.parentRunId = '{run.info.run_id}'")
assert set(runs["params.C"]) == {"0.1", "1", "10"}
best = mlflow.sklearn.load_model(f"runs:/{run.info.run_id}/best_estimator")
assert search.best_params_["C"] == best.C
