"""Data of older versions of MLflow and Postgres are taken over whole, and whatever breaks that off changes nothing."""

import json
import shutil
import subprocess
import sys
from contextlib import closing

import pytest

from tests.support.copies import ROOT, Copy
from tests.support.upgrades import PATIENCE_SECONDS, check_artifacts, columns_of, contents, log_all_kinds
from tests.support.waiting import until

pytestmark = pytest.mark.stack

OLDER_MLFLOW = ROOT / "tests" / "support" / "older-mlflow"
OLDER = sorted(path.name for path in OLDER_MLFLOW.iterdir())


def revision(copy):
    return copy.sql("postgres", "mlflow", "SELECT version_num FROM alembic_version")[0][0]


def indexes(copy):
    """Return how the indexes are made that the tables have beside MLflow's own."""
    return copy.sql("mlflow", "mlflow", "SELECT indexdef FROM pg_indexes WHERE indexname ~ '^data_toolbox_' ORDER BY 1")


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


@pytest.fixture(params=OLDER)
def older(request, tmp_path):
    """A toolbox with an older MLflow and with what was logged there; then with the present one, not yet started."""
    copy = Copy(tmp_path / "older")
    try:
        use_mlflow(copy, OLDER_MLFLOW / request.param)
        copy.succeed("up")
        copy.version = request.param
        copy.logged = log_all_kinds(copy)
        use_mlflow(copy, ROOT / "ml-flow-docker")
        yield copy
    finally:
        copy.succeed("clean", "--yes")


def test_an_older_mlflow_is_taken_over_with_all_it_recorded(older, toolbox):
    before, columns = contents(older, "mlflow")
    assert len(before["metrics"]) == 3 * 201
    old = revision(older)
    older.succeed("upgrade")
    new = revision(older)
    assert new == revision(toolbox)
    check_contents(older, before, columns)
    check_artifacts(older, older.logged)
    assert indexes(older) == indexes(toolbox) != []
    status, answer = older.get("mlflow", "/api/2.0/mlflow/registered-models/alias?name=model&alias=best")
    assert status == 200, answer

    # A dump only where the tables have changed. It holds what was there, for the way back.
    kept = dumps(older)
    assert len(kept) == (0 if new == old else 1)
    older.succeed("upgrade")
    assert dumps(older) == kept
    if kept:
        assert f"MLflow-{older.version}" in kept[0] or old in kept[0]
        go_back(older, kept[0])
        assert revision(older) == old
        assert contents(older, "mlflow")[0] == before
        assert older.sql("analyst", "mlflow", "SELECT count(*) FROM metrics") == [(len(before["metrics"]),)]


# --- What breaks a migration off ---


@pytest.fixture(scope="module")
def oldest(tmp_path_factory):
    """A toolbox with the tables of the oldest of these versions, which the present MLflow has not seen yet."""
    copy = Copy(tmp_path_factory.mktemp("oldest") / "data-toolbox")
    try:
        use_mlflow(copy, OLDER_MLFLOW / OLDER[-1])
        copy.succeed("build")
        copy.compose("up", "--detach", "--wait", "mlflow")
        log_all_kinds(copy)
        use_mlflow(copy, ROOT / "ml-flow-docker")
        yield copy
    finally:
        copy.succeed("clean", "--yes")


def in_background(copy, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "invoke", *arguments],
        cwd=copy.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# A kernel reads in a transaction that it never ends.
HELD = "SELECT key FROM metrics LIMIT 1"


def test_a_migration_that_is_kept_waiting_names_who_does_it_and_has_changed_nothing(oldest):
    before, _ = contents(oldest, "mlflow")
    old = revision(oldest)
    with closing(oldest.connect("analyst", "mlflow")) as connection:
        connection.cursor().execute(HELD)
        result = oldest.invoke("upgrade")
    assert result.returncode == 1
    line = result.stderr.splitlines()[-1]
    assert line.startswith("FAIL: MLflow's tables are in use, nothing was changed: ")
    assert ": role analyst holds a lock on metrics (process " in line
    assert revision(oldest) == old
    assert contents(oldest, "mlflow")[0] == before
    assert dumps(oldest) == []


