"""The container of postgres needs only the programs of postgres:17-alpine: BusyBox and Postgres' own."""

import json
import re

import pytest

from tests.support.copies import Copy
from tests.support.waiting import until
from toolbox import compose
from toolbox.data import postgres, upgrade

pytestmark = pytest.mark.stack

ROLES = {"mlflow": "mlflow", "analyst": "datasets"}
# Errors of BusyBox about unknown options, programs and syntax.
ERRORS = r"BusyBox v|unrecognized option|invalid option|syntax error|bad substitution|(?<!locale): not found"


@pytest.fixture(scope="module")
def busybox(toolbox, tmp_path_factory):
    """Another toolbox with a new, running database, on a base with BusyBox instead of Debian's programs."""
    copy = Copy(tmp_path_factory.mktemp("busybox") / "data-toolbox")
    base = f"{copy.project}-busybox"
    copy.set(POSTGRES_BASE_IMAGE=base)
    options = ("--tag", base, "--build-arg", f"BASE_IMAGE={toolbox.base('postgres')}")
    try:
        built = copy.run("docker", "build", *options, "tests/support/busybox")
        assert built.returncode == 0, built.stderr
        copy.compose("up", "--detach", "--build", "--wait", "postgres")
        yield copy
    finally:
        copy.succeed("clean", "--yes")
        copy.run("docker", "image", "rm", base)
    assert copy.remains() == []


def inside(copy, script, entrypoint=("exec", "--no-TTY", "postgres", "sh")):
    """Run a script in the container of postgres, or in a new one of its image; return the result."""
    return copy.run("docker", "compose", *entrypoint, "-c", script)


def in_data_directory(copy, script):
    """Run a script in the data directory of the stopped database, in a new container of postgres."""
    new_container = ("run", "--rm", "--no-deps", "--no-TTY", "--entrypoint", "sh", "postgres")
    result = inside(copy, f"cd $PGDATA && {script}", new_container)
    assert result.returncode == 0, result.stderr


def secrets(copy, *arguments, **settings):
    """Run the service `secrets` with only these `settings`; return the result."""
    options = [f"--env={name}={settings.get(name, '')}" for name in compose.SECRETS]
    return copy.run("docker", "compose", "run", "--rm", "--no-TTY", *options, "secrets", *arguments)


def serves(copy):
    """Return whether the roles of the services can connect to their databases."""
    return all(copy.sql(role, name, "SELECT current_user") == [(role,)] for role, name in ROLES.items())


def test_the_base_image_has_the_programs_of_busybox(busybox):
    found = inside(busybox, "for name in sh awk df sed; do readlink -f $(command -v $name); done").stdout.split()
    assert len(found) == 4
    assert all(path.endswith("/busybox") for path in found)


def test_a_new_database_is_created_and_healthy_on_busybox(busybox):
    assert busybox.health("postgres")[0] == "healthy"
    assert serves(busybox)
    logged = busybox.compose("logs")
    assert not re.findall(ERRORS, logged), logged


def test_the_health_check_detects_a_full_disk_on_busybox(busybox):
    # On another file system, which can be filled without harm.
    check = "PGDATA=/dev/shm data-toolbox-healthcheck"
    assert inside(busybox, check).returncode == 0
    full = inside(
        busybox, f"dd if=/dev/zero of=/dev/shm/filling bs=64k; {check}; code=$?; rm /dev/shm/filling; exit $code"
    )
    assert (full.returncode, full.stdout) == (1, "The disk of the database is full: 0 MB are free.\n")


def test_secrets_are_created_and_invalid_ones_rejected_on_busybox(busybox):
    kept = secrets(busybox)
    assert (kept.returncode, kept.stdout) == (0, "")
    made = secrets(busybox, "--new")
    assert made.returncode == 0
    assert not re.findall(ERRORS, made.stderr), made.stderr
    read = ("run", "--rm", "--no-TTY", "--entrypoint", "cat", "secrets")
    files = (f"/secrets-of/{name}" for name in ("notebook/token", "postgres/mlflow", "postgres/analyst"))
    assert re.fullmatch(r"([\w-]{24}\n){3}", busybox.compose(*read, *files))
    refused = secrets(busybox, ANALYST_DB_PASSWORD="a\tb")
    assert refused.returncode == 1
    assert "FAIL: ANALYST_DB_PASSWORD has a line break or another control character" in refused.stderr
    # Those of .env again.
    busybox.compose("up", "--detach", "--wait", "postgres")
    assert serves(busybox)


@pytest.mark.parametrize("script", [postgres.HOLD, postgres.DISK, upgrade.VERSIONS], ids=["hold", "disk", "versions"])
def test_the_scripts_of_the_tasks_work_on_busybox(busybox, script):
    result = inside(busybox, script)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout


def test_the_status_of_the_database_is_complete_on_busybox(busybox):
    postgres = json.loads(busybox.succeed("status", "--json"))[0]
    assert None not in postgres.values(), postgres


def test_the_next_start_completes_an_interrupted_first_one_on_busybox(busybox):
    busybox.compose("stop", "postgres")
    in_data_directory(busybox, "mkdir .whole && mv base PG_VERSION .whole/")
    busybox.compose("up", "--detach", "--wait", "postgres")
    assert serves(busybox)


@pytest.mark.parametrize(
    ("settings", "change", "undo", "refused"),
    [
        ({}, "echo 16 > PG_VERSION", "echo 17 > PG_VERSION", "the volume has a database of Postgres 16, and this is"),
        ({"TZ": "Nowhere/Else"}, "true", "true", "there is no time zone Nowhere/Else: "),
    ],
    ids=["version", "time zone"],
)
def test_a_database_that_cannot_start_is_refused_with_the_reason_on_busybox(busybox, settings, change, undo, refused):
    busybox.compose("stop", "postgres")
    in_data_directory(busybox, change)
    try:
        with busybox.changed(**settings):
            busybox.compose("up", "--detach", "postgres")
            logged = until(lambda: re.findall("FAIL: .*", busybox.compose("logs", "postgres")), "the start fails")
        assert refused in logged[0]
    finally:
        busybox.compose("stop", "postgres")
        in_data_directory(busybox, undo)
    busybox.compose("up", "--detach", "--wait", "postgres")
