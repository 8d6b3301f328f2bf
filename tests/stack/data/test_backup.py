"""A backup made while people work is restored into another toolbox, and killing either loses nothing."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.copies import ROOT, TOKEN_HEADER, Copy
from tests.support.waiting import is_healthy, until
from toolbox.compose import SERVICES
from toolbox.data import archive
from toolbox.inside import volume_files

pytestmark = pytest.mark.stack

SAVED = "/api/contents/backed-up.ipynb"
NOTEBOOK = {"cells": [], "metadata": {"made by": "the tests"}, "nbformat": 4, "nbformat_minor": 5}
# Ends the writer in the notebook container; outside the home.
END = "/tmp/end-of-writing"
SPARSE = "/home/jovyan/sparse.img"
RIGHTS = """
    SELECT datname, datdba::regrole, datacl FROM pg_database WHERE datname IN ('mlflow', 'datasets') ORDER BY 1;
    SELECT defaclrole::regrole, defaclobjtype, defaclacl FROM pg_default_acl ORDER BY 1, 2;
    SELECT oid::regclass, relowner::regrole, relacl FROM pg_class WHERE relnamespace = 'public'::regnamespace
        AND relkind IN ('r', 'S') ORDER BY oid::regclass::text;
"""


def interrupt(copy, *arguments, when, number=signal.SIGKILL):
    """Run a task in a copy and send it a signal once `when()` holds; fail if it has ended before."""
    command = [sys.executable, "-m", "invoke", *arguments]
    with subprocess.Popen(command, cwd=copy.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            until(when, "the task is at work")
            assert process.poll() is None, process.stdout.read().decode()
        finally:
            process.send_signal(number)
            process.wait()
    assert process.returncode != 0
    # Its one-off containers must end too.
    labels = [f"label=com.docker.compose.{label}" for label in (f"project={copy.project}", "oneoff=True")]
    oneoff = ("docker", "ps", "--quiet", "--filter", labels[0], "--filter", labels[1])
    until(lambda: copy.run(*oneoff).stdout == "", "its containers have ended")


def query(copy, database, sql):
    """Return the output of psql for SQL as the superuser, without headers."""
    client = ("psql", "-qtAX", "-v", "ON_ERROR_STOP=1", "-d", database)
    return copy.compose("exec", "--no-TTY", "postgres", *client, stdin=sql).strip()


def with_manifest(path, target, change, others=None):
    """Copy an archive with a changed manifest, and `others` as replaced members; return the path of the copy."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as written:
        manifest = json.loads(source.read(archive.MANIFEST))
        change(manifest)
        for name in archive.MEMBERS:
            written.writestr(name, (others or {}).get(name) or source.read(name))
        written.writestr(archive.MANIFEST, json.dumps(manifest))
    return target


def with_dumps(path, target, change, **dumps):
    """Copy an archive with other dumps of databases and a changed manifest; return the path of the copy."""
    compressed = {f"{name}.dump.zst": archive.zstd.compress(dump) for name, dump in dumps.items()}

    def change_all(manifest):
        change(manifest)
        for name, dump in dumps.items():
            member = compressed[f"{name}.dump.zst"]
            entry = {"size": len(member), "sha256": hashlib.sha256(member).hexdigest(), "unpacked": len(dump)}
            manifest["members"][f"{name}.dump.zst"] = entry

    return with_manifest(path, target, change_all, compressed)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A new toolbox, the source of the backup."""
    copy = Copy(tmp_path_factory.mktemp("first") / "data-toolbox")
    try:
        copy.succeed("up")
        yield copy
    finally:
        copy.succeed("clean", "--yes")


@pytest.fixture(scope="module")
def backup(first):
    """A backup made while a writer logged: its path, manifest, what was logged before, and the writer's steps."""
    body = {"type": "notebook", "content": NOTEBOOK}
    status, _ = first.request("PUT", "notebook", SAVED, body=body, **TOKEN_HEADER)
    assert status == 201
    logged = first.in_notebook("train.py")
    first.in_notebook("own_tables.py")
    first.compose("exec", "--no-TTY", "notebook", "truncate", "--size", "2T", SPARSE)
    with ThreadPoolExecutor() as pool:
        writer = pool.submit(first.in_notebook, "log_steps.py", END)
        try:
            steps_logged = "SELECT count(*) FROM metrics WHERE key = 'step'"
            until(lambda: int(query(first, "mlflow", steps_logged)) > 10, "the writer writes")
            printed = first.succeed("backup")
        finally:
            first.compose("exec", "--no-TTY", "notebook", "touch", END)
            first.compose("exec", "--no-TTY", "notebook", "rm", SPARSE)
        steps = writer.result()
    [path] = (first.root / "backups").iterdir()
    assert printed.startswith(str(path))
    with archive.Archive(path) as opened:
        opened.check()
        return path, opened.manifest, logged, steps


