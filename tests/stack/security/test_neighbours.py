"""Whatever one person does with the database role that all notebooks share, the others can keep working."""

from contextlib import ExitStack, closing

import psycopg2
import pytest

from tests.support.copies import Copy
from tests.support.waiting import until

pytestmark = pytest.mark.stack

CONNECTIONS = 60
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


def test_server_and_tasks_can_connect_when_the_role_of_the_notebooks_uses_all_its_connections(copy, tmp_path):
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            stack.enter_context(closing(copy.connect("analyst", "datasets")))
        with pytest.raises(psycopg2.OperationalError, match="too many connections for role"):
            copy.connect("analyst", "datasets")
        assert records(copy)
        started = copy.inspect("mlflow")["State"]["StartedAt"]
        copy.succeed("up")
        path = str(tmp_path / "backup.zip")
        assert "lack" not in copy.succeed("backup", "--to", path)
        # No restart because the role cannot connect.
        assert copy.inspect("mlflow")["State"]["StartedAt"] == started
        assert "FAIL" not in copy.invoke("doctor").stdout
        copy.succeed("restore", "--yes", path)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM (SELECT DISTINCT md5(n::text), n FROM generate_series(1, 20000000) AS n) AS hashed",
        "SELECT md5(n::text) AS key, array_agg(n) FROM generate_series(1, 20000000) AS n GROUP BY key",
        "SELECT length(repeat('x', 1000000000))",
        "CREATE TEMP TABLE large AS SELECT n, repeat('x', 500) FROM generate_series(1, 3000000) AS n",
        "CREATE TEMP TABLE wide AS SELECT string_agg(n::text, '') FROM generate_series(1, 50000000) AS n",
    ],
    ids=["hashes", "arrays", "a text", "temporary tables", "an aggregate"],
)
def test_a_query_that_exceeds_the_memory_does_not_affect_other_sessions(copy, query):
    with closing(copy.connect("analyst", "datasets")) as other, other.cursor() as other_cursor:
        with closing(copy.connect("analyst", "datasets")) as connection, connection.cursor() as cursor:
            cursor.execute("SET work_mem = '2GB'; SET hash_mem_multiplier = 1000; SET temp_buffers = '1GB'")
            cursor.execute("SET max_parallel_workers = 64; SET max_parallel_workers_per_gather = 64")
            with pytest.raises(psycopg2.errors.OutOfMemory):
                cursor.execute(query)
        other_cursor.execute("SELECT 1")
    assert records(copy)


def test_a_query_cannot_fill_the_disk_with_temporary_files(copy):
    with closing(copy.connect("analyst", "datasets")) as connection, connection.cursor() as cursor:
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("SET temp_file_limit = -1")
        connection.rollback()
        with pytest.raises(psycopg2.errors.ConfigurationLimitExceeded, match="temp_file_limit"):
            cursor.execute("SELECT n, repeat('x', 300) AS x FROM generate_series(1, 20000000) AS n ORDER BY x, n")


@pytest.mark.parametrize(
    "sql",
    [
        "DROP DATABASE datasets",
        "DROP DATABASE datasets WITH (FORCE)",
        "ALTER DATABASE datasets ALLOW_CONNECTIONS false",
        "ALTER DATABASE datasets CONNECTION LIMIT 0",
        "ALTER DATABASE datasets IS_TEMPLATE true",
        "ALTER DATABASE datasets RENAME TO mine",
        "ALTER DATABASE datasets SET statement_timeout = 1",
        "ALTER ROLE analyst CONNECTION LIMIT 1000",
        "ALTER ROLE analyst SET temp_file_limit = -1",
        "ALTER ROLE analyst RESET temp_file_limit",
        "SELECT pg_advisory_lock(20261123)",
        "SELECT pg_advisory_xact_lock(1, 2)",
        "SELECT count(pg_try_advisory_lock_shared(n)) FROM generate_series(1, 1000000) AS n",
    ],
)
@pytest.mark.parametrize("database", ["datasets", "mlflow"])
def test_the_analyst_cannot_change_or_lock_what_everyone_needs(copy, database, sql):
    with pytest.raises((psycopg2.errors.InsufficientPrivilege, psycopg2.errors.WrongObjectType)):
        copy.sql("analyst", database, sql)


