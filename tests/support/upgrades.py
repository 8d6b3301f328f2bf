"""Create data with older versions of MLflow, and compare tables and artifacts after an upgrade."""

import hashlib
import json
import shutil

from tests.support.copies import ROOT

OLDER_MLFLOW = ROOT / "tests" / "support" / "older-mlflow"
OLDER = sorted(path.name for path in OLDER_MLFLOW.iterdir())
TIMEOUT_SECONDS = 300
COLUMNS = """
    SELECT table_name, json_agg(column_name ORDER BY column_name) FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name <> 'alembic_version' GROUP BY 1
"""


def contents(copy, database, columns=None):
    """Return (rows by table, columns by table) of a database, with all columns or only those given."""
    columns = columns or columns_of(copy, database)
    rows = {}
    for table, names in columns.items():
        quoted = ", ".join(f'"{name}"' for name in names)
        statement = f"SELECT row_to_json(r)::text FROM (SELECT {quoted} FROM public.{table}) AS r ORDER BY 1"
        rows[table] = [row for (row,) in copy.sql("postgres", database, statement)]
    return rows, columns


def columns_of(copy, database):
    return dict(copy.sql("postgres", database, COLUMNS))


def log_all_kinds(copy):
    return copy.in_container("mlflow", "log_all_kinds.py")


def check_artifacts(copy, logged):
    """Check that the server returns each logged artifact unchanged."""
    for artifact, sha256 in logged["artifacts"].items():
        run, path = artifact.split()
        status, content = copy.get("mlflow", f"/get-artifact?run_uuid={run}&path={path}")
        assert status == 200
        assert hashlib.sha256(content).hexdigest() == sha256


def revision(copy):
    return copy.sql("postgres", "mlflow", "SELECT version_num FROM alembic_version")[0][0]


def check_contents(copy, before, columns):
    """Check that MLflow's tables have the same rows as before, in all columns that still exist."""
    current = columns_of(copy, "mlflow")
    common = {table: [name for name in names if name in current[table]] for table, names in columns.items()}
    expected = {
        table: sorted(json.dumps({name: json.loads(row)[name] for name in common[table]}) for row in rows)
        for table, rows in before.items()
    }
    actual = {
        table: sorted(json.dumps(json.loads(row)) for row in rows)
        for table, rows in contents(copy, "mlflow", common)[0].items()
    }
    # A former tag of a trace can be a column now.
    assert set(actual.pop("trace_tags", [])) <= set(expected.pop("trace_tags", []))
    assert actual == expected


def dumps(copy):
    """Return the names of the dumps from before migrations."""
    return copy.compose("run", "--rm", "--no-deps", "--no-TTY", "migrate", "ls", "/mlflow/dumps").split()


def use_mlflow(copy, folder):
    """Make the next build install the packages that are locked in a folder."""
    for name in ("requirements.in", "requirements.txt"):
        shutil.copy(folder / name, copy.root / "ml-flow-docker")


def roll_back(copy, name):
    """Restore the tables from a dump, as described in docs/data.md."""
    copy.compose("stop", "mlflow")
    copy.compose("run", "--rm", "--no-TTY", "migrate", "python", "/opt/mlflow/migrate.py", "--back", name)
