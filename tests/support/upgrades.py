"""What an upgrade has to take over: tables, artifacts, and how they are compared."""

import hashlib
import json
import shutil

from tests.support.copies import ROOT

OLDER_MLFLOW = ROOT / "tests" / "support" / "older-mlflow"
OLDER = sorted(path.name for path in OLDER_MLFLOW.iterdir())
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


def revision(copy):
    return copy.sql("postgres", "mlflow", "SELECT version_num FROM alembic_version")[0][0]


def check_contents(copy, before, columns):
    """Check that MLflow's tables have what they had before, in all columns that MLflow has not given up since."""
    present = columns_of(copy, "mlflow")
    kept = {table: [name for name in names if name in present[table]] for table, names in columns.items()}
    as_it_was = {
        table: sorted(json.dumps({name: json.loads(row)[name] for name in kept[table]}) for row in rows)
        for table, rows in before.items()
    }
    as_it_is = {
        table: sorted(json.dumps(json.loads(row)) for row in rows)
        for table, rows in contents(copy, "mlflow", kept)[0].items()
    }
    # What was a tag of a trace can be a column by now.
    assert set(as_it_is.pop("trace_tags", [])) <= set(as_it_was.pop("trace_tags", []))
    assert as_it_is == as_it_was


def dumps(copy):
    """Return the names of the dumps that were made before tables were changed."""
    return copy.compose("run", "--rm", "--no-deps", "--no-TTY", "migrate", "ls", "/mlflow/dumps").split()


def use_mlflow(copy, folder):
    """Have the server built with the packages that are locked in a folder."""
    for name in ("requirements.in", "requirements.txt"):
        shutil.copy(folder / name, copy.root / "ml-flow-docker")


def go_back(copy, name):
    """Put the tables back as they were before, as docs/data.md says it."""
    copy.compose("stop", "mlflow")
    copy.compose("run", "--rm", "--no-TTY", "migrate", "python", "/opt/mlflow/migrate.py", "--back", name)
