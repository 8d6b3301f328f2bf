"""While the database is unavailable, MLflow reports it and waits; afterwards it recovers by itself."""

import time

import pytest

from tests.support.waiting import DATABASE_ROUTE, answers, is_healthy, until

pytestmark = pytest.mark.stack


@pytest.fixture
def without_database(toolbox):
    """The toolbox with postgres stopped; it is started again afterwards."""
    toolbox.compose("stop", "postgres")
    yield toolbox
    toolbox.compose("up", "--wait")


def test_mlflow_without_its_database_becomes_unhealthy_with_the_reason_and_recovers(without_database):
    toolbox = without_database
    until(lambda: toolbox.health("mlflow")[0] == "unhealthy", "mlflow is unhealthy")
    assert "database" in toolbox.health("mlflow")[1]
    assert "mlflow    unhealthy" in toolbox.succeed("status")

    toolbox.compose("start", "postgres")
    until(lambda: is_healthy(toolbox, "mlflow"), "mlflow is healthy")
    assert answers(toolbox)


def test_mlflow_waits_at_its_start_until_the_database_is_available(without_database, record):
    toolbox = without_database
    toolbox.run("docker", "restart", toolbox.container("mlflow"))
    until(lambda: "Waiting for the database: " in toolbox.compose("logs", "--tail", "3", "mlflow"), "mlflow waits")
    assert toolbox.inspect("mlflow")["State"]["Running"]

    toolbox.compose("start", "postgres")
    start = time.monotonic()
    until(lambda: answers(toolbox), "MLflow answers")
    record(f"mlflow started before its database: answered after {time.monotonic() - start:.1f} s")
    until(lambda: is_healthy(toolbox, "mlflow"), "mlflow is healthy")
    assert toolbox.inspect("mlflow")["RestartCount"] == 0


@pytest.fixture
def unreachable_database(toolbox):
    """The toolbox with open connections to a database that was disconnected; it is connected again afterwards."""
    # Enough requests for both workers to have connections.
    assert all(answers(toolbox) for _ in range(20))
    network, container = f"{toolbox.project}_default", toolbox.container("postgres")
    toolbox.run("docker", "network", "disconnect", network, container)
    yield toolbox
    toolbox.run("docker", "network", "connect", "--alias", "postgres", network, container)
    until(lambda: is_healthy(toolbox, "mlflow", "postgres"), "both are healthy")


def test_a_request_fails_within_five_seconds_if_the_database_is_unreachable(unreachable_database, record):
    slowest = 0.0
    for _ in range(4):
        start = time.monotonic()
        status, text = unreachable_database.get("mlflow", DATABASE_ROUTE, timeout=60)
        slowest = max(slowest, time.monotonic() - start)
        assert status == 503
        assert b"psycopg2.OperationalError" in text
    record(f"database unreachable: every request is answered, the slowest after {slowest:.1f} s")
    assert slowest < 5
