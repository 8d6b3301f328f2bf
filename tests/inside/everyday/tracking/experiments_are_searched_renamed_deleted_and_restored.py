import mlflow
from mlflow import MlflowClient
from mlflow.entities import ViewType

client = MlflowClient()
experiment = client.create_experiment("life of one", tags={"team": "vision"})
client.rename_experiment(experiment, "life of one, later")
client.set_experiment_tag(experiment, "stage", "draft")
found = mlflow.search_experiments(filter_string="name ILIKE 'LIFE%' AND tags.team = 'vision'")
assert [item.experiment_id for item in found] == [experiment]
client.delete_experiment(experiment)
assert mlflow.search_experiments(filter_string="name LIKE 'life of%'") == []
deleted = mlflow.search_experiments(view_type=ViewType.DELETED_ONLY, filter_string="name LIKE 'life of%'")
assert [item.name for item in deleted] == ["life of one, later"]
client.restore_experiment(experiment)
assert client.get_experiment(experiment).lifecycle_stage == "active"
