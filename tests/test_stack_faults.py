"""The database goes away and comes back; who depends on it says so, waits, and needs no hand."""

import time

import pytest

pytestmark = pytest.mark.stack

# Three checks that fail, 10 s apart, each of them up to 10 s long, and room for a slow machine.
PATIENCE_SECONDS = 120


def until(condition):
    """Return once `condition` holds; fail when it does not within PATIENCE_SECONDS."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.5)


@pytest.fixture
def without_database(toolbox):
    """The toolbox with postgres stopped; started again afterwards, and healthy."""
    toolbox.compose("stop", "postgres")
    yield toolbox
    toolbox.compose("up", "--wait")


def test_mlflow_turns_unhealthy_and_says_why_and_recovers(without_database):
    toolbox = without_database
    until(lambda: toolbox.health("mlflow")[0] == "unhealthy")
    assert "database" in toolbox.health("mlflow")[1]
    assert "mlflow    running unhealthy" in toolbox.succeed("status")

    toolbox.compose("start", "postgres")
    until(lambda: toolbox.health("mlflow")[0] == "healthy")
    assert toolbox.get("mlflow", "/api/2.0/mlflow/experiments/get?experiment_id=0")[0] == 200


def test_mlflow_waits_for_a_database_that_is_not_there_yet(without_database):
    toolbox = without_database
    toolbox.run("docker", "restart", toolbox.container("mlflow"))
    until(lambda: "Waiting for the database: " in toolbox.compose("logs", "--tail", "3", "mlflow"))
    assert toolbox.inspect("mlflow")["State"]["Running"]

    toolbox.compose("start", "postgres")
    until(lambda: toolbox.health("mlflow")[0] == "healthy")
    assert toolbox.inspect("mlflow")["RestartCount"] == 0
