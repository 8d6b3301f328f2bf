"""The first start of the database, killed at any point, is begun again by the next one, and never taken for a whole."""

import pytest

from tests.support.copies import Copy
from tests.support.waiting import until

pytestmark = pytest.mark.stack

DATA = "/var/lib/postgresql/data"


@pytest.fixture
def new(toolbox, tmp_path):
    """A toolbox whose image of postgres is built, and nothing else is there."""
    copy = Copy(tmp_path / "new")
    copy.set(POSTGRES_BASE_IMAGE=toolbox.base("postgres"))
    try:
        copy.compose("build", "postgres")
        yield copy
    finally:
        copy.succeed("clean", "--yes")


def is_whole(copy):
    """Return whether every role gets into its database, and nothing of the making is left."""
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
def test_a_first_start_that_is_killed_is_begun_again(new, reached):
    new.compose("up", "--detach", "postgres")
    until(lambda: reached in new.compose("logs", "postgres"), f"the log has {reached}")
    assert new.run("docker", "kill", new.container("postgres")).returncode == 0
    new.compose("up", "--detach", "--wait", "postgres")
    assert is_whole(new)


@pytest.mark.parametrize("moved", ["nothing", "all but one", "everything"])
def test_one_that_is_killed_while_the_new_database_is_put_in_its_place_is_ended(new, moved):
    new.compose("up", "--detach", "--wait", "postgres")
    new.compose("stop", "postgres")
    names = {"nothing": "*", "all but one": "base PG_VERSION", "everything": ""}[moved]
    undo = f'cd {DATA} && set -- {names} && mkdir .whole && if [ $# -gt 0 ]; then mv "$@" .whole/; fi'
    new.compose("run", "--rm", "--no-deps", "--no-TTY", "--entrypoint", "sh", "postgres", "-c", undo)
    new.compose("up", "--detach", "--wait", "postgres")
    assert is_whole(new)


def test_init_that_cannot_succeed_is_never_served(new):
    with (new.root / "postgres-docker" / "init.sql").open("a") as script:
        script.write("SELECT nothing;\n")
    new.compose("build", "postgres")
    new.compose("up", "--detach", "postgres")
    until(lambda: new.compose("logs", "postgres").count("running bootstrap script") > 1, "it is begun again")
    assert new.health("postgres")[0] != "healthy"
