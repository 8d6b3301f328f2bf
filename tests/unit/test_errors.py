"""toolbox.errors: an error of the operating system ends a task with one line and no traceback."""

import errno
import os
import subprocess
import sys

import pytest
from invoke import Context

from tests.support.layers import ROOT, error_line
from toolbox import decorators, engine, errors

RUN = [sys.executable, ROOT / "tasks.py"]
INVOKE = [sys.executable, "-m", "invoke"]


def failing(error):
    """Return a task that raises an error."""

    @decorators.dev_task
    def body(c):
        raise error

    return lambda: body(Context())


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "check its owner"),
        (errno.ENOENT, "missing"),
    ],
)
def test_an_error_of_the_system_is_one_line_with_the_file_and_a_remedy(number, remedy):
    with pytest.raises(errors.Failure) as raised:
        failing(OSError(number, os.strerror(number), "/some/file\nwith\x1b[2J a line end"))()
    line = error_line(raised)
    assert line.startswith(f"FAIL: /some/file with [2J a line end cannot be used ({os.strerror(number)}): ")
    assert remedy in line


@pytest.mark.parametrize("command", [RUN, INVOKE], ids=["./run", "invoke"])
def test_output_to_a_full_disk_is_reported_in_one_line(command):
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [*command, "backups"], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert ran.returncode == 1
    assert ran.stderr == "FAIL: the task cannot continue (No space left on device): free some space on its disk.\n"


@pytest.mark.parametrize("arguments", [[*RUN, "backups"], [*INVOKE, "backups"], [*RUN, "help"], [*RUN, "help", "up"]])
def test_a_closed_pipe_ends_a_task_without_a_message(arguments):
    reading, writing = os.pipe()
    os.close(reading)
    ran = subprocess.run(arguments, cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert ran.returncode == 128 + 13
    assert ran.stderr == ""


def test_a_file_name_that_is_not_valid_text_is_printed(tmp_path):
    program = (
        "import os; from invoke import Context; from toolbox import decorators;"
        "decorators.dev_task(lambda c: print(os.fsdecode(b'n\\xff')))(Context())"
    )
    environment = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, check=False)
    assert ran.stdout == b"n\\udcff\n"


def test_a_docker_directory_that_cannot_be_written_is_reported_before_a_build(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "made" / "later"))
    engine.check_config_folder()
    # Where not even root can write.
    monkeypatch.setenv("DOCKER_CONFIG", "/dev/null/settings")
    with pytest.raises(errors.Failure) as raised:
        engine.check_config_folder()
    assert "set DOCKER_CONFIG to another folder" in error_line(raised)
