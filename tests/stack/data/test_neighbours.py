"""Whatever one person leaves in the database that all notebooks share, backup and restore work."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import psycopg2
import pytest

from tests.support.copies import Copy

pytestmark = pytest.mark.stack

# A table that the role owns.
MINE = "CREATE TABLE mine AS SELECT 42 AS value"


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A separate toolbox."""
    copy = Copy(tmp_path_factory.mktemp("copy") / "data-toolbox")
    try:
        copy.succeed("up")
        copy.sql("analyst", "datasets", MINE)
        yield copy
    finally:
        copy.succeed("clean", "--yes")


def records(copy):
    """Return whether MLflow can create a run."""
    status, _ = copy.post("/api/2.0/mlflow/runs/create", {"experiment_id": "0"})
    return status == 200


def test_settings_of_the_role_analyst_do_not_affect_backup_and_restore(copy, tmp_path):
    own = ("statement_timeout = 1", "default_transaction_read_only = on", "default_tablespace = 'none'")
    path = tmp_path / "backup.zip"
    for setting in own:
        copy.sql("postgres", "postgres", f"ALTER ROLE analyst SET {setting}")
    try:
        copy.succeed("backup", "--to", str(path))
        copy.succeed("restore", str(path), "--yes")
    finally:
        copy.sql("postgres", "postgres", "ALTER ROLE analyst RESET ALL")
    assert copy.sql("analyst", "datasets", "SELECT * FROM mine") == [(42,)]


# A check whose function refers to a table by a name that is not found during a restore.
UNRESTORABLE = """
    CREATE TABLE limits AS SELECT 10 AS top;
    CREATE FUNCTION top() RETURNS int LANGUAGE sql STABLE AS 'SELECT max(top) FROM limits';
    CREATE TABLE orders (number int CHECK (number <= top()));
    INSERT INTO orders VALUES (1), (2), (3);
    CREATE TABLE held AS SELECT 1 AS a;
    CREATE TABLE "it's ""one" AS SELECT 1 AS a;
"""


# A row that can be written one column at a time, but is too large to be read as a whole.
COLUMNS = [f"c{number}" for number in range(8)]
LARGE = "; ".join(
    [
        f"CREATE TABLE large AS SELECT {', '.join(f'NULL::text AS {name}' for name in COLUMNS)}",
        *(f"UPDATE large SET {name} = repeat('x', 10000000)" for name in COLUMNS),
    ]
)


@pytest.fixture
def unrestorable(copy):
    """The toolbox, with temporary tables that a backup cannot save completely."""
    copy.sql("analyst", "datasets", UNRESTORABLE)
    copy.sql("analyst", "datasets", LARGE)
    yield copy
    copy.sql("analyst", "datasets", f"DROP SCHEMA public CASCADE; CREATE SCHEMA public; {MINE}")


def test_a_backup_reports_what_it_cannot_save_and_the_rest_is_restored(unrestorable, tmp_path):
    copy, path = unrestorable, tmp_path / "backup.zip"
    assert records(copy)
    runs = copy.sql("analyst", "mlflow", "SELECT run_uuid FROM runs ORDER BY 1")
    with closing(copy.connect("analyst", "datasets")) as holder, holder.cursor() as cursor:
        cursor.execute("LOCK TABLE held")
        printed = copy.succeed("backup", "--to", str(path))
    [line] = [line for line in printed.splitlines() if line.startswith("A restore would lack, in the database ")]
    assert "public.held (canceling statement due to lock timeout)" in line
    assert "public.large (out of memory)" in line
    assert "public.orders (0 of 3 rows)" in line
    assert 'relation "limits" does not exist' in line
    assert "_tried" not in copy.psql("postgres", "postgres", "SELECT datname FROM pg_database")
    copy.sql("analyst", "datasets", "DROP TABLE limits, held, large; UPDATE mine SET value = 0")
    printed = copy.succeed("restore", str(path), "--yes")
    [line] = [line for line in printed.splitlines() if line.startswith("Not restored in the database datasets:")]
    assert 'relation "limits" does not exist' in line
    assert copy.sql("analyst", "mlflow", "SELECT run_uuid FROM runs ORDER BY 1") == runs
    empty = "(SELECT count(*) FROM orders), (SELECT count(*) FROM large)"
    kept = f"SELECT (SELECT value FROM mine), (SELECT top FROM limits), {empty}"
    assert copy.sql("analyst", "datasets", kept) == [(42, 10, 0, 0)]
    assert copy.sql("analyst", "datasets", """SELECT a FROM "it's ""one" """) == [(1,)]


