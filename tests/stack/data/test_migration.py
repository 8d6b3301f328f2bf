"""An interrupted migration of MLflow's tables changes nothing, and the next one completes it."""

import subprocess
import sys
from contextlib import closing

import pytest

from tests.support.copies import ROOT, Copy
from tests.support.upgrades import (
    OLDER,
    OLDER_MLFLOW,
    TIMEOUT_SECONDS,
    check_contents,
    contents,
    dumps,
    log_all_kinds,
    revision,
    roll_back,
    use_mlflow,
)
from tests.support.waiting import until

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def oldest(tmp_path_factory):
    """A toolbox with the tables of the oldest of these versions, which the current MLflow has not migrated yet."""
    copy = Copy(tmp_path_factory.mktemp("oldest") / "data-toolbox")
    try:
        use_mlflow(copy, OLDER_MLFLOW / OLDER[-1])
        copy.succeed("build")
        copy.compose("up", "--detach", "--wait", "mlflow")
        log_all_kinds(copy)
        copy.old = revision(copy)
        use_mlflow(copy, ROOT / "ml-flow-docker")
        yield copy
    finally:
        copy.succeed("clean", "--yes")


@pytest.fixture
def old(oldest):
    """That toolbox, with its tables as the oldest MLflow created them."""
    if revision(oldest) != oldest.old:
        roll_back(oldest, dumps(oldest)[0])
    return oldest


@pytest.fixture
def new(oldest):
    """That toolbox, running and with migrated tables."""
    oldest.succeed("up")
    assert revision(oldest) != oldest.old
    return oldest


def start_task(copy, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "invoke", *arguments],
        cwd=copy.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# As a kernel reads in a transaction that it never ends.
HELD = "SELECT key FROM metrics LIMIT 1"


def test_a_blocked_migration_names_the_role_that_holds_the_lock_and_changes_nothing(old):
    before, _ = contents(old, "mlflow")
    kept = dumps(old)
    with closing(old.connect("analyst", "mlflow")) as connection:
        connection.cursor().execute(HELD)
        result = old.invoke("upgrade")
    assert result.returncode == 1
    line = result.stderr.splitlines()[-1]
    assert line.startswith("FAIL: MLflow's tables are in use, nothing was changed: ")
    assert ": role analyst holds a lock on metrics (process " in line
    assert revision(old) == old.old
    assert contents(old, "mlflow")[0] == before
    assert dumps(old) == kept


def test_a_blocked_migration_continues_once_the_lock_is_released(oldest):
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
        # Others can still read.
        assert oldest.sql("analyst", "mlflow", "SELECT count(*) FROM metrics")
    task.communicate(timeout=TIMEOUT_SECONDS)
    assert task.returncode == 0


# Stops the first change of the tables.
STALL = """
    CREATE FUNCTION public.stall() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); END';
    CREATE EVENT TRIGGER stall ON ddl_command_start WHEN TAG IN ('ALTER TABLE', 'CREATE TABLE') EXECUTE FUNCTION stall()
"""
STALLED = "FROM pg_stat_activity WHERE usename = 'mlflow' AND wait_event = 'PgSleep'"


def test_a_killed_migration_changes_nothing_and_can_be_repeated(old):
    before, columns = contents(old, "mlflow")
    old.sql("postgres", "mlflow", STALL)
    with start_task(old, "upgrade") as task:
        # The upgrade may first replace the container of postgres.
        psql = ("psql", "-qtA", "-d", "mlflow", "-c", f"SELECT 'is stalled' {STALLED}")
        check = ("docker", "compose", "exec", "--no-TTY", "postgres", *psql)
        try:
            # `docker exec` in a container that is being stopped writes its error to standard output.
            until(lambda: old.run(*check).stdout == "is stalled\n", "the migration changes a table", TIMEOUT_SECONDS)
            old.run("docker", "kill", f"{old.project}-migrate-1")
            _, stderr = task.communicate(timeout=TIMEOUT_SECONDS)
        finally:
            task.kill()
    old.sql("postgres", "mlflow", "DROP EVENT TRIGGER stall; DROP FUNCTION public.stall")
    old.sql("postgres", "mlflow", f"SELECT pg_terminate_backend(pid) {STALLED}")
    assert task.returncode == 1
    assert stderr.splitlines()[-1].startswith("FAIL: migrate ")
    assert revision(old) == old.old
    assert contents(old, "mlflow")[0] == before
    old.succeed("upgrade")
    assert revision(old) != old.old
    check_contents(old, before, columns)


def test_tables_of_a_newer_mlflow_are_refused_with_the_version_they_need(new):
    known = revision(new)
    note = "COMMENT ON TABLE alembic_version IS 'MLflow {}'"
    new.sql("mlflow", "mlflow", f"UPDATE alembic_version SET version_num = 'f00'; {note.format('9.9.9')}")
    try:
        result = new.invoke("up")
        without_invoke = new.run("docker", "compose", "up", "--detach", "--wait")
        log = new.compose("logs", "migrate")
    finally:
        new.sql("mlflow", "mlflow", f"UPDATE alembic_version SET version_num = '{known}'")
    assert result.returncode == 1
    assert "==9.9.9 in ml-flow-docker/requirements.in" in result.stderr.splitlines()[-1]
    assert without_invoke.returncode != 0
    assert "FAIL: the tables are from MLflow 9.9.9" in log
    new.succeed("up")


def test_a_migration_that_cannot_write_its_dump_changes_nothing(new, tmp_path):
    known = revision(new)
    previous = "UPDATE alembic_version SET version_num = '451aebb31d03'"
    new.sql("mlflow", "mlflow", previous)
    program = "import sys; sys.path[:0] = ['/opt/mlflow']; import migrate, os; from pathlib import Path; "
    program += "migrate.DUMPS = Path('/opt'); migrate.main(os.environ['MLFLOW_BACKEND_STORE_URI'])"
    try:
        result = new.run("docker", "compose", "run", "--rm", "--no-TTY", "migrate", "python", "-c", program)
        assert revision(new) == "451aebb31d03"
    finally:
        new.sql("mlflow", "mlflow", f"UPDATE alembic_version SET version_num = '{known}'")
    assert result.returncode == 1
    assert "FAIL: no dump could be written, so nothing was changed" in result.stderr
