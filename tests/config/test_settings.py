"""docker-compose.yml and .env.example: the settings, all of them optional."""

import re
import subprocess
import sys

import pytest

from tests.support.copies import ABSURD, quoted
from tests.support.layers import (
    ROOT,
    SECRETS,
    docker_compose,
    error_line,
    loaded,
    real_configuration,
    without_settings,
)
from toolbox import compose, images
from toolbox.errors import Failure

EXAMPLE = (ROOT / ".env.example").read_text()
# Without comments: they explain how variables are written.
COMPOSE = re.sub(r"^ *#.*\n", "", (ROOT / "docker-compose.yml").read_text(), flags=re.M)
DEFAULTS = {*re.findall(r"\$\{(\w+):-(.*?)\}", COMPOSE), ("COMPOSE_PROJECT_NAME", COMPOSE.split()[1])}
# Without a folder, the volume is mounted instead.
DEFAULTS = DEFAULTS - {("WORK_FOLDER", "file-store")} | {("WORK_FOLDER", "")}
# Without a host for pages, they have the address.
DEFAULTS = DEFAULTS - {("PAGE_HOST", "${BIND_ADDRESS:-127.0.0.1")} | {("PAGE_HOST", "")}
VALUES = {"BIND_ADDRESS": "127.4.3.21", "WORK_FOLDER": "/4321"}


# --- Invalid values ---


@pytest.mark.parametrize("value", ["abc", "70000", "5000-5010", "0"])
def test_an_invalid_port_is_refused_in_one_line(value):
    with pytest.raises(Failure) as raised:
        real_configuration(NOTEBOOK_PORT=value)
    assert value in error_line(raised)


@pytest.mark.parametrize("value", ["::1", "[::1]", "::", "[::]", "localhost", "nonsense", "127.1", "127.0.0.1:80"])
def test_an_address_that_is_not_ipv4_is_refused_in_one_line(value):
    with pytest.raises(Failure) as raised:
        real_configuration(BIND_ADDRESS=value)
    message = error_line(raised)
    assert f"BIND_ADDRESS={value.strip('[]')} is not an IPv4 address: set it in .env" in message


@pytest.mark.parametrize("name", ["jovyan", "ada", "ada.lovelace@example.org", "Jürgen", "team-1", "0", "x" * 32])
def test_a_valid_user_name_is_accepted(name):
    config = real_configuration(NOTEBOOK_USER=name)
    assert compose.environment(config, "notebook")["USER"] == name
    assert f"\n{name}:x:1000:100::/home/jovyan:" in config["configs"]["users"]["content"]


@pytest.mark.parametrize(
    "name", ["ada lovelace", " ada", "ada\n", "a:b", "a\nroot::0:0", "-ada", "a/b", "a$b", "x" * 33]
)
def test_an_invalid_user_name_is_refused_in_one_line(name):
    with pytest.raises(Failure) as raised:
        real_configuration(NOTEBOOK_USER=name)
    assert "NOTEBOOK_USER in .env is " in error_line(raised)


def test_proxy_exceptions_are_added_to_those_of_the_toolbox():
    for service in ("notebook", "mlflow", "migrate"):
        environment = real_configuration(NO_PROXY="intranet,10.0.0.0/8")["services"][service]["environment"]
        assert environment["NO_PROXY"] == environment["no_proxy"]
        assert {"mlflow", "postgres", "localhost", "intranet", "10.0.0.0/8"} <= set(environment["NO_PROXY"].split(","))


def test_a_line_of_env_that_compose_cannot_read_is_reported_in_one_line():
    with pytest.raises(Failure) as raised:
        loaded("JUPYTER TOKEN=x")
    assert "key cannot contain a space" in error_line(raised)


# --- Settings and their defaults ---


def test_the_example_has_every_variable_and_no_other():
    used = {*re.findall(r"\$\{(\w+)", COMPOSE), *SECRETS, "COMPOSE_PROJECT_NAME"}
    assert sorted(re.findall(r"^#(\w+)=", EXAMPLE, flags=re.M)) == sorted(used)


def test_the_defaults_in_the_example_are_those_of_the_compose_file():
    assert set(re.findall(r"^#(\w+)=(.*)$", EXAMPLE, flags=re.M)) == DEFAULTS | {(name, "") for name in SECRETS}


def test_no_setting_is_required():
    assert re.findall(r"\$\{(\w+):\?", COMPOSE) == []
    assert docker_compose("config", "--quiet").ok


@pytest.mark.parametrize("name", sorted(name for name, _ in DEFAULTS))
def test_every_setting_has_an_effect_and_blank_means_the_default(name):
    default = docker_compose("config").stdout
    value = VALUES.get(name, "4321")
    assert docker_compose("config", env_file=f"{name}={value}\n").stdout.count(value) > default.count(value)
    assert docker_compose("config", env_file=f"{name}=\n").stdout == default


@pytest.mark.parametrize("service", compose.SERVICES)
def test_a_dockerfile_alone_builds_on_the_same_base_as_compose(service):
    dockerfile = (ROOT / images.FOLDERS[service] / "Dockerfile").read_text()
    assert images.default(dockerfile) == compose.base_image(real_configuration(), service)


# --- Passwords of any kind ---


@pytest.mark.parametrize("name", SECRETS)
def test_any_password_comes_through_env_unchanged(name):
    config = loaded(f"{name}={quoted(ABSURD)}\n")
    assert compose.environment(config, "secrets")[name] == ABSURD


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("password", [ABSURD, "$$", "$HOME", "a\\", "'", '"', "#"])
def test_any_password_comes_from_the_environment_unchanged(name, password):
    assert compose.environment(real_configuration(**{name: password}), "secrets")[name] == password


def test_the_quoting_in_the_example_works():
    example = re.search(r"between single quotes: NAME=('.*?')", EXAMPLE)[1]
    config = loaded(f"JUPYTER_TOKEN={example}")
    assert compose.environment(config, "secrets")["JUPYTER_TOKEN"] == example[1:-1]


# --- No engine ---


def test_invoke_says_in_one_line_that_no_engine_answers():
    command = [sys.executable, "-m", "invoke", "status"]
    ran = subprocess.run(command, cwd=ROOT, env=without_settings(), capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stderr.startswith("FAIL: no Docker engine answers: start Docker Desktop or the docker service")
    assert ran.stderr.count("\n") == 1
