"""An upgrade copies the databases of an older Postgres to a new volume, and uses the old one until it is complete."""

import subprocess
import sys

import pytest

from tests.support.copies import Copy, free_ports
from tests.support.layers import postgres_settings
from tests.support.upgrades import TIMEOUT_SECONDS, check_artifacts, contents, log_all_kinds
from tests.support.waiting import until

pytestmark = pytest.mark.stack

OLD = 15
REFUSED = f'the volume has a database of Postgres {OLD}, and this is Postgres 17: run "invoke upgrade"'


@pytest.fixture(scope="module")
def installed(toolbox, tmp_path_factory):
    """A stopped toolbox with data, whose databases were created by an older Postgres."""
    copy = Copy(tmp_path_factory.mktemp("old") / "data-toolbox")
    dockerfile = copy.root / "postgres-docker" / "Dockerfile"
    text = dockerfile.read_text()
    copy.old_base = toolbox.older_postgres(OLD)
    try:
        # The older version lacks this locale provider.
        dockerfile.write_text(text.replace(" --locale-provider=builtin --builtin-locale=C.UTF-8", ""))
        copy.set(POSTGRES_BASE_IMAGE=copy.old_base)
        copy.succeed("up")
        copy.logged = log_all_kinds(copy)
        copy.sql(
            "analyst",
            "datasets",
            "CREATE TABLE mine AS SELECT n, 'données ' || n AS text FROM generate_series(1, 999) n",
        )
        copy.sql("analyst", "datasets", "CREATE VIEW seen AS SELECT count(*) FROM mine")
        copy.sql("postgres", "postgres", "CREATE DATABASE other")
        copy.before = {name: contents(copy, name)[0] for name in ("mlflow", "datasets")}
        assert copy.sql("analyst", "mlflow", "SHOW server_version_num")[0][0].startswith(f"{OLD}")
        copy.succeed("down")
        dockerfile.write_text(text)
        copy.set(POSTGRES_BASE_IMAGE=toolbox.base("postgres"))
        copy.settings = copy.env.read_bytes()
        yield copy
    finally:
        copy.succeed("clean", "--yes")
    assert copy.remains() == []


@pytest.fixture
def old(installed):
    """That toolbox with its old volume, which an upgrade keeps."""
    if installed.env.read_bytes() != installed.settings:
        installed.succeed("down")
        installed.env.write_bytes(installed.settings)
    installed.initial_volumes = volumes(installed)
    return installed


def volumes(copy):
    return copy.run("docker", "volume", "ls", "--quiet", "--filter", f"name={copy.project}_db-store").stdout.split()


def test_up_refuses_a_volume_of_an_older_postgres_and_names_the_remedy(old):
    result = old.invoke("up")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith(f"FAIL: {REFUSED}")


def test_compose_alone_refuses_a_volume_of_an_older_postgres_once_without_restarts(old):
    old.run("docker", "compose", "up", "--detach", "postgres")
    until(lambda: REFUSED in old.compose("logs", "postgres"), "the volume is refused")
    assert old.run("docker", "compose", "up", "--wait").returncode != 0
    assert old.inspect("postgres")["RestartCount"] == 0
    old.compose("stop", "--timeout", "20", "postgres")
    assert old.inspect("postgres")["State"]["ExitCode"] == 1


def reads_the_old_volume(copy):
    label = '{{.Label "org.opencontainers.image.base.name"}}'
    running = copy.run("docker", "ps", "--filter", f"name={copy.project}-postgres", "--format", label).stdout
    return running.strip() == copy.old_base


def fills_a_new_volume(copy):
    return len(volumes(copy)) > len(copy.initial_volumes)


@pytest.mark.parametrize("reached", [reads_the_old_volume, fills_a_new_volume], ids=lambda reached: reached.__name__)
def test_a_killed_upgrade_of_postgres_leaves_the_old_volume_in_use(old, reached):
    command = [sys.executable, "-m", "invoke", "upgrade"]
    with subprocess.Popen(command, cwd=old.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as task:
        until(lambda: reached(old), "the upgrade has begun", TIMEOUT_SECONDS)
        task.kill()
    result = old.invoke("up")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith(f"FAIL: {REFUSED}")
    assert "\nDB_STORE=" not in old.env.read_text()


def test_a_terminated_upgrade_of_postgres_leaves_no_new_volume(old):
    command = [sys.executable, "-m", "invoke", "upgrade"]
    with subprocess.Popen(command, cwd=old.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as task:
        until(lambda: fills_a_new_volume(old), "the upgrade has begun", TIMEOUT_SECONDS)
        task.terminate()
    assert task.returncode != 0
    assert volumes(old) == old.initial_volumes
    assert "\nDB_STORE=" not in old.env.read_text()


def test_an_upgrade_without_the_old_base_image_changes_nothing(old):
    [port] = free_ports(1)
    result = old.invoke("upgrade", "--old-base", f"localhost:{port}/postgres:{OLD}")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith(
        f"FAIL: the base image localhost:{port}/postgres:{OLD} of postgres"
    )
    assert "--old-base" in result.stderr.splitlines()[-1]
    assert "\nDB_STORE=" not in old.env.read_text()


def test_an_upgrade_of_postgres_copies_everything_and_keeps_the_old_volume(old):
    printed = old.succeed("upgrade")
    assert "the databases other" in printed
    assert f'"docker volume rm {old.project}_db-store"' in printed
    assert f"{old.project}_db-store" in volumes(old)
    assert old.sql("analyst", "mlflow", "SHOW server_version_num")[0][0].startswith("17")
    assert {name: contents(old, name)[0] for name in ("mlflow", "datasets")} == old.before
    assert old.sql("analyst", "datasets", "SELECT * FROM seen") == [(999,)]
    check_artifacts(old, old.logged)
    # The settings of the image override those of the new volume; the indexes come from the dump.
    assert old.sql("analyst", "mlflow", "SHOW max_connections") == [(postgres_settings()["max_connections"],)]
    assert len(old.sql("analyst", "mlflow", "SELECT indexname FROM pg_indexes WHERE indexname ~ '^data_toolbox_'")) == 2
    # Privileges are the same as before.
    assert old.sql("analyst", "mlflow", "SELECT count(*) FROM runs")[0][0] == 4
    status, _ = old.request(
        "POST", "mlflow", "/api/2.0/mlflow/experiments/create", body={"name": "new"}, Content_Type="application/json"
    )
    assert status == 200
    # Remains of killed upgrades do not matter, and a second upgrade finds nothing to do.
    assert "MIGRATED" not in old.succeed("upgrade")