def test_a_migration_goes_on_once_nobody_keeps_it_waiting(oldest):
    program = (
        "import sys; sys.path[:0] = ['/opt/mlflow']; import migrate, os; uri = os.environ['MLFLOW_BACKEND_STORE_URI']; "
    )
    program += (
        "cursor = migrate.connected(uri); migrate.patiently(cursor, lambda: migrate.ask(cursor, migrate.ALL_TABLES))"
    )
    command = ["docker", "compose", "run", "--rm", "--no-TTY", "migrate", "python", "-c", program]
    with closing(oldest.connect("analyst", "mlflow")) as connection:
        connection.cursor().execute(HELD)
        task = subprocess.Popen(command, cwd=oldest.root, stdout=subprocess.PIPE, text=True)
        assert "Waiting for MLflow's tables: role analyst holds a lock" in task.stdout.readline()
        # Others read meanwhile.
        assert oldest.sql("analyst", "mlflow", "SELECT count(*) FROM metrics")
    task.communicate(timeout=PATIENCE_SECONDS)
    assert task.returncode == 0


# What the first change of the tables meets.
STALL = """
    CREATE FUNCTION public.stall() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); END';
    CREATE EVENT TRIGGER stall ON ddl_command_start WHEN TAG IN ('ALTER TABLE', 'CREATE TABLE') EXECUTE FUNCTION stall()
"""
STALLED = "FROM pg_stat_activity WHERE usename = 'mlflow' AND wait_event = 'PgSleep'"


def test_a_migration_that_is_killed_has_changed_nothing_and_is_begun_again(oldest):
    before, columns = contents(oldest, "mlflow")
    old = revision(oldest)
    oldest.sql("postgres", "mlflow", STALL)
    with in_background(oldest, "upgrade") as task:
        # The upgrade may begin with another container of postgres.
        psql = ("psql", "-qtA", "-d", "mlflow", "-c", f"SELECT 'is stalled' {STALLED}")
        asked = ("docker", "compose", "exec", "--no-TTY", "postgres", *psql)
        until(lambda: oldest.run(*asked).stdout, "the migration changes a table", PATIENCE_SECONDS)
        oldest.run("docker", "kill", f"{oldest.project}-migrate-1")
        _, said = task.communicate(timeout=PATIENCE_SECONDS)
    oldest.sql("postgres", "mlflow", "DROP EVENT TRIGGER stall; DROP FUNCTION public.stall")
    oldest.sql("postgres", "mlflow", f"SELECT pg_terminate_backend(pid) {STALLED}")
    assert task.returncode == 1
    assert said.splitlines()[-1].startswith("FAIL: migrate ")
    assert revision(oldest) == old
    assert contents(oldest, "mlflow")[0] == before
    oldest.succeed("upgrade")
    assert revision(oldest) != old
    check_contents(oldest, before, columns)


def test_tables_of_a_newer_mlflow_are_refused_with_the_version_they_need(oldest):
    oldest.succeed("up")
    known = revision(oldest)
    note = "COMMENT ON TABLE alembic_version IS 'MLflow {}'"
    oldest.sql("mlflow", "mlflow", f"UPDATE alembic_version SET version_num = 'f00'; {note.format('9.9.9')}")
    try:
        result = oldest.invoke("up")
        alone = oldest.run("docker", "compose", "up", "--detach", "--wait")
        log = oldest.compose("logs", "migrate")
    finally:
        oldest.sql("mlflow", "mlflow", f"UPDATE alembic_version SET version_num = '{known}'")
    assert result.returncode == 1
    assert "==9.9.9 in ml-flow-docker/requirements.in" in result.stderr.splitlines()[-1]
    assert alone.returncode != 0
    assert "FAIL: the tables are from MLflow 9.9.9" in log
    oldest.succeed("up")


def test_where_no_dump_can_be_made_nothing_is_changed(oldest, tmp_path):
    known = revision(oldest)
    previous = "UPDATE alembic_version SET version_num = '451aebb31d03'"
    oldest.sql("mlflow", "mlflow", previous)
    program = "import sys; sys.path[:0] = ['/opt/mlflow']; import migrate, os; from pathlib import Path; "
    program += "migrate.DUMPS = Path('/opt'); migrate.main(os.environ['MLFLOW_BACKEND_STORE_URI'])"
    try:
        result = oldest.run("docker", "compose", "run", "--rm", "--no-TTY", "migrate", "python", "-c", program)
        assert revision(oldest) == "451aebb31d03"
    finally:
        oldest.sql("mlflow", "mlflow", f"UPDATE alembic_version SET version_num = '{known}'")
    assert result.returncode == 1
    assert "FAIL: no dump could be made, so nothing was changed" in result.stderr
