"""tasks.py: bad input gets one line, and nothing is done or changed."""

import json
import shutil
import socket
import subprocess
import sys

import pytest
from invoke import Result

import tasks
from tests.support.layers import (
    HEALTHY,
    ROOT,
    changing_commands,
    commands,
    configuration,
    docker,
    error_line,
    listed,
    user_env,
)
from toolbox import compose, credentials
from toolbox.errors import Failure

NEED_DOCKER = [
    tasks.build,
    tasks.up,
    tasks.status,
    tasks.logs,
    tasks.psql,
    tasks.runs,
    tasks.down,
    tasks.clean,
    tasks.backup,
    tasks.bases,
]


@pytest.fixture
def env(tmp_path, monkeypatch):
    return user_env(tmp_path, monkeypatch)


@pytest.mark.parametrize("task", NEED_DOCKER, ids=lambda task: task.name)
@pytest.mark.parametrize(
    ("answers", "remedy"),
    [
        ({"docker": Result("", "docker: command not found", exited=127)}, "not installed"),
        ({"docker version": Result("", "Cannot connect to the Docker daemon", exited=1)}, "no Docker engine answers"),
        ({"docker version": Result("", "permission denied while trying", exited=1)}, "usermod"),
        ({"docker compose version": Result("", "unknown flag: --short", exited=125)}, "docker-compose-plugin"),
        ({"docker compose version": "2.23.0"}, "update it to 2.24"),
        ({"docker buildx": False}, "docker-buildx-plugin"),
    ],
    ids=["no docker", "no engine", "not permitted", "no Compose", "old Compose", "no buildx"],
)
def test_every_task_that_needs_docker_reports_what_is_wrong_with_it(env, task, answers, remedy):
    c = docker(answers)
    with pytest.raises(Failure) as raised:
        task(c)
    assert remedy in error_line(raised)
    assert changing_commands(c) == []


@pytest.mark.parametrize("task", [tasks.build, tasks.up, tasks.status, tasks.bases], ids=lambda task: task.name)
@pytest.mark.parametrize(
    ("content", "answer", "problem"),
    [
        ("A=1\r\n", None, "CRLF"),
        ("A=1\n", configuration(ports=(5432, "5000-5010", 8888)), "MLFLOW_PORT"),
        ("A=1\n", Result("", "nothing fits", exited=1), "does not accept the configuration (nothing fits)"),
    ],
    ids=["CRLF", "several ports", "something else"],
)
def test_a_bad_env_is_reported_and_not_changed(env, task, content, answer, problem):
    env.write_bytes(content.encode())
    answers = {"docker compose config": answer if isinstance(answer, Result) else json.dumps(answer or configuration())}
    c = docker(answers)
    with pytest.raises(Failure) as raised:
        task(c)
    assert problem in error_line(raised)
    assert changing_commands(c) == []
    assert env.read_bytes() == content.encode()


def test_a_taken_port_is_reported_before_anything_is_built(env):
    config = configuration()
    c = docker(config=config)
    with socket.create_server(compose.address(config, "postgres")), pytest.raises(Failure) as raised:
        tasks.up(c)
    assert "set POSTGRES_PORT in .env" in error_line(raised)
    assert changing_commands(c) == []


@pytest.mark.parametrize(
    ("task", "options", "choices"),
    [
        (tasks.logs, {"service": "db"}, compose.IN_ORDER),
        (tasks.psql, {"role": "root"}, ("postgres", *credentials.ROLES)),
    ],
    ids=["logs", "psql"],
)
def test_an_unknown_service_or_role_is_reported_with_the_choices(env, task, options, choices):
    c = docker({"docker compose ps": HEALTHY})
    with pytest.raises(Failure) as raised:
        task(c, **options)
    assert f"choose from {', '.join(choices)}." in error_line(raised)
    assert "docker compose exec" not in " ".join(commands(c))


def test_psql_says_how_to_start_a_database_that_is_down(env):
    with pytest.raises(Failure) as raised:
        tasks.psql(docker({"docker compose ps": listed(postgres="exited")}))
    assert "invoke up" in error_line(raised)


def test_invoke_without_docker_prints_one_line_and_no_traceback(tmp_path):
    # Only what Invoke itself runs, so no docker.
    (tmp_path / "bash").symlink_to(shutil.which("bash"))
    command = [sys.executable, "-m", "invoke", "--search-root", ROOT, "status"]
    ran = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr == "FAIL: Docker is not installed: see https://docs.docker.com/engine/install/.\n"