@pytest.fixture(scope="module")
def restored(tmp_path_factory, backup):
    """Another new toolbox, into which the backup was restored."""
    copy = Copy(tmp_path_factory.mktemp("second") / "data-toolbox")
    try:
        # Without `up`: restore starts what it needs.
        copy.printed = copy.succeed("restore", str(backup[0]))
        copy.differs = False
        yield copy
    finally:
        copy.succeed("clean", "--yes")
    assert copy.remains() == []


@pytest.fixture
def second(restored, backup):
    """The restored toolbox, with the data of the backup."""
    if restored.differs:
        restored.succeed("restore", "--yes", str(backup[0]))
        restored.differs = False
    return restored


@pytest.fixture
def changed(restored, backup):
    """The restored toolbox, with a changed tag, which shows whether a restore took effect."""
    change = f"UPDATE tags SET value = 'changed' WHERE key = 'team' AND run_uuid = '{backup[2]['run_id']}' RETURNING 1"
    if not query(restored, "mlflow", change):
        restored.succeed("restore", "--yes", str(backup[0]))
        assert query(restored, "mlflow", change)
    restored.differs = True
    return restored


def check_restored(copy, logged):
    """Check that the toolbox works, and has the data of the training run."""
    assert is_healthy(copy, *SERVICES)
    found = copy.in_notebook("read_sql.py", logged["run_id"])
    assert found["losses"] == [[step, loss] for step, loss in enumerate(logged["losses"])]
    _, blob = copy.get("mlflow", f"/get-artifact?path=blob.bin&run_uuid={logged['run_id']}")
    assert hashlib.sha256(blob).hexdigest() == logged["blob_sha256"]


def remains_of_restores(copy):
    """Return the databases and folders that restores have left behind."""
    left = query(copy, "postgres", "SELECT datname FROM pg_database WHERE datname ~ '_(restored|replaced)$'").split()
    for service, folder in (("mlflow", "/mlflow/artifacts"), ("notebook", "/home/jovyan")):
        left += [
            name
            for name in copy.compose("exec", "--no-TTY", service, "ls", "-A", folder).split()
            if name == volume_files.STAGING
        ]
    return left


# --- What is restored ---


def test_a_restored_toolbox_has_every_step_of_the_run(second, backup):
    _, _, logged, _ = backup
    check_restored(second, logged)


def test_a_restored_model_makes_the_same_predictions(second, backup):
    _, _, logged, _ = backup
    assert second.in_notebook("predict.py", stdin=json.dumps(logged["test_x"])) == logged["predictions"]


def test_a_restored_toolbox_has_the_notebook_file(second):
    status, answer = second.get("notebook", SAVED, **TOKEN_HEADER)
    assert status == 200
    assert json.loads(answer)["content"]["metadata"]["made by"] == "the tests"


def test_a_sparse_file_of_2_tb_is_restored_and_takes_no_space(second):
    printed = second.compose("exec", "--no-TTY", "notebook", "stat", "--format", "%s %b", SPARSE)
    size, blocks = map(int, printed.split())
    assert (size, blocks < 100) == (2 << 40, True)


def test_the_users_own_tables_are_restored(second):
    assert query(second, "datasets", "SELECT name, value FROM mine ORDER BY value") == "é|1.5\nb|2.5"


