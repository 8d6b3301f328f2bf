"""A role cannot become superuser, access files or programs of the server, or harm other roles."""

import subprocess
from contextlib import closing, contextmanager

import psycopg2
import pytest
from psycopg2 import errors

from tests.support.copies import surroundings

pytestmark = pytest.mark.stack

# Where each role has the most privileges, and the analyst in MLflow's database.
PLACES = [("mlflow", "mlflow"), ("analyst", "datasets"), ("analyst", "mlflow")]
OTHERS = {"analyst": "mlflow", "mlflow": "analyst"}


@pytest.mark.parametrize(
    "sql",
    [
        "COPY (SELECT 1) TO PROGRAM 'id'",
        "COPY (SELECT 1) TO '/tmp/planted'",
        "COPY pg_description FROM PROGRAM 'id'",
        "COPY pg_description FROM '/etc/passwd'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_read_binary_file('/proc/self/environ')",
        "SELECT pg_ls_dir('/')",
        "SELECT pg_stat_file('/etc/passwd')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT lo_export(1, '/tmp/planted')",
        "LOAD 'auto_explain'",
    ],
)
@pytest.mark.parametrize(("role", "database"), PLACES)
def test_no_role_can_access_files_or_programs_of_the_server(toolbox, role, database, sql):
    # Not "for table": the command or function must be denied, not its target.
    with pytest.raises(errors.InsufficientPrivilege, match=r"denied (to COPY|for function)|access to library"):
        toolbox.sql(role, database, sql)


# The images may lack some of these: they are then unsupported.
@pytest.mark.parametrize(
    "sql",
    [
        "CREATE EXTENSION plpython3u",
        "CREATE EXTENSION plperlu",
        "CREATE EXTENSION dblink",
        "CREATE EXTENSION file_fdw",
        "CREATE EXTENSION postgres_fdw",
        "CREATE LANGUAGE plpython3u",
        "CREATE FUNCTION planted(cstring) RETURNS int LANGUAGE c AS 'libc.so.6', 'system'",
        "CREATE FUNCTION planted(text) RETURNS text LANGUAGE internal AS 'pg_read_file_all'",
        "CREATE EVENT TRIGGER planted ON ddl_command_end EXECUTE FUNCTION planted()",
        "CREATE FOREIGN DATA WRAPPER planted",
        "CREATE SUBSCRIPTION planted CONNECTION 'host=127.0.0.1' PUBLICATION planted",
    ],
)
@pytest.mark.parametrize(("role", "database"), PLACES)
def test_no_role_can_load_foreign_code(toolbox, role, database, sql):
    with pytest.raises((errors.InsufficientPrivilege, errors.FeatureNotSupported)):
        toolbox.sql(role, database, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
        "SELECT set_config('role', 'postgres', false)",
        "SET session_replication_role = replica",
        "SET log_statement = 'all'",
        "ALTER SYSTEM SET log_statement = 'all'",
        "ALTER ROLE CURRENT_USER SUPERUSER",
        "ALTER ROLE postgres PASSWORD 'mine'",
        "CREATE ROLE mine",
        "CREATE DATABASE mine",
        "CREATE TABLESPACE mine LOCATION '/tmp'",
        "GRANT postgres TO CURRENT_USER",
        "GRANT pg_execute_server_program TO CURRENT_USER",
        "GRANT pg_read_server_files TO CURRENT_USER",
        "SELECT * FROM pg_authid",
        "SELECT * FROM pg_shadow",
        "SELECT * FROM pg_hba_file_rules",
        "SELECT pg_reload_conf()",
        "SELECT pg_switch_wal()",
        "SELECT pg_backup_start('mine')",
        "SELECT pg_create_physical_replication_slot('mine')",
        "CHECKPOINT",
    ],
)
@pytest.mark.parametrize(("role", "database"), PLACES)
def test_no_role_can_administer_the_server(toolbox, role, database, sql):
    with pytest.raises(errors.InsufficientPrivilege):
        toolbox.sql(role, database, sql)


@pytest.mark.parametrize("role", OTHERS)
def test_no_role_can_change_the_password_of_another(toolbox, role):
    with pytest.raises(errors.InsufficientPrivilege):
        toolbox.sql(role, "mlflow", f"ALTER ROLE {OTHERS[role]} PASSWORD 'mine'")


