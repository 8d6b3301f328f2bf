"""All metrics of a program are stored, except with buffered logging the last seconds of a killed one."""

import json
import re
import subprocess

import pytest

pytestmark = pytest.mark.stack

LOGGING_SECONDS = 8
# For the request in flight when the process is killed, to a server that may be busy.
IN_FLIGHT_SECONDS = 5


def log_until_killed(toolbox, **settings):
    """Run a program that logs and is killed; return the values that it logged, and those stored."""
    options = [option for name, value in settings.items() for option in ("--env", f"{name}={value}")]
    program = (toolbox.root / "tests" / "inside" / "log_and_be_killed.py").read_text()
    command = ["notebook", "python", "-c", program, str(LOGGING_SECONDS)]
    killed = toolbox.run("docker", "compose", "exec", "--no-TTY", *options, *command)
    assert killed.returncode == 137, killed.stderr
    printed = json.loads(killed.stdout.splitlines()[-1])
    query = f"SELECT value FROM metrics WHERE run_uuid = '{printed['run']}' ORDER BY step"
    return printed["logged"], [value for [value] in toolbox.sql("mlflow", "mlflow", query)]


def test_a_killed_program_without_buffers_loses_nothing(toolbox):
    logged, found = log_until_killed(toolbox)
    assert len(logged) > 20
    assert found == logged


def test_a_killed_program_with_buffers_loses_only_the_last_seconds(toolbox, record):
    buffer_seconds = int(toolbox.host("notebook").check_output("echo $MLFLOW_ASYNC_LOGGING_BUFFERING_SECONDS"))
    logged, found = log_until_killed(toolbox, MLFLOW_ENABLE_ASYNC_LOGGING="true")
    lost = sorted(set(logged) - set(found))
    seconds = logged[-1] - lost[0] if lost else 0
    record(f"killed with buffered logging: {len(logged)} logged, {len(lost)} lost, of the last {seconds:.1f} s")
    # Metrics are sent while the program runs, not only at its end.
    assert found
    assert seconds <= buffer_seconds + IN_FLIGHT_SECONDS


def command(toolbox, function):
    """Return the command that runs a function of tests/inside/log_and_end.py in the notebook, with buffering."""
    source = (toolbox.root / "tests" / "inside" / "log_and_end.py").read_text()
    # In a file, because a spawned process imports it.
    toolbox.compose("exec", "--no-TTY", "notebook", "sh", "-c", "cat > /tmp/log_and_end.py", stdin=source)
    program = ["timeout", "200", "python", "/tmp/log_and_end.py", function]
    return ["docker", "compose", "exec", "--no-TTY", "--env", "MLFLOW_ENABLE_ASYNC_LOGGING=true", "notebook", *program]


def points(toolbox, printed):
    """Return the number of points of each run whose ID was printed."""
    return [
        toolbox.sql("mlflow", "mlflow", f"SELECT count(*) FROM metrics WHERE run_uuid = '{run}'")[0][0]
        for run in re.findall(r'^"([0-9a-f]{32})"$', printed, re.MULTILINE)
    ]


@pytest.mark.parametrize(
    ("function", "code", "stored"),
    [
        ("ends", 0, [50]),
        ("raises", 1, [50]),
        ("exits", 1, [50]),
        ("logs_at_exit", 0, [50]),
        ("threads", 0, [50] * 8),
        ("forks", 0, [51, 50]),
        ("workers", 0, [550]),
    ],
)
def test_buffered_metrics_are_stored_however_the_program_logs_and_ends(toolbox, function, code, stored):
    result = toolbox.run(*command(toolbox, function))
    assert result.returncode == code, result.stderr
    assert points(toolbox, result.stdout) == stored


def test_a_rejected_buffered_value_is_reported_and_does_not_affect_others(toolbox):
    result = toolbox.run(*command(toolbox, "logs_rejected_values"))
    assert result.returncode == 0, result.stderr
    assert points(toolbox, result.stdout) == [50]
    for name in ("a bad * name", "longlong", "a far step", r"a bad \x00 param", r"a bad \x00 tag", "changed"):
        assert f"'{name}" in result.stderr
    run, raised = map(json.loads, result.stdout.splitlines())
    assert "Changing param values is not allowed" in raised
    params = f"SELECT key, value FROM params WHERE run_uuid = '{run}' ORDER BY key"
    assert toolbox.sql("mlflow", "mlflow", params) == [("changed", "3"), ("good", "1")]
    tags = f"SELECT value FROM tags WHERE run_uuid = '{run}' AND key = 'good'"
    assert toolbox.sql("mlflow", "mlflow", tags) == [("1",)]


def test_buffered_metrics_survive_an_outage_of_the_server(toolbox):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": toolbox.root}
    with subprocess.Popen(command(toolbox, "waits"), **pipes) as program:
        printed = program.stdout.readline()
        try:
            toolbox.run("docker", "stop", toolbox.container("mlflow"))
            program.stdin.write("\n")
            program.stdin.flush()
            assert program.stdout.readline() == "logged\n"
        finally:
            toolbox.succeed("up")
        program.communicate(timeout=200)
    assert program.returncode == 0
    assert points(toolbox, printed) == [51]


def test_logging_a_value_that_mlflow_truncates_prints_a_warning(toolbox):
    program = "import mlflow; mlflow.log_param('long', 'x' * 9000); mlflow.set_tags({'fits': 'x' * 8000})"
    result = toolbox.run("docker", "compose", "exec", "--no-TTY", "notebook", "python", "-c", program)
    assert result.returncode == 0, result.stderr
    assert "'long' has 9000 characters, of which MLflow stores 6000" in result.stderr
    assert "'fits'" not in result.stderr


def test_an_evaluation_links_to_the_address_that_a_browser_can_open(toolbox):
    program = (
        "import mlflow; from mlflow.genai.utils.display_utils import display_evaluation_output; "
        "display_evaluation_output(mlflow.start_run().info.run_id)"
    )
    printed = toolbox.compose("exec", "--no-TTY", "notebook", "python", "-c", program)
    assert toolbox.url("mlflow", "/#/experiments/") in printed
    assert "mlflow:5000" not in printed
