import mlflow
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

mlflow.set_experiment("forest")
X, y = load_iris(return_X_y=True, as_frame=True)
model = RandomForestClassifier(n_estimators=5).fit(X, y)
with mlflow.start_run():
    info = mlflow.sklearn.log_model(model, name="model")
loaded = mlflow.sklearn.load_model(info.model_uri)
assert (loaded.predict(X) == model.predict(X)).all()
assert mlflow.get_logged_model(info.model_id).status == "READY"
