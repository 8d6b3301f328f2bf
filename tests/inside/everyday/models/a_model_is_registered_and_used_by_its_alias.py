import mlflow
from mlflow import MlflowClient
from sklearn.dummy import DummyRegressor

mlflow.set_experiment("registry")
for value in (1, 2):
    with mlflow.start_run():
        model = DummyRegressor(strategy="constant", constant=value).fit([[0]], [0])
        mlflow.sklearn.log_model(model, name="model", registered_model_name="constant value")
client = MlflowClient()
client.set_registered_model_alias("constant value", "champion", 1)
assert mlflow.sklearn.load_model("models:/constant value@champion").predict([[0]]) == [1]
client.set_registered_model_alias("constant value", "champion", "2")
assert mlflow.pyfunc.load_model("models:/constant value@champion").predict([[0]]) == [2]
client.set_model_version_tag("constant value", "1", "validation_status", "approved")
versions = client.search_model_versions("name = 'constant value' AND tags.validation_status = 'approved'")
assert [version.version for version in versions] in ([1], ["1"])
client.update_registered_model("constant value", description="immer gleich")
assert client.get_registered_model("constant value").description == "immer gleich"
client.delete_registered_model_alias("constant value", "champion")
assert client.get_registered_model("constant value").aliases == {}
