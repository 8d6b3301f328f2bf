"""toolbox.compose: the configuration as Compose understands it."""

import json

import pytest
from invoke import Result

from tests.support.layers import configuration, error_line, listed
from toolbox import compose
from toolbox.errors import Failure


def load(result):
    return compose.load(lambda *_: result)


def loaded(config):
    return load(Result(json.dumps(config)))


def test_a_variable_has_the_value_that_the_container_sees():
    config = loaded(configuration(JUPYTER_TOKEN="a$b$$c${d}"))
    assert compose.environment(config, "secrets") == {"JUPYTER_TOKEN": "a$b$$c${d}"}


@pytest.mark.parametrize(
    ("variables", "chosen"),
    [
        ({}, []),
        ({"JUPYTER_TOKEN": "", "ANALYST_DB_PASSWORD": " \t", "OTHER": "x"}, []),
        ({"ANALYST_DB_PASSWORD": "x", "JUPYTER_TOKEN": "y"}, ["JUPYTER_TOKEN", "ANALYST_DB_PASSWORD"]),
        ({"MLFLOW_DB_PASSWORD_FILE": "/run/secrets/mlflow"}, ["MLFLOW_DB_PASSWORD"]),
    ],
    ids=["none", "blank", "two", "a file"],
)
def test_the_secrets_that_are_set_are_found(variables, chosen):
    assert compose.chosen_secrets(configuration(**variables)) == chosen


@pytest.mark.parametrize("port", ["0", "5000-5010"])
def test_a_port_must_be_one_number(port):
    with pytest.raises(Failure) as raised:
        loaded(configuration(ports=(5432, port, 8888)))
    assert f"MLFLOW_PORT in .env is {port}: set it to one number" in error_line(raised)


@pytest.mark.parametrize(
    "spoil",
    [lambda services: services.pop("mlflow"), lambda services: services["mlflow"].pop("ports")]
    + [lambda services, name=name: services["mlflow"]["ports"][0].pop(name) for name in ("published", "host_ip")],
    ids=["no service", "no ports", "no number", "no address"],
)
def test_an_override_that_removes_what_the_tasks_need_is_reported_in_one_line(spoil):
    config = configuration()
    spoil(config["services"])
    with pytest.raises(Failure) as raised:
        loaded(config)
    assert "the configuration lacks mlflow, or its port or address: correct" in error_line(raised)


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [
        (
            'time="..." level=warning msg="The \\"b\\" variable is not set."\nInvalid hostPort: abc\n',
            "Invalid hostPort: abc",
        ),
        ("", "no reason given"),
    ],
    ids=["after a warning", "without a message"],
)
def test_another_error_of_compose_is_passed_on_in_one_line(stderr, reason):
    with pytest.raises(Failure) as raised:
        load(Result("", stderr, exited=1))
    line = error_line(raised)
    assert line.startswith(f"FAIL: Docker Compose does not accept the configuration ({reason}): correct .env")


def test_containers_are_found_by_their_service():
    found = compose.containers(listed(postgres="running healthy", mlflow="exited"))
    assert found["postgres"]["Health"] == "healthy"
    assert found["mlflow"]["State"] == "exited"
    assert compose.containers("") == {}


def test_a_container_of_docker_compose_run_is_not_that_of_a_service():
    one = {"Service": "mlflow", "ID": "run", "Labels": "a=b,com.docker.compose.oneoff=True"}
    own = {"Service": "mlflow", "ID": "own", "Labels": "a=b,com.docker.compose.oneoff=False"}
    for order in ([one, own], [own, one]):
        assert compose.containers("\n".join(map(json.dumps, order)))["mlflow"]["ID"] == "own"


def test_a_line_that_compose_cannot_read_is_reported_whatever_the_folder_is_called():
    for folder in ("/box", "/a b: c;d", "/new\nline"):
        with pytest.raises(Failure) as raised:
            load(Result("", f'failed to read {folder}/.env: line 9: unterminated quoted value "x\n', exited=1))
        assert "cannot read line 9 of .env (unterminated quoted value): correct it." in error_line(raised)
