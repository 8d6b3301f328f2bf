"""New passwords and a new token on a running toolbox, also when the change is cut off half-way."""

import psycopg2
import pytest
from copies import PASSWORDS, TOKEN_HEADER, Copy

from toolbox import dotenv, passwords

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def own(tmp_path_factory, toolbox):
    """A toolbox for these tests alone. (After the shared one, so that base images are built once.)"""
    copy = Copy(tmp_path_factory.mktemp("rotated") / "data-toolbox")
    try:
        copy.succeed("up")
        yield copy
    finally:
        copy.succeed("clean", "--yes")


def secrets(copy):
    """Return the secrets in .env, which are not quoted after a change."""
    settings = dict(line.split("=", 1) for line in copy.env.read_text().splitlines() if line[:1].isalpha())
    return {name: settings[name] for name in (*PASSWORDS, "JUPYTER_TOKEN")}


def test_old_secrets_are_refused_and_new_ones_work_and_runs_stay(own):
    logged = own.in_notebook("train.py")
    own.succeed("rotate")
    new = secrets(own)
    for role, (name, database) in passwords.ROLES.items():
        own.connect(role, database, password=new[name]).close()
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            own.connect(role, database)
    assert own.get("notebook", "/api/contents", **TOKEN_HEADER)[0] == 403
    assert own.get("notebook", "/api/contents", Authorization=f"token {new['JUPYTER_TOKEN']}")[0] == 200
    assert own.in_notebook("read_sql.py", logged["run_id"])["params"] == logged["params"]
    assert not [secret for secret in new.values() if secret in own.compose("logs")]


def test_a_change_that_reached_the_database_and_not_env_is_completed(own):
    text = own.env.read_text()
    new = {name: dotenv.new_secret() for name in (*PASSWORDS, "JUPYTER_TOKEN")}
    for name, value in new.items():
        text = dotenv.with_value(text, name, value)
    dotenv.write(own.root / ".env.next", text)
    old = secrets(own)["POSTGRES_PASSWORD"]
    with own.connect("postgres", "postgres", password=old) as connection, connection.cursor() as cursor:
        for role, (name, _) in passwords.ROLES.items():
            cursor.execute(f"ALTER ROLE {role} PASSWORD %s", [new[name]])
    connection.close()

    own.succeed("up")
    assert secrets(own) == new
    assert not (own.root / ".env.next").exists()
    assert own.in_notebook("own_tables.py") == [["é", 1.5], ["b", 2.5]]
