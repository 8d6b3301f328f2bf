"""Whatever breaks the migration of MLflow's tables off changes nothing, and the next one takes all over."""

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
    """A toolbox with the tables of the oldest of these versions, which the present MLflow has not seen yet."""
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
    """That toolbox, with its tables as the oldest MLflow made them."""
    if revision(oldest) != oldest.old:
        roll_back(oldest, dumps(oldest)[0])
    return oldest


@pytest.fixture
def new(oldest):
    """That toolbox, with its tables as the present MLflow has them, and running."""
    oldest.succeed("up")
    assert revision(oldest) != oldest.old
    return oldest


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


def test_a_migration_that_is_kept_waiting_names_who_does_it_and_has_changed_nothing(old):
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
    task.communicate(timeout=TIMEOUT_SECONDS)
    assert task.returncode == 0


# What the first change of the tables meets.
STALL = """
    CREATE FUNCTION public.stall() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); END';
    CREATE EVENT TRIGGER stall ON ddl_command_start WHEN TAG IN ('ALTER TABLE', 'CREATE TABLE') EXECUTE FUNCTION stall()
"""
STALLED = "FROM pg_stat_activity WHERE usename = 'mlflow' AND wait_event = 'PgSleep'"


def test_a_migration_that_is_killed_has_changed_nothing_and_is_begun_again(old):
    before, columns = contents(old, "mlflow")
    old.sql("postgres", "mlflow", STALL)
    with in_background(old, "upgrade") as task:
        # The upgrade may begin with another container of postgres.
        psql = ("psql", "-qtA", "-d", "mlflow", "-c", f"SELECT 'is stalled' {STALLED}")
        asked = ("docker", "compose", "exec", "--no-TTY", "postgres", *psql)
        until(lambda: old.run(*asked).stdout, "the migration changes a table", TIMEOUT_SECONDS)
        old.run("docker", "kill", f"{old.project}-migrate-1")
        _, said = task.communicate(timeout=TIMEOUT_SECONDS)
    old.sql("postgres", "mlflow", "DROP EVENT TRIGGER stall; DROP FUNCTION public.stall")
    old.sql("postgres", "mlflow", f"SELECT pg_terminate_backend(pid) {STALLED}")
    assert task.returncode == 1
    assert said.splitlines()[-1].startswith("FAIL: migrate ")
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
        alone = new.run("docker", "compose", "up", "--detach", "--wait")
        log = new.compose("logs", "migrate")
    finally:
        new.sql("mlflow", "mlflow", f"UPDATE alembic_version SET version_num = '{known}'")
    assert result.returncode == 1
    assert "==9.9.9 in ml-flow-docker/requirements.in" in result.stderr.splitlines()[-1]
    assert alone.returncode != 0
    assert "FAIL: the tables are from MLflow 9.9.9" in log
    new.succeed("up")


def test_where_no_dump_can_be_made_nothing_is_changed(new, tmp_path):
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
    assert "FAIL: no dump could be made, so nothing was changed" in result.stderr
