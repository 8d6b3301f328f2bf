import mlflow
import pandas as pd
from sqlalchemy import create_engine, text

mlflow.set_experiment("like")
with mlflow.start_run() as run:
    mlflow.log_metrics({"train_loss": 1, "val_loss": 2, "accuracy": 3})
engine = create_engine("postgresql://")
query = text("SELECT key, value FROM metrics WHERE key LIKE '%loss%' AND run_uuid = :run ORDER BY key")
found = pd.read_sql(query, engine, params={"run": run.info.run_id})
assert found.values.tolist() == [["train_loss", 1], ["val_loss", 2]]
doubled = "SELECT count(*) AS n FROM metrics WHERE key LIKE '%%loss%%' AND run_uuid = %(run)s"
assert pd.read_sql(doubled, engine, params={"run": run.info.run_id})["n"][0] == 2
