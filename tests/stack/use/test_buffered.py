"""What of a program's metrics is stored: all, but with MLFLOW_ENABLE_ASYNC_LOGGING the last seconds of a killed one."""

import json
import re
import subprocess

import pytest

pytestmark = pytest.mark.stack

LOGGING_SECONDS = 8
# What is under way when the process is killed: a request to a server that may be busy.
UNDER_WAY_SECONDS = 5


def kept(toolbox, **settings):
    """Have a program log and be killed; return the times of what it logged, and of those what was found."""
    options = [word for name, value in settings.items() for word in ("--env", f"{name}={value}")]
    unit = (toolbox.root / "tests" / "inside" / "log_and_be_killed.py").read_text()
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


def command(toolbox, way):
    """Return the command for a program in the notebook that logs in a way of tests/inside/log_and_end.py, buffered."""
    unit = (toolbox.root / "tests" / "inside" / "log_and_end.py").read_text()
    # In a file, because a spawned process imports it.
    toolbox.compose("exec", "--no-TTY", "notebook", "sh", "-c", "cat > /tmp/log_and_end.py", stdin=unit)
    program = ["timeout", "200", "python", "/tmp/log_and_end.py", way]
    return ["docker", "compose", "exec", "--no-TTY", "--env", "MLFLOW_ENABLE_ASYNC_LOGGING=true", "notebook", *program]


def points(toolbox, printed):
    """Return how many points each run has whose id was printed."""
    return [
        toolbox.sql("mlflow", "mlflow", f"SELECT count(*) FROM metrics WHERE run_uuid = '{run}'")[0][0]
        for run in re.findall(r'^"([0-9a-f]{32})"$', printed, re.MULTILINE)
    ]


@pytest.mark.parametrize(
    ("way", "code", "stored"),
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
def test_a_buffer_is_stored_however_the_program_logs_and_ends(toolbox, way, code, stored):
    ended = toolbox.run(*command(toolbox, way))
    assert ended.returncode == code, ended.stderr
    assert points(toolbox, ended.stdout) == stored


def test_a_buffered_value_that_is_refused_is_reported_and_spoils_no_other(toolbox):
    ended = toolbox.run(*command(toolbox, "logs_what_is_refused"))
    assert ended.returncode == 0, ended.stderr
    assert points(toolbox, ended.stdout) == [50]
    for name in ("a bad * name", "longlong", "a far step", r"a bad \x00 param", r"a bad \x00 tag", "changed"):
        assert f"'{name}" in ended.stderr
    run, raised = map(json.loads, ended.stdout.splitlines())
    assert "Changing param values is not allowed" in raised
    kept = f"SELECT key, value FROM params WHERE run_uuid = '{run}' ORDER BY key"
    assert toolbox.sql("mlflow", "mlflow", kept) == [("changed", "3"), ("good", "1")]
    kept = f"SELECT value FROM tags WHERE run_uuid = '{run}' AND key = 'good'"
    assert toolbox.sql("mlflow", "mlflow", kept) == [("1",)]


def test_a_buffer_outlasts_a_server_that_is_away(toolbox):
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


def test_who_logs_a_value_that_is_cut_is_warned(toolbox):
    program = "import mlflow; mlflow.log_param('long', 'x' * 9000); mlflow.set_tags({'fits': 'x' * 8000})"
    ended = toolbox.run("docker", "compose", "exec", "--no-TTY", "notebook", "python", "-c", program)
    assert ended.returncode == 0, ended.stderr
    assert "'long' has 9000 characters, of which MLflow stores 6000" in ended.stderr
    assert "'fits'" not in ended.stderr


def test_an_evaluation_links_to_the_address_that_a_browser_knows(toolbox):
    program = (
        "import mlflow; from mlflow.genai.utils.display_utils import display_evaluation_output; "
        "display_evaluation_output(mlflow.start_run().info.run_id)"
    )
    printed = toolbox.compose("exec", "--no-TTY", "notebook", "python", "-c", program)
    assert toolbox.url("mlflow", "/#/experiments/") in printed
    assert "mlflow:5000" not in printed