def test_mlflow_is_backed_up_even_if_the_users_tables_cannot_be_dumped(copy, tmp_path):
    path = tmp_path / "backup.zip"
    copy.sql("analyst", "datasets", "CREATE FUNCTION lost() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    # pg_dump aborts on an inconsistent catalog, as it does with tens of thousands of tables.
    copy.sql("postgres", "datasets", "UPDATE pg_proc SET prolang = 0 WHERE proname = 'lost'")
    try:
        printed = copy.succeed("backup", "--to", str(path))
    finally:
        copy.sql("postgres", "datasets", "DELETE FROM pg_proc WHERE proname = 'lost'")
    assert "A restore would lack, in the database datasets: all of it (the database datasets cannot be " in printed
    printed = copy.succeed("restore", "--yes", str(path))
    assert "The backup has no tables of the database datasets, which has " in printed
    assert records(copy)
    copy.sql("analyst", "datasets", MINE)


def test_a_restore_succeeds_while_others_connect_and_start_the_services(copy, tmp_path):
    path = tmp_path / "backup.zip"
    copy.sql("analyst", "datasets", "UPDATE mine SET value = 42")
    copy.succeed("backup", "--to", str(path))
    copy.sql("analyst", "datasets", "UPDATE mine SET value = 0")
    over = threading.Event()

    def connect():
        while not over.is_set():
            with suppress(psycopg2.Error), closing(copy.connect("analyst", "datasets")):
                over.wait(0.01)

    def start():
        while not over.is_set():
            copy.run("docker", "compose", "up", "--detach")

    with ThreadPoolExecutor() as pool:
        for disturbance in (connect, start):
            pool.submit(disturbance)
        try:
            copy.succeed("restore", str(path), "--yes")
        finally:
            over.set()
    copy.succeed("up")
    assert copy.sql("analyst", "datasets", "SELECT value FROM mine") == [(42,)]
    assert records(copy)


def test_nobody_can_create_the_folder_in_which_a_restore_keeps_its_files(copy, tmp_path):
    folder = "/api/2.0/mlflow-artifacts/artifacts/.data-toolbox-restore"
    for path in (f"{folder}/incoming/x", f"{folder}/old/x", folder, folder.replace("/.data", "/./.data")):
        status, body = copy.request("PUT", "mlflow", path, b"x")
        assert (status, b"a restore stores the replaced artifacts there" in body) == (400, True)
    # Restore must cope with one that exists anyway, for example through the location of an experiment.
    copy.compose(
        "exec", "--no-TTY", "mlflow", "sh", "-c", "cd artifacts && touch kept && mkdir -p .data-toolbox-restore/old"
    )
    copy.compose("exec", "--no-TTY", "mlflow", "sh", "-c", "cd artifacts/.data-toolbox-restore && mkdir incoming new")
    path = tmp_path / "backup.zip"
    copy.succeed("backup", "--to", str(path))
    copy.compose("restart", "mlflow")
    copy.succeed("up")
    copy.succeed("restore", str(path), "--yes")
    assert copy.compose("exec", "--no-TTY", "mlflow", "ls", "-A", "artifacts").split().count("kept") == 1
    assert ".data-toolbox-restore" not in copy.compose("exec", "--no-TTY", "mlflow", "ls", "-A", "artifacts")