def test_the_counts_in_the_manifest_are_those_of_the_restored_tables(second, backup):
    _, manifest, _, _ = backup
    assert manifest["rows"]["mlflow"]["public.runs"] == 2
    for database, tables in manifest["rows"].items():
        counts = "".join(f"SELECT count(*) FROM {table};" for table in tables)
        assert query(second, database, counts).split() == [str(count) for count in tables.values()]


def test_restore_prints_the_counts_of_the_backup_next_to_those_restored(second, backup):
    _, manifest, _, _ = backup
    # After the output of the start.
    rows = {line.split()[0]: line for line in second.printed.splitlines() if line}
    assert rows["mlflow"].count(f"{sum(manifest['rows']['mlflow'].values())} rows") == 2
    assert rows["artifacts"].count(f"{manifest['members']['artifacts.tar.zst']['files']} files") == 2


def test_everything_that_a_writer_logged_before_the_snapshot_is_restored_with_its_files(second, backup):
    steps = query(second, "mlflow", "SELECT step FROM metrics WHERE key = 'step' ORDER BY step").split()
    assert [int(step) for step in steps] == list(range(len(steps)))
    assert 10 < len(steps) < backup[3]
    [uri] = query(second, "mlflow", "SELECT artifact_uri FROM runs WHERE experiment_id <> 1").split()
    folder = uri.replace("mlflow-artifacts:", "/mlflow/artifacts")
    files = second.compose("exec", "--no-TTY", "mlflow", "ls", folder).split()
    # The file of the last step may have been in transit.
    assert {f"{step}.txt" for step in steps[:-1]} <= set(files)


def test_a_restore_keeps_owners_and_privileges(first, second):
    for database in ("mlflow", "datasets"):
        rights = query(second, database, RIGHTS)
        assert "analyst=r/mlflow" in rights or database == "datasets"
        assert rights == query(first, database, RIGHTS)


@pytest.mark.parametrize(
    ("role", "database", "sql"),
    [
        ("analyst", "mlflow", "DELETE FROM runs"),
        ("analyst", "mlflow", "CREATE TABLE mine ()"),
        ("analyst", "mlflow", "CREATE TEMP TABLE mine ()"),
        ("mlflow", "datasets", "SELECT 1"),
        ("mlflow", "postgres", "SELECT 1"),
    ],
)
def test_a_restore_gives_no_role_more_privileges(second, role, database, sql):
    result = second.invoke("psql", "--role", role, "--database", database, "--command", sql)
    assert result.returncode != 0
    assert "permission denied" in result.stderr


def test_after_a_restore_the_analyst_can_read_tables_that_mlflow_creates_later(second):
    second.psql("mlflow", "mlflow", "CREATE TABLE later AS SELECT 42 AS answer")
    assert "42" in second.psql("analyst", "mlflow", "SELECT answer FROM later")
    second.psql("mlflow", "mlflow", "DROP TABLE later")


def test_restored_files_belong_to_the_users_of_their_services(second):
    owners = {"mlflow": ("/mlflow/artifacts", "10001"), "notebook": ("/home/jovyan", "1000")}
    for service, (folder, owner) in owners.items():
        printed = second.compose("exec", "--no-TTY", service, "find", folder, "-printf", "%U\\n")
        assert set(printed.split()) == {owner}


# --- The list of backups ---


def test_backups_lists_the_newest_first_and_keeps_only_as_many_as_requested(second, backup):
    folder = second.root / "backups"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "notes.zip").write_text("mine")
    for day in ("2026-01-02", "2026-01-03"):
        with_manifest(
            backup[0], folder / f"{day}.zip", lambda manifest, day=day: manifest.update(date=f"{day}T00:00:00Z")
        )
    assert [line.split()[0] for line in second.succeed("backups").splitlines()[1:]] == ["2026-01-03", "2026-01-02"]
    second.succeed("backups", "--keep", "1")
    assert sorted(path.name for path in folder.iterdir()) == ["2026-01-03.zip", "notes.zip"]
    shutil.rmtree(folder)


# --- Restoring over data, and interruptions ---


