"""A first start of the database that is killed at any point is repeated by the next one, never taken as complete."""

import pytest

from tests.support.copies import Copy
from tests.support.waiting import until

pytestmark = pytest.mark.stack

DATA = "/var/lib/postgresql/data"


@pytest.fixture
def new(toolbox, tmp_path):
    """A toolbox of which only the image of postgres exists."""
    copy = Copy(tmp_path / "new")
    copy.set(POSTGRES_BASE_IMAGE=toolbox.base("postgres"))
    try:
        copy.compose("build", "postgres")
        yield copy
    finally:
        copy.succeed("clean", "--yes")


def is_complete(copy):
    """Check that every role can connect to its database; return whether no temporary files are left."""
    for role, database in (("postgres", "postgres"), ("mlflow", "mlflow"), ("analyst", "mlflow")):
        assert copy.sql(role, database, "SELECT current_user") == [(role,)]
    assert copy.sql("analyst", "datasets", "SELECT 1") == [(1,)]
    left = copy.compose("exec", "--no-TTY", "postgres", "sh", "-c", "ls -d $PGDATA/.[a-z]* || true").split()
    return not left


@pytest.mark.parametrize(
    "reached",
    [
        "creating subdirectories",
        "performing post-bootstrap",
        "CREATE ROLE",
        "REVOKE",
        "database system is shut down",
        "Setting the rights",
    ],
)
def test_a_killed_first_start_of_the_database_is_repeated(new, reached):
    new.compose("up", "--detach", "postgres")
    until(lambda: reached in new.compose("logs", "postgres"), f"the log has {reached}")
    assert new.run("docker", "kill", new.container("postgres")).returncode == 0
    new.compose("up", "--detach", "--wait", "postgres")
    assert is_complete(new)


@pytest.mark.parametrize("moved", ["nothing", "all but one", "everything"])
def test_a_first_start_killed_while_it_moves_the_new_database_is_completed(new, moved):
    new.compose("up", "--detach", "--wait", "postgres")
    new.compose("stop", "postgres")
    names = {"nothing": "*", "all but one": "base PG_VERSION", "everything": ""}[moved]
    undo = f'cd {DATA} && set -- {names} && mkdir .whole && if [ $# -gt 0 ]; then mv "$@" .whole/; fi'
    new.compose("run", "--rm", "--no-deps", "--no-TTY", "--entrypoint", "sh", "postgres", "-c", undo)
    new.compose("up", "--detach", "--wait", "postgres")
    assert is_complete(new)


def test_a_database_whose_init_fails_never_becomes_healthy(new):
    with (new.root / "postgres-docker" / "init.sql").open("a") as script:
        script.write("SELECT nothing;\n")
    new.compose("build", "postgres")
    new.compose("up", "--detach", "postgres")
    until(lambda: new.compose("logs", "postgres").count("running bootstrap script") > 1, "the init is repeated")
    assert new.health("postgres")[0] != "healthy"
