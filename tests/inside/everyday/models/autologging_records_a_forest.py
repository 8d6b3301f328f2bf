import mlflow
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import train_test_split

mlflow.set_experiment("autolog")
mlflow.autolog()
X_train, X_test, y_train, y_test = train_test_split(*load_diabetes(return_X_y=True))
forest = RandomForestRegressor(n_estimators=10, max_depth=3).fit(X_train, y_train)
score = forest.score(X_test, y_test)
run = mlflow.last_active_run()
assert run.data.params["max_depth"] == "3"
assert run.data.metrics["RandomForestRegressor_score_X_test"] == score
assert (mlflow.sklearn.load_model(f"runs:/{run.info.run_id}/model").predict(X_test) == forest.predict(X_test)).all()
