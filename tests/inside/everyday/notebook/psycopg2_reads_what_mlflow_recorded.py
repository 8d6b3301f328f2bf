import mlflow
import psycopg2

mlflow.set_experiment("psycopg2")
with mlflow.start_run() as run:
    mlflow.log_metrics({"loss": 0.25, "größe": 2})
with psycopg2.connect("") as connection, connection.cursor() as cursor:
    cursor.execute("SELECT key, value FROM metrics WHERE run_uuid = %s AND key LIKE '%%ö%%'", (run.info.run_id,))
    assert cursor.fetchall() == [("größe", 2.0)]
    try:
        cursor.execute("DELETE FROM metrics")
    except psycopg2.errors.InsufficientPrivilege:
        connection.rollback()
    else:
        raise AssertionError("analyst can delete what MLflow recorded")
