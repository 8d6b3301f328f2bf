"""Print the query plans of MLflow's search for a page of runs among 20,000, one for each order.

Runs in the mlflow container. The runs are rolled back.
"""

import json
import os

import psycopg2
from mlflow.entities import ViewType
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy import event

RUNS = """
INSERT INTO runs (run_uuid, name, source_type, status, start_time, lifecycle_stage, artifact_uri, experiment_id)
    SELECT md5(number::text), 'run', 'UNKNOWN', 'FINISHED', number, 'active', '', 0
    FROM generate_series(1, 20000) AS number;
ANALYZE runs
"""
# The orders that MLflow's client and its pages request.
ORDERS = {"client": [], "pages": ["attributes.start_time DESC"]}

uri = os.environ["MLFLOW_BACKEND_STORE_URI"]
store = SqlAlchemyStore(uri, "/tmp")
statements = []
event.listen(store.engine, "before_cursor_execute", lambda *call: statements.append(call[2:4]))

connection = psycopg2.connect(uri.replace("+psycopg2", "", 1))
cursor = connection.cursor()
cursor.execute(RUNS)
plans = {}
for name, order in ORDERS.items():
    statements.clear()
    store.search_runs(["0"], "", ViewType.ACTIVE_ONLY, 100, order)
    [(statement, values)] = [call for call in statements if " runs.run_uuid" in call[0] and "LIMIT" in call[0]]
    cursor.execute(f"EXPLAIN {statement}", values)
    plans[name] = [line for (line,) in cursor.fetchall()]
connection.rollback()
print(json.dumps(plans))
