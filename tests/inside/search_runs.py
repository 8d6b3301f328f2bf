"""Search for runs with unmodified MLflow and with app.py; print both results as JSON, by query.

Runs in the mlflow container, in a temporary experiment.
"""

import json
import os
import sys

sys.path.insert(0, "/opt/mlflow")

from app import create_app
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    Metric,
    Param,
    RunTag,
    ViewType,
)
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy import event

QUERIES = {
    "all": ("", []),
    "newest": ("", ["attributes.start_time DESC"]),
    "metric": ("", ["metrics.loss ASC"]),
    "metric, downwards": ("", ["metrics.loss DESC"]),
    "metric that few have": ("", ["metrics.rare ASC", "params.depth DESC"]),
    "param": ("", ["params.depth ASC"]),
    "tag": ("", ["tags.team DESC", "metrics.loss ASC"]),
    "filters": ("metrics.loss < 5 AND params.depth = '1' AND tags.team LIKE 'a%'", ["metrics.loss DESC"]),
    # Each run has two such data sets.
    "data sets": ("dataset.context = 'training'", []),
    "data set": ("dataset.name = 'table 1' AND metrics.loss < 8", ["metrics.loss ASC"]),
}

store = SqlAlchemyStore(os.environ["MLFLOW_BACKEND_STORE_URI"], "/tmp")
statements = []
experiment = store.create_experiment("searched")
for number in range(10):
    run = store.create_run(experiment, "tests", number, [], f"run {number}").info.run_id
    metrics = [Metric("loss", float("nan") if number == 9 else number % 4, 0, step) for step in range(3)]
    metrics += [Metric("rare", 1, 0, 0)] if number % 5 == 0 else []
    store.log_batch(run, metrics, [Param("depth", str(number % 3))], [RunTag("team", "ab"[number % 2])])
    tags = [InputTag("mlflow.data.context", "training")]
    sets = [Dataset(f"table {which}", f"{number} {which}", "local", "{}") for which in (1, 2)]
    store.log_inputs(run, [DatasetInput(dataset, tags) for dataset in sets])


def search():
    """Return the names of the runs found, by query, in pages of three."""
    results = {}
    for query, (filter_string, order) in QUERIES.items():
        names, token = [], None
        while True:
            page = store.search_runs([experiment], filter_string, ViewType.ACTIVE_ONLY, 3, order, token)
            names += [run.info.run_name for run in page]
            token = page.token
            if not token:
                break
        results[query] = names
    return results


plain = search()

create_app()
# Registered after the listener of app.py, so that it sees the changed statements.
event.listen(store.engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
ours = search()
distinct = sorted({" inputs" in statement for statement in statements if statement.startswith("SELECT DISTINCT runs.")})
store.delete_experiment(experiment)
print(json.dumps({"plain": plain, "ours": ours, "distinct only with data sets": distinct}))
