"""tasks.py: from nothing to a running toolbox, with init and up."""

import json
import socket

import pytest
from invoke import Result
from layers import HEALTHY, SECRETS, a_users_env, commands, configuration, docker, doings, listed, the_line

import tasks
from toolbox import model, passwords, stack
from toolbox.failure import Failure

UP = "docker compose up --detach --wait --remove-orphans"
START_DATABASE = "docker compose up --detach postgres"
ASK_FOR_PASSWORDS = "docker compose exec --no-TTY postgres sh -c"
ACCEPTED = "".join(f"{role} accepted\n" for role in passwords.ROLES)
PROJECT, DATABASES = "label=com.docker.compose.project=box", "label=com.docker.compose.volume=db-store"
NOT_YET = ACCEPTED.replace("accepted", "unanswered")
REFUSED = ACCEPTED.replace("analyst accepted", "analyst refused")


@pytest.fixture
def env(tmp_path, monkeypatch):
    return a_users_env(tmp_path, monkeypatch)


@pytest.fixture
def no_env(env):
    env.unlink()
    return env


def test_init_makes_an_env_with_secrets(no_env):
    tasks.init(docker())
    made = no_env.read_text()
    assert all(f"\n{name}=" in made and f"\n{name}=\n" not in made for name in SECRETS)


def test_init_needs_no_docker(no_env):
    tasks.init(docker({"": Result("", "docker: command not found", exited=127)}))
    assert no_env.exists()


def test_init_does_not_touch_an_env_that_is_there(env):
    before = env.read_text()
    with pytest.raises(Failure) as raised:
        tasks.init(docker())
    assert "exists already: edit it, or delete it" in the_line(raised)
    assert env.read_text() == before


@pytest.mark.parametrize("task", [tasks.init, tasks.up], ids=["init", "up"])
def test_no_env_is_made_for_a_database_that_has_the_passwords_of_another(no_env, task):
    c = docker({f"docker volume ls .*{PROJECT} .*{DATABASES}": "box_db-store-18\n"})
    with pytest.raises(Failure) as raised:
        task(c)
    message = the_line(raised)
    assert "volume box_db-store-18" in message
    assert "put it back" in message
    assert not no_env.exists()
    assert doings(c) == []


def test_up_makes_env_builds_starts_and_says_where_it_is(no_env, capsys):
    c = docker({"docker image inspect": True})
    tasks.up(c)
    assert no_env.exists()
    assert doings(c) == ["docker compose build", START_DATABASE, UP]
    assert f"token={SECRETS['JUPYTER_TOKEN']}" in capsys.readouterr().out


def test_up_can_be_repeated_while_it_runs(env):
    config = configuration()
    address = model.address(config, "mlflow")
    running = {"Service": "mlflow", "ID": "1", "State": "running", "Publishers": [{"PublishedPort": address[1]}]}
    with socket.create_server(address):
        tasks.up(docker({"docker compose ps": json.dumps(running)}, config))


def test_up_names_the_service_that_does_not_become_healthy_and_shows_its_log(env, capsys):
    states = listed(postgres="running healthy", mlflow="running unhealthy", notebook="created")
    checks = json.dumps([{"Output": "first"}, {"Output": "MLflow cannot read its database\n"}])
    c = docker({UP: False, "docker compose ps": states, "docker inspect": checks})
    with pytest.raises(Failure) as raised:
        tasks.up(c)
    assert "mlflow did not become healthy (running unhealthy)" in the_line(raised)
    assert f"docker compose logs --no-log-prefix --tail {stack.LOG_LINES} mlflow" in commands(c)
    assert "The last health check said: MLflow cannot read its database\n" in capsys.readouterr().out


def test_up_leaves_it_to_docker_to_say_why_nothing_was_started(env):
    with pytest.raises(Failure) as raised:
        tasks.up(docker({UP: False}))
    assert "Docker could not start everything" in the_line(raised)


def test_a_build_that_fails_starts_nothing(env):
    c = docker({"docker compose build": False, "docker image inspect": True})
    with pytest.raises(Failure) as raised:
        tasks.up(c)
    assert "could not be built" in the_line(raised)
    assert UP not in commands(c)


# --- The database comes first, because it may have other passwords ---


def with_database(*answers, before="", then="running starting"):
    """Return a context where postgres is in a state before and another then, and gives one answer after the other."""
    states = [before, *[listed(postgres=then)] * 99]
    asked = [*answers, *[answers[-1]] * 99]
    return docker({ASK_FOR_PASSWORDS: asked, "docker compose ps": states, "docker image inspect": True})


def test_up_waits_for_the_database_before_it_starts_the_others(env, monkeypatch):
    monkeypatch.setattr(stack, "PAUSE_SECONDS", 0)
    c = with_database("", "", NOT_YET, ACCEPTED)
    tasks.up(c)
    assert doings(c) == ["docker compose build", START_DATABASE, UP]
    told = [command for command in commands(c) if command.startswith((START_DATABASE, ASK_FOR_PASSWORDS, UP))]
    # And once for what a restore may have left.
    assert len(told[told.index(START_DATABASE) : told.index(UP)]) == 5


def test_up_leaves_a_healthy_database_alone(env):
    c = with_database(ACCEPTED, before=HEALTHY)
    tasks.up(c)
    assert doings(c) == ["docker compose build", UP]


def test_a_database_that_refuses_its_volume_is_stopped_and_the_reason_told(env):
    reason = 'the volume has a database of Postgres 15, and this is Postgres 17: run "invoke upgrade".'
    states = ["", *[listed(postgres="running starting")] * 9]
    answers = {ASK_FOR_PASSWORDS: NOT_YET, "docker compose logs": f"FAIL: {reason}\n", "docker compose ps": states}
    c = docker(answers | {"docker image inspect": True})
    with pytest.raises(Failure) as raised:
        tasks.up(c)
    assert the_line(raised) == f"FAIL: {reason}"
    assert doings(c) == ["docker compose build", START_DATABASE, "docker compose stop postgres"]


def test_up_tells_what_the_tables_of_mlflow_could_not_be_brought_to(env):
    states = listed(postgres="running healthy", migrate="exited 1", mlflow="created")
    log = "Waiting for the database: no\nFAIL: the tables are from MLflow 9.9: set that version.\n"
    c = docker({UP: False, "docker compose ps": states, "docker compose logs .* migrate": log})
    with pytest.raises(Failure) as raised:
        tasks.up(c)
    assert the_line(raised) == "FAIL: the tables are from MLflow 9.9: set that version."


def test_up_does_not_wait_for_a_database_that_stopped(env):
    c = with_database(NOT_YET, then="exited")
    tasks.up(c)
    assert UP in commands(c)


def test_up_does_not_wait_for_ever(env, monkeypatch):
    monkeypatch.setattr(stack, "DATABASE_SECONDS", 0)
    c = with_database(NOT_YET)
    tasks.up(c)
    assert UP in commands(c)


def test_a_changed_password_is_refused_before_anything_is_done_to_a_running_toolbox(env):
    c = with_database(REFUSED, before=HEALTHY)
    with pytest.raises(passwords.Changed) as raised:
        tasks.up(c)
    assert "ANALYST_DB_PASSWORD" in the_line(raised)
    assert doings(c) == []


def test_a_database_that_was_started_to_find_a_changed_password_is_stopped_again(env):
    c = with_database("", NOT_YET, REFUSED)
    with pytest.raises(passwords.Changed) as raised:
        tasks.up(c)
    assert "ANALYST_DB_PASSWORD" in the_line(raised)
    assert doings(c) == ["docker compose build", START_DATABASE, "docker compose stop postgres"]