def test_restore_over_data_changes_nothing_without_yes(second, backup):
    runs = query(second, "mlflow", "SELECT count(*) FROM runs")
    before = [second.container(service) for service in SERVICES]
    result = second.invoke("restore", str(backup[0]))
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith(f"FAIL: {second.project} has data, and nothing was changed: add")
    assert query(second, "mlflow", "SELECT count(*) FROM runs") == runs
    assert [second.container(service) for service in SERVICES] == before
    assert remains_of_restores(second) == []


def test_a_backup_of_a_newer_mlflow_is_refused(second, backup, tmp_path):
    newer = {"schema": "f00", "mlflow": "9.9.9"}
    path = with_manifest(backup[0], tmp_path / "newer.zip", lambda manifest: manifest.update(newer))
    result = second.invoke("restore", "--yes", str(path))
    assert result.returncode == 1
    assert f"set mlflow=={newer['mlflow']} in" in result.stderr.splitlines()[-1]


def test_a_restore_with_other_row_counts_than_the_manifest_changes_nothing(second, backup, tmp_path):
    def change(manifest):
        manifest["rows"]["datasets"]["public.mine"] += 1

    path = with_manifest(backup[0], tmp_path / "other.zip", change)
    result = second.invoke("restore", "--yes", str(path))
    assert result.returncode == 1
    assert "datasets has 1 tables, 2 rows, but 1 tables, 3 rows in the manifest" in result.stderr.splitlines()[-1]
    check_restored(second, backup[2])
    assert remains_of_restores(second) == []


