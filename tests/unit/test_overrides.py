"""toolbox.overrides: settings in the environment, which take precedence over .env."""

import os
import subprocess
import sys

import pytest

import tasks
from tests.support.layers import ROOT, changing_commands, docker, error_line, user_env
from toolbox import overrides
from toolbox.errors import Failure

DEFAULTS = {"JUPYTER_TOKEN": "", "MLFLOW_PORT": "5000", "TZ": "UTC", "NO_PROXY": ""}


@pytest.fixture
def env(tmp_path, monkeypatch):
    overrides.print_once.cache_clear()
    return user_env(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("environment", "written"),
    [
        ({"JUPYTER_TOKEN": "weak"}, {}),
        ({"JUPYTER_TOKEN": "weak"}, {"JUPYTER_TOKEN": "strong"}),
        ({"JUPYTER_TOKEN": ""}, {"JUPYTER_TOKEN": "strong"}),
        ({"MLFLOW_PORT": "5001"}, {}),
        ({"MLFLOW_PORT": "5000"}, {"MLFLOW_PORT": "5001"}),
        ({"TZ": "UTC"}, {"TZ": "Asia/Tokyo"}),
    ],
)
def test_a_setting_that_the_environment_changes_is_found(environment, written):
    assert overrides.settings(environment, written, DEFAULTS) == list(environment)


@pytest.mark.parametrize(
    ("environment", "written"),
    [
        ({"HOME": "/root"}, {}),
        ({"MLFLOW_PORT": "5000"}, {}),
        ({"MLFLOW_PORT": ""}, {}),
        ({"MLFLOW_PORT": "5001"}, {"MLFLOW_PORT": "5001"}),
        ({"TZ": "Asia/Tokyo", "NO_PROXY": "localhost"}, {}),
    ],
)
def test_a_variable_that_changes_no_setting_is_not_reported(environment, written):
    assert overrides.settings(environment, written, DEFAULTS) == []


def test_a_task_reports_settings_of_the_environment_once_and_without_values(env, monkeypatch, capsys):
    monkeypatch.setenv("JUPYTER_TOKEN", "a-weak-one")
    monkeypatch.setenv("MLFLOW_WORKERS", "4")
    c = docker({"docker image inspect": True})
    tasks.up(c)
    tasks.down(c)
    lines = [line for line in capsys.readouterr().err.splitlines() if "environment" in line]
    assert lines == ["Set by the environment, not by .env: JUPYTER_TOKEN, MLFLOW_WORKERS."]


def test_an_engine_of_another_machine_is_reported_and_a_local_one_is_not(env, monkeypatch, capsys):
    for host in ("unix:///run/user/1000/docker.sock", "ssh://elsewhere"):
        monkeypatch.setenv("DOCKER_HOST", host)
        tasks.down(docker())
        assert ("DOCKER_HOST" in capsys.readouterr().err) == host.startswith("ssh")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COMPOSE_FILE", "/elsewhere/docker-compose.yml"),
        ("COMPOSE_FILE", "../docker-compose.yml:docker-compose.yml"),
        ("COMPOSE_ENV_FILES", ".env.alice"),
        ("COMPOSE_DISABLE_ENV_FILE", "1"),
    ],
)
def test_a_variable_that_selects_other_files_is_refused_before_anything_is_done(env, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    c = docker()
    with pytest.raises(Failure) as raised:
        tasks.clean(c, yes=True)
    assert f"{name} in the environment" in error_line(raised)
    assert changing_commands(c) == []


def test_compose_files_of_another_project_in_env_are_refused(env):
    env.write_text("COMPOSE_FILE=../x.yml\n")
    with pytest.raises(Failure) as raised:
        tasks.down(docker())
    assert "COMPOSE_FILE in .env does not start" in error_line(raised)


@pytest.mark.parametrize(
    "environment",
    [
        {"COMPOSE_FILE": "docker-compose.yml:more.yml"},
        {"COMPOSE_FILE": str(ROOT / "docker-compose.yml")},
        {"COMPOSE_FILE": "docker-compose.yml;more.yml", "COMPOSE_PATH_SEPARATOR": ";"},
        {"COMPOSE_FILE": ""},
    ],
)
def test_additional_compose_files_are_accepted(environment):
    overrides.check(environment, {}, ROOT)


def test_a_foreign_compose_file_is_refused_first_and_in_one_line():
    environment = os.environ | {"DOCKER_HOST": "unix:///nonexistent", "COMPOSE_FILE": "/elsewhere/x.yml"}
    command = [sys.executable, "-m", "invoke", "status"]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stderr.startswith("FAIL: COMPOSE_FILE in the environment")
    assert ran.stderr.count("\n") == 1
