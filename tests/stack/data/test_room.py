"""A backup or restore that fills a disk fails with one line, and changes nothing."""

import os
import shlex
import sys

import pytest

from tests.support.copies import Copy
from toolbox.compose import SERVICES

pytestmark = pytest.mark.stack

# Volumes in memory. That of the artifacts has few inodes; a test fills that of the databases.
SMALL = """
volumes:
  artifact-store:
    driver_opts: {type: tmpfs, device: tmpfs, o: "size=64m,nr_inodes=1500,uid=10001,mode=0755"}
  db-store:
    driver_opts: {type: tmpfs, device: tmpfs, o: "size=300m,uid=70,gid=70,mode=0700"}
"""
FILES = 1000
# In MB: enough for the reserve and the estimated size of the dump, but not for its indexes.
FREE = 84
FILL = """
rm -f "$PGDATA/filler"
free=$(df -Pk "$PGDATA" | awk 'END { print int($4 / 1024) }')
head -c $((free - $1))M /dev/zero >"$PGDATA/filler"
"""
INDEXES = "".join(f"CREATE INDEX ON mine (value, ({number} + value));" for number in range(20))


@pytest.fixture(scope="module")
def cramped(tmp_path_factory):
    """A toolbox with small volumes, which exist in memory as long as a container mounts them."""
    copy = Copy(tmp_path_factory.mktemp("cramped") / "data-toolbox")
    (copy.root / "docker-compose.override.yml").write_text(SMALL)
    holder = f"{copy.project}-holder"
    volumes = [f"--volume={copy.project}_{name}:/held/{name}" for name in ("artifact-store", "db-store")]
    try:
        copy.succeed("up")
        held = copy.run(
            *("docker", "run", "--detach", "--rm", "--name", holder, *volumes),
            *("--entrypoint", "sleep", f"{copy.project}-postgres", "infinity"),
        )
        assert held.returncode == 0, held.stderr
        yield copy
    finally:
        copy.run("docker", "rm", "--force", "--volumes", holder)
        copy.succeed("clean", "--yes")
    assert copy.remains() == []


@pytest.fixture
def backup(cramped, tmp_path):
    """A backup of the toolbox."""
    cramped.succeed("backup", "--to", str(tmp_path / "box.zip"))
    return tmp_path / "box.zip"


def inside(copy, service, command, *arguments):
    """Run a shell script in the container of a service; return its output."""
    return copy.compose("exec", "--no-TTY", service, "sh", "-c", command, "sh", *arguments)


def state(copy):
    """Return everything that a failed restore must not change: databases, rows, files, containers and their health."""
    databases = copy.sql("postgres", "postgres", "SELECT datname FROM pg_database ORDER BY datname")
    rows = copy.sql("analyst", "datasets", "SELECT count(*), sum(value) FROM mine")
    files = inside(copy, "mlflow", "find /mlflow/artifacts | sort")
    home = inside(copy, "notebook", "find /home/jovyan -maxdepth 1 | sort")
    return databases, rows, files, home, [(copy.container(name), copy.health(name)[0]) for name in SERVICES]


def failed_restore(copy, path):
    """Try to restore a backup, and check that this fails and changes nothing; return the error."""
    before = state(copy)
    result = copy.invoke("restore", "--yes", str(path))
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1, result.stderr
    assert state(copy) == before
    assert [health for _, health in before[-1]] == ["healthy"] * len(SERVICES)
    return result.stderr


@pytest.fixture
def table(cramped):
    """A user's table, whose indexes are many times as large as its dump."""
    cramped.sql("analyst", "datasets", "CREATE TABLE mine AS SELECT generate_series(1, 100000) AS value")
    yield
    cramped.sql("analyst", "datasets", "DROP TABLE mine")


@pytest.fixture
def files(cramped):
    """Files that fit twice by size, but not by number."""
    inside(cramped, "mlflow", f"cd /mlflow/artifacts && for i in $(seq {FILES}); do echo $i >$i.txt; done")
    yield
    inside(cramped, "mlflow", "rm /mlflow/artifacts/*.txt")


def test_a_restore_that_fills_the_artifacts_changes_nothing(cramped, table, files, backup):
    inside(cramped, "mlflow", "rm /mlflow/artifacts/1.txt")
    line = failed_restore(cramped, backup)
    assert line.startswith("FAIL: the files of mlflow cannot be changed: make room")
    assert "No space left on device" in line
    inside(cramped, "mlflow", "rm /mlflow/artifacts/*.txt")
    cramped.succeed("restore", "--yes", str(backup))
    assert inside(cramped, "mlflow", "cat /mlflow/artifacts/1.txt") == "1\n"


@pytest.mark.parametrize("recycles", ["on", "off"], ids=["its tables", "its log too"])
def test_a_restore_that_fills_the_database_changes_nothing(cramped, table, tmp_path, recycles):
    cramped.sql("analyst", "datasets", INDEXES)
    path = tmp_path / "box.zip"
    cramped.succeed("backup", "--to", str(path))
    cramped.sql("analyst", "datasets", "DROP TABLE mine; CREATE TABLE mine AS SELECT 42 AS value")
    # Without recycled WAL segments, Postgres cannot even log the failure, and crashes.
    for statement in (f"ALTER SYSTEM SET wal_recycle = {recycles}", "SELECT pg_reload_conf()", "CHECKPOINT"):
        cramped.sql("postgres", "postgres", statement)
    inside(cramped, "postgres", FILL, str(FREE))
    try:
        line = failed_restore(cramped, path)
        assert line.startswith("FAIL: the database datasets cannot be restored: make room")
    finally:
        inside(cramped, "postgres", 'rm "$PGDATA/filler"')
    cramped.succeed("restore", "--yes", str(path))
    assert cramped.sql("analyst", "datasets", "SELECT count(*) FROM mine") == [(100000,)]


def test_a_restore_that_probably_does_not_fit_is_refused_before_it_begins(cramped, table, backup):
    inside(cramped, "postgres", FILL, "10")
    try:
        assert "are free: make room on the disk of Docker's volumes" in failed_restore(cramped, backup)
    finally:
        inside(cramped, "postgres", 'rm "$PGDATA/filler"')


def test_a_backup_that_fills_the_disk_leaves_no_file(cramped, tmp_path):
    inside(cramped, "mlflow", "head -c 2M /dev/urandom >/mlflow/artifacts/model.bin")
    # Users other than root can mount a folder in a user namespace.
    unshare = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    task = shlex.join([sys.executable, "-m", "invoke", "backup", "--to", str(tmp_path / "box.zip")])
    shell = f'mount -t tmpfs -o size=1m none "$1"; {task}; code=$?; ls -A "$1"; exit $code'
    result = cramped.run(*unshare, "sh", "-c", shell, "sh", str(tmp_path))
    assert result.returncode == 1
    assert result.stderr == (
        f"FAIL: {tmp_path}/box.zip cannot be written (No space left on device): give another place with --to.\n"
    )
    assert result.stdout == ""