def test_a_killed_backup_leaves_no_file_that_looks_complete(second, tmp_path):
    path = tmp_path / "killed.zip"
    interrupt(second, "backup", "--to", str(path), when=path.with_name("killed.zip.part").exists)
    assert not path.exists()
    second.succeed("backup", "--to", str(path))
    assert [file.name for file in tmp_path.iterdir()] == ["killed.zip"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_terminated_backup_leaves_no_file(second, tmp_path, number):
    path = tmp_path / "ended.zip"
    interrupt(second, "backup", "--to", str(path), when=path.with_name("ended.zip.part").exists, number=number)
    assert list(tmp_path.iterdir()) == []


def test_mlflow_can_write_after_a_restore(changed):
    headers = {"Content_Type": "application/json"}
    route = "/api/2.0/mlflow/experiments/create"
    status, answer = changed.request("POST", "mlflow", route, body={"name": "later"}, **headers)
    assert status == 200, answer


def has_database(copy, name):
    return name in query(copy, "postgres", "SELECT datname FROM pg_database").split()


def is_stopped(copy):
    state = copy.run("docker", "inspect", "--format", "{{.State.Status}}", f"{copy.project}-mlflow-1").stdout
    return state.strip() == "exited"


def has_unpacked(copy):
    listing = copy.run("docker", "exec", f"{copy.project}-mlflow-1", "ls", "-A", "/mlflow/artifacts").stdout
    return volume_files.STAGING in listing.split()


@pytest.mark.parametrize(
    "reached",
    [lambda copy: has_database(copy, "datasets_restored"), has_unpacked],
    ids=["databases", "files"],
)
def test_a_restore_killed_before_the_swap_leaves_a_working_toolbox(changed, backup, reached):
    interrupt(changed, "restore", "--yes", str(backup[0]), when=lambda: reached(changed))
    check_restored(changed, backup[2])
    assert changed.in_notebook("read_sql.py", backup[2]["run_id"])["team"] == "changed"


def test_up_rolls_back_a_restore_killed_during_the_swap(changed, backup):
    interrupt(changed, "restore", "--yes", str(backup[0]), when=lambda: is_stopped(changed))
    changed.succeed("up")
    check_restored(changed, backup[2])
    assert changed.in_notebook("read_sql.py", backup[2]["run_id"])["team"] == "changed"
    assert remains_of_restores(changed) == []


def swaps_the_home(copy):
    """Return whether a restore has swapped the artifacts, and is about to swap the home."""
    labels = [f"project={copy.project}", "oneoff=True", "service=notebook"]
    filters = [part for label in labels for part in ("--filter", f"label=com.docker.compose.{label}")]
    return is_stopped(copy) and copy.run("docker", "ps", "--quiet", *filters).stdout != ""


def test_after_a_restore_killed_during_the_swap_nothing_is_served_until_up(changed, backup):
    interrupt(changed, "restore", "--yes", str(backup[0]), when=lambda: swaps_the_home(changed))
    with subprocess.Popen(["docker", "compose", "up", "--detach"], cwd=changed.root, stderr=subprocess.PIPE) as plain:
        try:
            waiting = 'Waiting for "invoke up": it reverts a restore'
            until(lambda: waiting in changed.compose("logs", "mlflow"), "mlflow waits")
        finally:
            plain.terminate()
    assert not is_stopped(changed)
    assert changed.inspect("notebook")["State"]["Status"] == "exited"
    with pytest.raises(OSError, match=r"reset|refused|closed"):
        changed.get("mlflow", "/health")
    changed.succeed("up")
    check_restored(changed, backup[2])
    assert changed.in_notebook("read_sql.py", backup[2]["run_id"])["team"] == "changed"
    assert remains_of_restores(changed) == []


def test_up_completes_a_restore_killed_after_the_swap(changed, backup):
    interrupt(changed, "restore", "--yes", str(backup[0]), when=lambda: has_database(changed, "mlflow_replaced"))
    changed.succeed("up")
    check_restored(changed, backup[2])
    assert changed.in_notebook("read_sql.py", backup[2]["run_id"])["team"] == "données"
    assert remains_of_restores(changed) == []


def test_a_restore_migrates_the_tables_of_an_older_mlflow(changed, backup, tmp_path):
    query(changed, "postgres", "DROP DATABASE IF EXISTS older; CREATE DATABASE older OWNER mlflow")
    program = (ROOT / "tests" / "inside" / "older_tables.py").read_text()
    schema = changed.compose("exec", "--no-TTY", "mlflow", "python", "-c", program, "postgres/older").split()[-1]
    columns = "(name, artifact_location, lifecycle_stage, creation_time, last_update_time)"
    values = "('from the past', 'mlflow-artifacts:/7', 'active', 1, 1)"
    query(changed, "older", f"INSERT INTO experiments {columns} VALUES {values}")
    command = ["docker", "exec", f"{changed.project}-postgres-1", "pg_dump", "-Fc", "-Z0", "older"]
    dump = subprocess.run(command, capture_output=True, check=True).stdout
    tables = query(changed, "older", "SELECT 'public.' || tablename FROM pg_tables WHERE schemaname = 'public'").split()
    counts = query(changed, "older", "".join(f"SELECT count(*) FROM {table};" for table in tables)).split()
    query(changed, "postgres", "DROP DATABASE older")

    def change(manifest):
        manifest.update(schema=schema, mlflow="2.0.0")
        manifest["rows"]["mlflow"] = dict(zip(tables, map(int, counts), strict=True))

    path = with_dumps(backup[0], tmp_path / "older.zip", change, mlflow=dump)
    changed.succeed("restore", "--yes", str(path))
    assert query(changed, "mlflow", "SELECT version_num FROM alembic_version") == backup[1]["schema"] != schema
    _, answer = changed.get("mlflow", "/api/2.0/mlflow/experiments/get-by-name?experiment_name=from%20the%20past")
    assert json.loads(answer)["experiment"]["lifecycle_stage"] == "active"
    assert remains_of_restores(changed) == []
    # The analyst can also read tables that the migration has created.
    assert "count" in changed.psql("analyst", "mlflow", "SELECT count(*) FROM logged_models")


@pytest.fixture
def older_postgres(changed):
    """A Postgres 15 without passwords, with the host name `older` in the network of `changed`: a function that runs one
    of its client programs and returns the output as bytes.
    """
    image, name = changed.older_postgres(15), f"{changed.project}-older"
    shell = """
        initdb --pgdata /tmp/data --username postgres --auth trust
        echo host all all all trust >>/tmp/data/pg_hba.conf
        exec postgres -D /tmp/data -c listen_addresses=* -k /tmp
    """
    network = ("--network", f"{changed.project}_default", "--network-alias", "older")
    as_postgres = ("--user", "postgres", "--entrypoint", "sh")
    run = ("docker", "run", "--detach", "--rm", "--name", name, *network, *as_postgres, image, "-c", shell)
    assert changed.run(*run).returncode == 0

    def client(program, *arguments, stdin=""):
        command = ["docker", "exec", "--interactive", name, program, "-h", "127.0.0.1", "-U", "postgres", *arguments]
        return subprocess.run(command, input=stdin.encode(), capture_output=True, check=False).stdout

    try:
        until(lambda: client("psql", "-qtAXc", "SELECT 1"), "the older Postgres answers")
        yield client
    finally:
        changed.run("docker", "rm", "--force", "--volumes", name)


def test_a_backup_of_an_older_postgres_and_an_older_mlflow_is_restored(changed, backup, older_postgres, tmp_path):
    roles = "CREATE ROLE mlflow LOGIN; CREATE ROLE analyst LOGIN;"
    databases = "CREATE DATABASE mlflow OWNER mlflow; CREATE DATABASE datasets OWNER analyst;"
    older_postgres("psql", "-q", stdin=roles + databases)
    program = (ROOT / "tests" / "inside" / "older_tables.py").read_text()
    schema = changed.compose("exec", "--no-TTY", "mlflow", "python", "-c", program, "older/mlflow").split()[-1]
    own = """
        SET ROLE analyst;
        CREATE TABLE own (number serial PRIMARY KEY, word text COLLATE "C" UNIQUE, at timestamptz, more jsonb);
        INSERT INTO own (word, at, more) VALUES ('é', '2020-02-29 12:00+00', '{"a": [1, null]}'), (NULL, NULL, NULL);
        CREATE VIEW words AS SELECT word FROM own;
    """
    older_postgres("psql", "-q", "datasets", stdin=own)
    version = older_postgres("psql", "-qtAXc", "SHOW server_version").decode().split()[0]
    assert version.startswith("15.")
    tables = older_postgres(
        "psql", "-qtAX", "mlflow", "-c", "SELECT 'public.' || tablename FROM pg_tables WHERE schemaname = 'public'"
    )
    tables = tables.decode().split()
    counts = older_postgres(
        "psql", "-qtAX", "mlflow", stdin="".join(f"SELECT count(*) FROM {name};" for name in tables)
    )

    def change(manifest):
        manifest.update(schema=schema, mlflow="2.0.0", postgres=version)
        manifest["rows"]["mlflow"] = dict(zip(tables, map(int, counts.split()), strict=True))
        manifest["rows"]["datasets"] = {"public.own": 2}

    dumps = {name: older_postgres("pg_dump", "-Fc", "-Z0", name) for name in ("mlflow", "datasets")}
    path = with_dumps(backup[0], tmp_path / "older.zip", change, **dumps)
    changed.succeed("restore", "--yes", str(path))
    assert query(changed, "mlflow", "SELECT version_num FROM alembic_version") == backup[1]["schema"] != schema
    rows = changed.sql("analyst", "datasets", "SELECT number, word, at::date::text, more FROM own ORDER BY number")
    assert rows == [(1, "é", "2020-02-29", {"a": [1, None]}), (2, None, None, None)]
    # The sequence continues, and the privileges are those of this toolbox.
    changed.sql("analyst", "datasets", "INSERT INTO own (word) SELECT word || word FROM words WHERE word IS NOT NULL")
    assert changed.sql("analyst", "datasets", "SELECT max(number) FROM own") == [(3,)]
    assert changed.sql("analyst", "mlflow", "SELECT count(*) FROM runs") == [(0,)]
    assert query(changed, "mlflow", "SELECT has_table_privilege('analyst', 'runs', 'DELETE')") == "f"


def test_only_its_owner_can_read_a_backup(backup):
    assert os.stat(backup[0]).st_mode & 0o777 == 0o600
    assert os.stat(backup[0].parent).st_mode & 0o777 == 0o700
