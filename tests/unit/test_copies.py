"""The report of a failed test contains no secrets of its toolbox."""

import pytest

from tests.support.copies import ABSURD, without_secrets
from tests.support.layers import SECRETS, docker_compose

VALUES = [{name: f"{number}{ABSURD}" for number, name in enumerate(SECRETS)}, SECRETS]


@pytest.mark.parametrize("values", VALUES, ids=["absurd", "plain"])
def test_a_configuration_is_shown_without_its_secrets(values):
    shown = without_secrets(docker_compose("config", **values).stdout)
    assert [name for name in SECRETS if f"{name}: ***\n" not in shown] == []
    assert "@g/h%i" not in shown
    assert "secret-of" not in shown
    assert "MLFLOW_WORKERS: " in shown


def test_the_address_that_a_notebook_logs_is_shown_without_its_token():
    assert without_secrets("notebook-1 | http://127.0.0.1:8888/lab?token=abc%20d\nnext\n").endswith(
        "?token=***\nnext\n"
    )
