"""What one person leaves in the database that all notebooks share is in the way of no backup and no restore."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import psycopg2
import pytest

from tests.support.copies import Copy

pytestmark = pytest.mark.stack

# A table of the role's own.
MINE = "CREATE TABLE mine AS SELECT 42 AS value"


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A toolbox of its own."""
    copy = Copy(tmp_path_factory.mktemp("copy") / "data-toolbox")
    try:
        copy.succeed("up")
        copy.sql("analyst", "datasets", MINE)
        yield copy
    finally:
        copy.succeed("clean", "--yes")


def records(copy):
    """Return whether MLflow records a run."""
    status, _ = copy.post("/api/2.0/mlflow/runs/create", {"experiment_id": "0"})
    return status == 200


def test_settings_that_the_analyst_gives_itself_are_in_the_way_of_no_backup_and_no_restore(copy, tmp_path):
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


# A check whose function asks for a table by a name that is found only where the table was made.
UNRESTORABLE = """
    CREATE TABLE limits AS SELECT 10 AS top;
    CREATE FUNCTION top() RETURNS int LANGUAGE sql STABLE AS 'SELECT max(top) FROM limits';
    CREATE TABLE orders (number int CHECK (number <= top()));
    INSERT INTO orders VALUES (1), (2), (3);
    CREATE TABLE held AS SELECT 1 AS a;
    CREATE TABLE "it's ""one" AS SELECT 1 AS a;
"""


# A row that can be written, a column at a time, and is too large to be read as a whole.
COLUMNS = [f"c{number}" for number in range(8)]
LARGE = "; ".join(
    [
        f"CREATE TABLE large AS SELECT {', '.join(f'NULL::text AS {name}' for name in COLUMNS)}",
        *(f"UPDATE large SET {name} = repeat('x', 10000000)" for name in COLUMNS),
    ]
)


@pytest.fixture
def unrestorable(copy):
    """The toolbox, with tables of which a backup lacks something; they are gone afterwards."""
    copy.sql("analyst", "datasets", UNRESTORABLE)
    copy.sql("analyst", "datasets", LARGE)
    yield copy
    copy.sql("analyst", "datasets", f"DROP SCHEMA public CASCADE; CREATE SCHEMA public; {MINE}")


def test_a_backup_says_what_it_cannot_take_and_gives_back_all_the_rest(unrestorable, tmp_path):
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


def test_tables_that_cannot_be_dumped_at_all_leave_mlflow_its_backup(copy, tmp_path):
    path = tmp_path / "backup.zip"
    copy.sql("analyst", "datasets", "CREATE FUNCTION lost() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    # pg_dump ends where the catalog does not fit together; with tens of thousands of tables too.
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


def test_a_restore_succeeds_whoever_connects_or_starts_the_services_meanwhile(copy, tmp_path):
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
        for busy in (connect, start):
            pool.submit(busy)
        try:
            copy.succeed("restore", str(path), "--yes")
        finally:
            over.set()
    copy.succeed("up")
    assert copy.sql("analyst", "datasets", "SELECT value FROM mine") == [(42,)]
    assert records(copy)


def test_nobody_makes_what_a_restore_would_take_for_its_own(copy, tmp_path):
    place = "/api/2.0/mlflow-artifacts/artifacts/.data-toolbox-restore"
    for path in (f"{place}/incoming/x", f"{place}/old/x", place, place.replace("/.data", "/./.data")):
        status, body = copy.request("PUT", "mlflow", path, b"x")
        assert (status, b"a restore keeps there what it replaces" in body) == (400, True)
    # However it came there, through the location of an experiment for example.
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
