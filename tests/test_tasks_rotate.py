"""The task `rotate`: passwords change in .env and in the database together, or not at all."""

import json

import pytest
from layers import SECRETS, a_users_env, commands, configuration, docker, the_line

import tasks
from toolbox import named, passwords, stack
from toolbox.failure import Failure

ACCEPTED = "".join(f"{role} accepted\n" for role in passwords.ROLES)
ASKING = r"docker compose exec --no-TTY postgres sh -c '\s+while read"
CHANGING = "docker compose exec --no-TTY postgres sh -c 'PGPASSWORD="


@pytest.fixture
def env(tmp_path, monkeypatch):
    """A .env with a line that is the user's, and the secrets."""
    env = a_users_env(tmp_path, monkeypatch)
    env.write_text(env.read_text() + "".join(f"{name}=old\n" for name in SECRETS))
    return env


def test_every_secret_is_new_and_other_lines_stay(env):
    before = env.read_text()
    tasks.rotate(docker({ASKING: ACCEPTED}))
    assert "=old" not in env.read_text()
    assert len({line.split("=")[1] for line in env.read_text().splitlines()[-len(SECRETS) :]}) == len(SECRETS)
    assert env.read_text().splitlines()[: -len(SECRETS)] == before.splitlines()[: -len(SECRETS)]
    assert not named.next_env().exists()


def test_no_new_password_is_on_a_command_line(env):
    c = docker({ASKING: ACCEPTED})
    tasks.rotate(c)
    new = [line.split("=")[1] for line in env.read_text().splitlines()[-len(SECRETS) :]]
    assert not [command for command in commands(c) if any(secret in command for secret in new)]


def test_nothing_changes_when_the_database_does_not_take_them(env):
    before = env.read_text()
    with pytest.raises(Failure) as raised:
        tasks.rotate(docker({ASKING: ACCEPTED, CHANGING: False}))
    assert "nothing was changed" in the_line(raised)
    assert env.read_text() == before
    assert not named.next_env().exists()


def test_nothing_changes_when_the_database_does_not_run(env):
    before = env.read_text()
    with pytest.raises(Failure) as raised:
        tasks.rotate(docker({"docker compose exec": False}))
    assert "invoke up" in the_line(raised)
    assert env.read_text() == before


def test_a_change_that_the_database_never_got_is_dropped(env):
    before = env.read_text()
    named.next_env().write_text("JUPYTER_TOKEN=new\n")
    assert stack.check_passwords(docker({ASKING: ACCEPTED}), stack.settings(docker()))
    assert env.read_text() == before
    assert not named.next_env().exists()


def test_a_password_changed_by_hand_is_not_replaced_by_a_change_that_does_not_fit_either(env):
    before = env.read_text()
    named.next_env().write_text("JUPYTER_TOKEN=new\n")
    configured = {"docker compose --env-file .* config": json.dumps(configuration())}
    refusing = docker({ASKING: "mlflow refused\n"} | configured)
    with pytest.raises(passwords.Changed):
        stack.check_passwords(refusing, stack.settings(docker()))
    assert env.read_text() == before


def test_the_statements_that_change_the_passwords_do_not_have_them():
    statements = passwords.change(dict.fromkeys(SECRETS, "a-new-password"))
    assert "a-new-password" not in statements
    assert statements.count("PASSWORD 'SCRAM-SHA-256$4096:") == len(passwords.ROLES)
