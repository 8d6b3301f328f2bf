import mlflow
from sklearn.datasets import load_iris
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score

mlflow.set_experiment("parallel search")
X, y = load_iris(return_X_y=True)
search = GridSearchCV(SGDClassifier(random_state=0), {"alpha": [1e-4, 1e-2, 1]}, n_jobs=-1, cv=3).fit(X, y)
scores = cross_val_score(search.best_estimator_, X, y, n_jobs=2)
with mlflow.start_run() as run:
    mlflow.log_params(search.best_params_)
    mlflow.log_metric("mean score", scores.mean())
    mlflow.log_table(search.cv_results_ | {"params": [str(item) for item in search.cv_results_["params"]]}, "cv.json")
assert mlflow.get_run(run.info.run_id).data.metrics["mean score"] > 0.5
assert len(mlflow.load_table("cv.json", [run.info.run_id])) == 3
