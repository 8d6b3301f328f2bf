"""What a kernel that is killed has lost: nothing, or with MLFLOW_ENABLE_ASYNC_LOGGING what docker-compose.yml says."""

import json

import pytest

pytestmark = pytest.mark.stack

LOGGING_SECONDS = 8
# What is under way when the process is killed: a request to a server that may be busy.
UNDER_WAY_SECONDS = 5


def kept(toolbox, **settings):
    """Have a program log and be killed; return the times of what it logged, and of those what was found."""
    options = [word for name, value in settings.items() for word in ("--env", f"{name}={value}")]
    unit = (toolbox.root / "tests" / "units" / "log_and_be_killed.py").read_text()
    command = ["notebook", "python", "-c", unit, str(LOGGING_SECONDS)]
    killed = toolbox.run("docker", "compose", "exec", "--no-TTY", *options, *command)
    assert killed.returncode == 137, killed.stderr
    told = json.loads(killed.stdout.splitlines()[-1])
    rows = toolbox.sql("mlflow", "mlflow", f"SELECT value FROM metrics WHERE run_uuid = '{told['run']}' ORDER BY step")
    return told["logged"], [value for [value] in rows]


def test_nothing_that_was_logged_is_lost(toolbox):
    logged, found = kept(toolbox)
    assert len(logged) > 20
    assert found == logged


def test_with_buffers_no_more_is_lost_than_their_seconds(toolbox, record):
    buffer_seconds = int(toolbox.host("notebook").check_output("echo $MLFLOW_ASYNC_LOGGING_BUFFERING_SECONDS"))
    logged, found = kept(toolbox, MLFLOW_ENABLE_ASYNC_LOGGING="true")
    lost = sorted(set(logged) - set(found))
    seconds = logged[-1] - lost[0] if lost else 0
    record(f"killed with buffered logging: {len(logged)} logged, {len(lost)} lost, of the last {seconds:.1f} s")
    # It was sent in the meantime, and not only at the end, which a killed process does not have.
    assert found
    assert seconds <= buffer_seconds + UNDER_WAY_SECONDS
