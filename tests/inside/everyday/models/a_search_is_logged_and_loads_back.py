import mlflow
from scipy.stats import loguniform
from sklearn.datasets import load_iris
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import RandomizedSearchCV

mlflow.set_experiment("random search")
X, y = load_iris(return_X_y=True)
space = {"learning_rate": loguniform(0.01, 1)}
search = RandomizedSearchCV(HistGradientBoostingClassifier(max_iter=5), space, n_iter=3, cv=3).fit(X, y)
with mlflow.start_run():
    info = mlflow.sklearn.log_model(search, name="search")
loaded = mlflow.sklearn.load_model(info.model_uri)
assert loaded.best_params_ == search.best_params_
assert (loaded.predict(X) == search.predict(X)).all()