def test_the_analyst_can_create_and_delete_everything_else_in_datasets(copy):
    copy.sql("analyst", "datasets", "CREATE EXTENSION pg_trgm; CREATE SCHEMA other; CREATE TABLE other.mine (a int)")
    copy.sql("analyst", "datasets", "DROP SCHEMA other CASCADE; DROP SCHEMA public CASCADE")
    copy.sql("analyst", "datasets", f"CREATE SCHEMA public; {MINE}; SELECT lo_unlink(lo_create(0))")


@pytest.mark.parametrize(
    ("harm", "kept"),
    [
        ([("postgres", "mlflow", "DROP OWNED BY analyst")], True),
        ([("analyst", "datasets", "ALTER ROLE analyst SET local_preload_libraries = 'none'")], True),
        # As in volumes of older versions.
        (
            [
                ("postgres", "postgres", "ALTER DATABASE datasets OWNER TO analyst"),
                ("postgres", "postgres", "COMMENT ON DATABASE datasets IS NULL"),
                ("analyst", "datasets", "ALTER DATABASE datasets SET default_transaction_read_only = on"),
                ("analyst", "mlflow", "ALTER DATABASE datasets ALLOW_CONNECTIONS false"),
            ],
            True,
        ),
        (
            [
                ("postgres", "postgres", "ALTER DATABASE datasets OWNER TO analyst"),
                ("analyst", "mlflow", "DROP DATABASE datasets"),
            ],
            False,
        ),
    ],
    ids=["privileges", "settings", "connections", "database"],
)
def test_the_next_start_restores_what_the_analyst_has_lost(copy, tmp_path, harm, kept):
    for role, database, sql in harm:
        copy.sql(role, database, sql)
    copy.compose("restart", "postgres")
    copy.succeed("up")
    assert copy.sql("analyst", "mlflow", "SELECT count(*) >= 1 FROM experiments") == [(True,)]
    if not kept:
        assert "The database datasets was missing: created an empty one." in copy.compose("logs", "postgres")
        copy.sql("analyst", "datasets", MINE)
    copy.sql("analyst", "datasets", "UPDATE mine SET value = 42")
    owner = "SELECT datdba::regrole::text, datallowconn FROM pg_database WHERE datname = 'datasets'"
    assert copy.sql("postgres", "postgres", owner) == [("postgres", True)]
    copy.succeed("backup", "--to", str(tmp_path / "backup.zip"))


@pytest.mark.parametrize(("role", "database"), [("analyst", "datasets"), ("mlflow", "mlflow")])
def test_setting_the_privileges_runs_no_function_of_a_role_as_the_superuser(copy, role, database):
    # Calls with these argument types prefer it to Postgres' own function.
    body = "plpgsql AS 'BEGIN ALTER ROLE analyst SUPERUSER; RETURN pg_catalog.format($1, $2); END'"
    kinds = ("text, regprocedure", "text, name")
    traps = [f"CREATE FUNCTION public.format({kind}) RETURNS text LANGUAGE {body}" for kind in kinds]
    copy.sql(role, database, "; ".join(traps))
    try:
        # As in a volume of an older version, where the privileges are not set yet.
        copy.sql("postgres", "postgres", "COMMENT ON DATABASE datasets IS NULL")
        copy.compose("restart", "postgres")
        copy.succeed("up")
        assert copy.sql("analyst", "mlflow", "SELECT count(*) >= 0 FROM runs") == [(True,)]
        assert copy.sql("postgres", "postgres", "SELECT rolname::text FROM pg_roles WHERE rolsuper") == [("postgres",)]
    finally:
        copy.sql(role, database, "; ".join(f"DROP FUNCTION public.format({kind})" for kind in kinds))


def test_a_session_that_is_idle_in_a_transaction_is_terminated_after_the_configured_time(copy):
    assert copy.sql("analyst", "mlflow", "SHOW idle_in_transaction_session_timeout") == [("1h",)]
    with copy.changed(POSTGRES_IDLE_TRANSACTIONS="1s"):
        copy.succeed("up")
        with closing(copy.connect("analyst", "mlflow")) as idle, idle.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM runs")
            held = f"SELECT count(*) FROM pg_locks WHERE pid = {idle.info.backend_pid}"
            until(lambda: copy.sql("postgres", "postgres", held) == [(0,)], "its locks are released", 30)
            with pytest.raises(psycopg2.Error):
                cursor.execute("SELECT 1")
    with copy.changed(POSTGRES_IDLE_TRANSACTIONS="soon"):
        refused = copy.invoke("up")
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith('FAIL: POSTGRES_IDLE_TRANSACTIONS is "soon": use a time such')
    copy.succeed("up")
