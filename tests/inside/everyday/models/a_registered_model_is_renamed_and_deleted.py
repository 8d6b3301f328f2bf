import mlflow
from sklearn.tree import DecisionTreeClassifier

mlflow.set_experiment("renamed model")
with mlflow.start_run() as run:
    info = mlflow.sklearn.log_model(DecisionTreeClassifier().fit([[0], [1]], [0, 1]), name="model")
version = mlflow.register_model(info.model_uri, "tree old")
client = mlflow.MlflowClient()
client.rename_registered_model("tree old", "tree new")
assert mlflow.pyfunc.load_model(f"models:/tree new/{version.version}").predict([[1]]) == [1]
client.delete_model_version("tree new", version.version)
client.delete_registered_model("tree new")
assert client.search_registered_models("name LIKE 'tree %'") == []
assert mlflow.sklearn.load_model(f"runs:/{run.info.run_id}/model").predict([[0]]) == [0]
