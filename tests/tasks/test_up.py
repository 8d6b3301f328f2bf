"""tasks.py: from nothing to a running toolbox, with up."""

import json
import socket

import pytest

import tasks
from tests.support.layers import (
    SECRETS,
    changing_commands,
    commands,
    configuration,
    docker,
    error_line,
    fake_toolbox,
    listed,
    user_env,
)
from toolbox import compose, service_logs, services
from toolbox.errors import Failure

UP = "docker compose up --detach --wait --remove-orphans"
START_DATABASE = "docker compose up --detach postgres"


@pytest.fixture
def env(tmp_path, monkeypatch):
    return user_env(tmp_path, monkeypatch)


def test_up_without_an_env_builds_starts_and_prints_the_addresses(env, capsys):
    env.unlink()
    c = docker({"docker image inspect": True})
    tasks.up(c)
    assert not env.exists()
    assert changing_commands(c) == ["docker compose build", START_DATABASE, UP]
    printed = capsys.readouterr().out
    assert f"token={SECRETS['JUPYTER_TOKEN']}" in printed
    assert f"postgresql://analyst:{SECRETS['ANALYST_DB_PASSWORD']}@" in printed


def test_up_can_be_repeated_while_the_toolbox_runs(env):
    config = configuration()
    address = compose.address(config, "mlflow")
    running = {"Service": "mlflow", "ID": "1", "State": "running", "Publishers": [{"PublishedPort": address[1]}]}
    with socket.create_server(address):
        tasks.up(docker({"docker compose ps": json.dumps(running)}, config))


def test_up_names_the_service_that_does_not_become_healthy_and_shows_its_log(env, capsys):
    states = listed(postgres="running healthy", mlflow="running unhealthy", notebook="created")
    checks = json.dumps([{"Output": "first"}, {"Output": "MLflow cannot read its database\n"}])
    c = docker({UP: False, "docker compose ps": states, "docker inspect": checks})
    with pytest.raises(Failure) as raised:
        tasks.up(c)
    assert "mlflow did not become healthy (running unhealthy)" in error_line(raised)
    assert f"docker compose logs --no-log-prefix --tail {services.LOG_LINES} mlflow" in commands(c)
    assert "The last health check printed: MLflow cannot read its database\n" in capsys.readouterr().out


def test_up_refers_to_dockers_message_if_nothing_was_started(env):
    with pytest.raises(Failure) as raised:
        tasks.up(docker({UP: False}))
    assert "Docker could not start everything" in error_line(raised)


def test_a_build_that_fails_starts_nothing(env):
    c = docker({"docker compose build": False, "docker image inspect": True})
    with pytest.raises(Failure) as raised:
        tasks.up(c)
    assert "could not be built" in error_line(raised)
    assert UP not in commands(c)


def test_up_reports_why_no_secrets_were_generated(env):
    log = "FAIL: JUPYTER_TOKEN has a line break: choose one without.\n"
    states = listed(secrets="exited 1", postgres="created", mlflow="created")
    c = docker({UP: False, "docker compose ps": states, "docker compose logs .* secrets": log})
    with pytest.raises(Failure) as raised:
        tasks.up(c)
    assert error_line(raised) == "FAIL: JUPYTER_TOKEN has a line break: choose one without."


# --- The database starts first, because it may reject its volume, or contain an interrupted restore ---


def with_database(before, *states):
    """Return a context where postgres is in the state `before`, then in each of `states`, and stays in the last."""
    listings = [listed(postgres=state) if state else "" for state in (before, *states)]
    return docker({"docker compose ps": [*listings, *[listings[-1]] * 99], "docker image inspect": True})


def test_up_waits_for_the_database_before_it_starts_the_others(env, monkeypatch):
    monkeypatch.setattr(services, "PAUSE_SECONDS", 0)
    c = with_database("", "running starting", "running starting", "running healthy")
    tasks.up(c)
    assert changing_commands(c) == ["docker compose build", START_DATABASE, UP]
    asked = [command for command in commands(c) if command.startswith((START_DATABASE, UP, "docker compose ps"))]
    assert len(asked[asked.index(START_DATABASE) : asked.index(UP)]) == 4


def test_up_leaves_a_healthy_database_alone(env):
    c = with_database("running healthy", "running healthy")
    tasks.up(c)
    assert changing_commands(c) == ["docker compose build", UP]


@pytest.mark.parametrize("state", ["exited", "restarting"])
def test_up_does_not_wait_for_a_database_that_stopped(env, state):
    c = with_database("", state)
    tasks.up(c)
    assert UP in commands(c)


def test_up_does_not_wait_forever_for_the_database(env, monkeypatch):
    monkeypatch.setattr(services, "DATABASE_SECONDS", 0)
    c = with_database("", "running starting")
    tasks.up(c)
    assert UP in commands(c)


def test_a_database_that_cannot_be_started_is_reported_by_the_next_step(env):
    c = docker({START_DATABASE: False, UP: False, "docker image inspect": True})
    with pytest.raises(Failure) as raised:
        tasks.up(c)
    assert "Docker could not start everything" in error_line(raised)


def test_a_database_that_rejects_its_volume_is_stopped_and_the_reason_reported(env):
    reason = 'the volume has a database of Postgres 15, and this is Postgres 17: run "invoke upgrade".'
    states = ["", *[listed(postgres="running starting")] * 9]
    answers = {"docker compose logs": f"FAIL: {reason}\n", "docker compose ps": states}
    c = docker(answers | {"docker image inspect": True})
    with pytest.raises(Failure) as raised:
        tasks.up(c)
    assert error_line(raised) == f"FAIL: {reason}"
    assert changing_commands(c) == ["docker compose build", START_DATABASE, "docker compose stop postgres"]


def test_up_reports_why_the_tables_of_mlflow_could_not_be_migrated(env):
    states = listed(postgres="running healthy", migrate="exited 1", mlflow="created")
    log = "Waiting for the database: no\nFAIL: the tables are from MLflow 9.9: set that version.\n"
    c = docker({UP: False, "docker compose ps": states, "docker compose logs .* migrate": log})
    with pytest.raises(Failure) as raised:
        tasks.up(c)
    assert error_line(raised) == "FAIL: the tables are from MLflow 9.9: set that version."


@pytest.mark.parametrize(
    ("recorded", "since"),
    [
        ("2026-11-28T09:05:01.123456789Z\n", "2026-11-28T09:05:00+00:00"),
        ("2026-11-28T00:00:00Z\n", "2026-11-27T23:59:59+00:00"),
        (f"{service_logs.NOT_STARTED}\n", ""),
        (False, ""),
    ],
    ids=["nanoseconds", "midnight", "not started", "gone"],
)
def test_the_log_of_a_start_is_read_from_a_second_before_docker_recorded_it(recorded, since):
    assert service_logs.started_at(fake_toolbox({"docker inspect": recorded}), {"ID": "1"}) == since
