"""What an upgrade has to take over: tables, artifacts, and how they are compared."""

import hashlib

PATIENCE_SECONDS = 300
COLUMNS = """
    SELECT table_name, json_agg(column_name ORDER BY column_name) FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name <> 'alembic_version' GROUP BY 1
"""


def contents(copy, database, columns=None):
    """Return the rows of all tables of a database, of all columns or of those given by table, and these columns."""
    columns = columns or columns_of(copy, database)
    rows = {}
    for table, names in columns.items():
        listed = ", ".join(f'"{name}"' for name in names)
        statement = f"SELECT row_to_json(r)::text FROM (SELECT {listed} FROM public.{table}) AS r ORDER BY 1"
        rows[table] = [row for (row,) in copy.sql("postgres", database, statement)]
    return rows, columns


def columns_of(copy, database):
    return dict(copy.sql("postgres", database, COLUMNS))


def log_all_kinds(copy):
    return copy.in_container("mlflow", "log_all_kinds.py")


def check_artifacts(copy, logged):
    """Check that each artifact that was logged can be had from the server, as it was."""
    for place, sha256 in logged["artifacts"].items():
        run, path = place.split()
        status, content = copy.get("mlflow", f"/get-artifact?run_uuid={run}&path={path}")
        assert status == 200
        assert hashlib.sha256(content).hexdigest() == sha256
