"""MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING adds the load of the machine to the metrics of a run."""

import json

import pytest

pytestmark = pytest.mark.stack

# Many times the interval between two samples.
TIMEOUT_SECONDS = 60


def logged(toolbox, timeout, *options):
    """Log a run in the notebook container, with options of `docker compose exec`; return the names of its metrics."""
    program = (toolbox.root / "tests" / "inside" / "log_system_metrics.py").read_text()
    command = ["notebook", "python", "-c", program, str(timeout)]
    return json.loads(toolbox.compose("exec", "--no-TTY", *options, *command).splitlines()[-1])


def test_a_run_records_no_system_metrics_by_default(toolbox):
    interval = float(toolbox.host("notebook").check_output("echo $MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL"))
    assert logged(toolbox, 2 * interval) == ["loss"]


def test_a_short_run_records_system_metrics_if_they_are_switched_on(toolbox):
    switch = "--env=MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING=true"
    metrics = logged(toolbox, TIMEOUT_SECONDS, switch)
    assert {"loss", "system/cpu_utilization_percentage", "system/system_memory_usage_percentage"} <= set(metrics)