@contextmanager
def session(toolbox, role):
    """Open a session of a role during the block; give its PID."""
    if role != "postgres":
        with closing(toolbox.connect(role, "mlflow")) as connection:
            yield connection.info.backend_pid
        return
    command = ["docker", "compose", "exec", "--no-TTY", "postgres", "psql", "-qtA"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=toolbox.root, env=surroundings(), text=True, **pipes) as client:
        print("SELECT pg_backend_pid();", file=client.stdin, flush=True)
        yield int(client.stdout.readline())
        client.stdin.close()


@pytest.mark.parametrize("function", ["pg_terminate_backend", "pg_cancel_backend"])
@pytest.mark.parametrize(
    ("role", "victim"), [("analyst", "mlflow"), ("mlflow", "analyst"), ("analyst", "postgres"), ("mlflow", "postgres")]
)
def test_no_role_can_terminate_a_session_of_another(toolbox, role, victim, function):
    with session(toolbox, victim) as pid:
        with pytest.raises(errors.InsufficientPrivilege):
            toolbox.sql(role, "mlflow", f"SELECT {function}({pid})")
        sessions = toolbox.sql("postgres", "postgres", f"SELECT usename FROM pg_stat_activity WHERE pid = {pid}")
        assert sessions == [(victim,)]


@pytest.mark.parametrize("role", OTHERS)
def test_no_role_can_see_the_queries_of_another(toolbox, role):
    sql = "SELECT DISTINCT query FROM pg_stat_activity WHERE usename <> current_user AND query <> ''"
    with closing(toolbox.connect(OTHERS[role], "mlflow")):
        assert toolbox.sql(role, "mlflow", sql) == [("<insufficient privilege>",)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT lo_creat(-1)",
        "SELECT lo_create(0)",
        "SELECT lo_from_bytea(0, 'x')",
        "SELECT nextval('experiments_experiment_id_seq')",
        "BEGIN; LOCK TABLE experiments",
        "SELECT * FROM experiments FOR UPDATE",
        "COPY experiments FROM STDIN",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE VIEW mine AS SELECT 1",
        "CREATE EXTENSION pg_trgm",
        "ALTER DATABASE mlflow SET search_path = mine",
        "COMMENT ON TABLE experiments IS 'mine'",
    ],
)
def test_the_analyst_can_neither_write_to_the_database_mlflow_nor_block_writers(toolbox, sql):
    with pytest.raises(errors.InsufficientPrivilege):
        toolbox.sql("analyst", "mlflow", sql)


@pytest.mark.parametrize("database", ["mlflow", "datasets", "postgres"])
def test_no_function_runs_with_the_privileges_of_the_superuser(toolbox, database):
    assert toolbox.sql("postgres", database, "SELECT proname FROM pg_proc WHERE prosecdef") == []


def test_a_security_definer_function_has_no_more_privileges_than_its_owner(toolbox):
    reader = "RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS 'SELECT rolpassword FROM pg_catalog.pg_authid'"
    with closing(toolbox.connect("analyst", "datasets")) as connection, connection.cursor() as cursor:
        cursor.execute("SET check_function_bodies = off")
        cursor.execute(f"CREATE FUNCTION passwords() {reader}")
        with pytest.raises(errors.InsufficientPrivilege):
            cursor.execute("SELECT passwords()")


# The analyst cannot change the settings of a database.
@pytest.mark.parametrize(("role", "database"), PLACES[:1])
def test_a_backup_runs_no_function_of_a_role_as_the_superuser(toolbox, tmp_path, role, database):
    # A call with these argument types prefers it to Postgres' own function. It reports the role that runs it.
    trap = f"""
        CREATE TABLE bait ();
        CREATE FUNCTION public.format(text, name, name) RETURNS text LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'run by %', current_user;
        END $$;
        ALTER DATABASE {database} SET search_path = public, pg_catalog;
    """
    cleanup = f"""
        ALTER DATABASE {database} RESET search_path;
        DROP FUNCTION public.format(text, name, name);
        DROP TABLE bait;
    """
    toolbox.sql(role, database, trap)
    try:
        with pytest.raises(psycopg2.errors.RaiseException, match=f"run by {role}"):
            toolbox.sql(role, database, "SELECT format('%I.%I', tablename, tablename) FROM pg_tables")
        toolbox.succeed("backup", "--to", str(tmp_path / "backup.zip"))
    finally:
        toolbox.sql(role, database, cleanup)
