"""What someone with the password of a role tries: to become the superuser, to leave the database, to harm others."""

import subprocess
from contextlib import closing, contextmanager

import psycopg2
import pytest
from psycopg2 import errors

from tests.support.copies import surroundings

pytestmark = pytest.mark.stack

# Where each role has the most rights, and what the analyst has where MLflow's records are.
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
def test_no_role_gets_at_files_or_programs(toolbox, role, database, sql):
    # Not "for table": what is denied is the way, not what lies at its end.
    with pytest.raises(errors.InsufficientPrivilege, match=r"denied (to COPY|for function)|access to library"):
        toolbox.sql(role, database, sql)


# The images may leave out a language: then it cannot be had either.
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
def test_no_role_brings_in_foreign_code(toolbox, role, database, sql):
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
def test_no_role_rules_over_the_server(toolbox, role, database, sql):
    with pytest.raises(errors.InsufficientPrivilege):
        toolbox.sql(role, database, sql)


@pytest.mark.parametrize("role", OTHERS)
def test_no_role_changes_the_password_of_the_other(toolbox, role):
    with pytest.raises(errors.InsufficientPrivilege):
        toolbox.sql(role, "mlflow", f"ALTER ROLE {OTHERS[role]} PASSWORD 'mine'")


@contextmanager
def session(toolbox, role):
    """Give the number of the process of a session of a role, which lasts for the block."""
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
def test_no_role_ends_a_session_of_another(toolbox, role, victim, function):
    with session(toolbox, victim) as pid:
        with pytest.raises(errors.InsufficientPrivilege):
            toolbox.sql(role, "mlflow", f"SELECT {function}({pid})")
        there = toolbox.sql("postgres", "postgres", f"SELECT usename FROM pg_stat_activity WHERE pid = {pid}")
        assert there == [(victim,)]


@pytest.mark.parametrize("role", OTHERS)
def test_no_role_sees_what_another_asks_for(toolbox, role):
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
def test_analyst_leaves_nothing_in_mlflow_and_locks_out_no_writer(toolbox, sql):
    with pytest.raises(errors.InsufficientPrivilege):
        toolbox.sql("analyst", "mlflow", sql)


@pytest.mark.parametrize("database", ["mlflow", "datasets", "postgres"])
def test_no_function_runs_with_the_rights_of_the_superuser(toolbox, database):
    assert toolbox.sql("postgres", database, "SELECT proname FROM pg_proc WHERE prosecdef") == []


def test_a_function_with_the_rights_of_its_owner_has_no_more_than_the_owner(toolbox):
    reader = "RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS 'SELECT rolpassword FROM pg_catalog.pg_authid'"
    with closing(toolbox.connect("analyst", "datasets")) as connection, connection.cursor() as cursor:
        cursor.execute("SET check_function_bodies = off")
        cursor.execute(f"CREATE FUNCTION passwords() {reader}")
        with pytest.raises(errors.InsufficientPrivilege):
            cursor.execute("SELECT passwords()")
        # Nothing was committed.


# The analyst cannot set this for a database.
@pytest.mark.parametrize(("role", "database"), PLACES[:1])
def test_a_backup_runs_no_function_of_a_role_as_the_superuser(toolbox, tmp_path, role, database):
    # In the place of Postgres' own, for which a call with these types is found first. It tells who runs it.
    trap = f"""
        CREATE TABLE bait ();
        CREATE FUNCTION public.format(text, name, name) RETURNS text LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'run by %', current_user;
        END $$;
        ALTER DATABASE {database} SET search_path = public, pg_catalog;
    """
    cleared = f"""
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
        toolbox.sql(role, database, cleared)
