"""What runs in the container of postgres needs no more programs than postgres:17-alpine has: busybox's and its own."""

import json
import re

import pytest

from tests.support.copies import Copy
from tests.support.waiting import until
from toolbox import compose
from toolbox.data import postgres, upgrade

pytestmark = pytest.mark.stack

ROLES = {"mlflow": "mlflow", "analyst": "datasets"}
# What busybox's programs say of an option, a program or a line that they do not know.
COMPLAINTS = r"BusyBox v|unrecognized option|invalid option|syntax error|bad substitution|(?<!locale): not found"


@pytest.fixture(scope="module")
def busybox(toolbox, tmp_path_factory):
    """Another toolbox, with a new database that runs, on a base with busybox's programs instead of Debian's."""
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
    """Run a script in the container of postgres, or in another one of its image; return the result."""
    return copy.run("docker", "compose", *entrypoint, "-c", script)


def in_the_data(copy, script):
    """Run a script in the folder of the database, which does not run, in another container of postgres."""
    another = ("run", "--rm", "--no-deps", "--no-TTY", "--entrypoint", "sh", "postgres")
    result = inside(copy, f"cd $PGDATA && {script}", another)
    assert result.returncode == 0, result.stderr


def secrets(copy, *arguments, **settings):
    """Run the service `secrets`, for which nothing is set but `settings`; return the result."""
    options = [f"--env={name}={settings.get(name, '')}" for name in compose.SECRETS]
    return copy.run("docker", "compose", "run", "--rm", "--no-TTY", *options, "secrets", *arguments)


def serves(copy):
    """Return whether the roles of the services get into their databases."""
    return all(copy.sql(role, name, "SELECT current_user") == [(role,)] for role, name in ROLES.items())


def test_the_programs_are_those_of_busybox(busybox):
    found = inside(busybox, "for name in sh awk df sed; do readlink -f $(command -v $name); done").stdout.split()
    assert len(found) == 4
    assert all(path.endswith("/busybox") for path in found)


def test_a_new_database_is_made_and_healthy(busybox):
    assert busybox.health("postgres")[0] == "healthy"
    assert serves(busybox)
    logged = busybox.compose("logs")
    assert not re.findall(COMPLAINTS, logged), logged


def test_the_check_of_health_sees_the_free_megabytes(busybox):
    # On another disk, which can be filled without harm.
    check = "PGDATA=/dev/shm data-toolbox-healthcheck"
    assert inside(busybox, check).returncode == 0
    full = inside(
        busybox, f"dd if=/dev/zero of=/dev/shm/filling bs=64k; {check}; code=$?; rm /dev/shm/filling; exit $code"
    )
    assert (full.returncode, full.stdout) == (1, "The disk of the database is full: 0 MB are free.\n")


def test_secrets_are_made_and_those_that_cannot_be_are_refused(busybox):
    kept = secrets(busybox)
    assert (kept.returncode, kept.stdout) == (0, "")
    made = secrets(busybox, "--new")
    assert made.returncode == 0
    assert not re.findall(COMPLAINTS, made.stderr), made.stderr
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
def test_what_the_tasks_run_there_works(busybox, script):
    ran = inside(busybox, script)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout


def test_the_status_of_the_database_is_found(busybox):
    postgres = json.loads(busybox.succeed("status", "--json"))[0]
    assert None not in postgres.values(), postgres


def test_the_next_start_ends_a_first_one_that_was_cut_short(busybox):
    busybox.compose("stop", "postgres")
    in_the_data(busybox, "mkdir .whole && mv base PG_VERSION .whole/")
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
def test_what_cannot_be_started_is_refused_in_words(busybox, settings, change, undo, refused):
    busybox.compose("stop", "postgres")
    in_the_data(busybox, change)
    try:
        with busybox.changed(**settings):
            busybox.compose("up", "--detach", "postgres")
            logged = until(lambda: re.findall("FAIL: .*", busybox.compose("logs", "postgres")), "it is refused")
        assert refused in logged[0]
    finally:
        busybox.compose("stop", "postgres")
        in_the_data(busybox, undo)
    busybox.compose("up", "--detach", "--wait", "postgres")
