"""toolbox.addresses, service_logs and health: what a start reports."""

from urllib.parse import parse_qs, urlsplit

import psycopg2.extensions
import pytest

from tests.support.layers import configuration, listed
from toolbox import addresses, compose, health, service_logs
from toolbox.compose import SERVICES

HEALTHY = dict.fromkeys(SERVICES, "running healthy")


def test_the_address_of_the_notebook_logs_in():
    token = "a b&c=d#e%20/ü$f"
    [line, *_] = addresses.summary(configuration(ports=(1, 2, 18888)), token, "x")
    service, address = line.split()
    address = urlsplit(address)
    assert service == "notebook"
    assert address.netloc == "127.0.0.1:18888"
    assert parse_qs(address.query) == {"token": [token]}


def test_the_address_of_the_database_is_complete_with_any_password():
    password = "a b:c@d/e?f#g%20ü"
    *_, line = addresses.summary(configuration(ports=(15432, 2, 3)), "x", password)
    assert psycopg2.extensions.parse_dsn(line.split()[1]) == {
        "user": "analyst",
        "password": password,
        "host": "127.0.0.1",
        "port": "15432",
        "dbname": "mlflow",
    }


def test_the_addresses_fit_80_columns():
    made = "x" * 24
    assert max(map(len, addresses.summary(configuration(ports=(55432, 55000, 58888)), made, made))) <= 80


@pytest.mark.parametrize("clear", ["", "\x1b[2K"])
@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_the_reason_why_a_service_did_not_start_is_found_in_its_log(clear, end):
    lines = ["starting", f"{clear}FAIL: first: do this.", "ERROR: FAIL: not this", f"{clear}FAIL: last: do that."]
    assert service_logs.refusals("\n".join(lines) + end) == ["first: do this.", "last: do that."]


@pytest.mark.parametrize(
    ("states", "first"),
    [
        (HEALTHY, None),
        (HEALTHY | {"mlflow": "running unhealthy", "notebook": "created"}, "mlflow"),
        (HEALTHY | {"postgres": "exited", "mlflow": "running unhealthy"}, "postgres"),
        ({"postgres": "running healthy", "mlflow": "running healthy"}, "notebook"),
        (HEALTHY | {"migrate": "exited"}, None),
        ({"postgres": "running healthy", "migrate": "exited 1", "mlflow": "created"}, "migrate"),
        ({"postgres": "exited", "migrate": "exited 1"}, "postgres"),
        ({"secrets": "exited 1", "postgres": "created"}, "secrets"),
        (HEALTHY | {"secrets": "exited"}, None),
    ],
    ids=[
        "none",
        "one that another waits for",
        "the one that starts first",
        "one without a container",
        "one that has succeeded",
        "one that has failed",
        "the dependency of one that has failed",
        "secrets, failed",
        "secrets, succeeded",
    ],
)
def test_the_first_service_that_is_not_healthy_is_found(states, first):
    assert health.first_unhealthy(compose.containers(listed(**states))) == first
