"""toolbox.lock: tasks in several processes exclude each other."""

import os
import subprocess
import sys

import pytest

from tests.support.copies import ROOT
from tests.support.layers import error_line
from toolbox import lock
from toolbox.errors import Failure

# Holds the lock until its input ends.
HOLDER = """
import sys
from pathlib import Path
from toolbox import lock
with lock.exclusive(Path(sys.argv[1]), "backup"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / ".lock"


@pytest.fixture
def holder(path):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", HOLDER, path], cwd=ROOT, **pipes) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def refusal(path):
    with pytest.raises(Failure) as raised, lock.exclusive(path, "rotate"):
        pytest.fail("two tasks hold the lock")
    return error_line(raised)


def test_a_second_task_is_refused_with_the_name_of_the_first(path, holder):
    line = f'FAIL: another task of this toolbox is running ("invoke backup", process {holder.pid}): wait until it ends.'
    assert refusal(path) == line


@pytest.mark.parametrize("end", ["kill", "terminate"])
def test_a_task_that_was_killed_releases_its_lock(path, holder, end):
    getattr(holder, end)()
    holder.wait()
    with lock.exclusive(path, "rotate"):
        pass


def test_a_task_that_fails_releases_its_lock(path):
    with pytest.raises(ZeroDivisionError), lock.exclusive(path, "up"):
        raise ZeroDivisionError
    with lock.exclusive(path, "up"):
        pass


def test_only_its_owner_can_open_the_lock_file(path):
    before = os.umask(0)
    try:
        with lock.exclusive(path, "up"):
            assert path.stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


def test_a_symbolic_link_in_place_of_the_lock_file_is_not_followed(path, tmp_path):
    (tmp_path / "kept").write_text("kept")
    path.symlink_to("kept")
    assert "cannot be opened" in refusal(path)
    assert (tmp_path / "kept").read_text() == "kept"


def test_a_lock_file_that_cannot_be_created_is_reported(tmp_path):
    line = refusal(tmp_path / "none" / ".lock")
    assert "/none/.lock cannot be opened (No such file or directory): run this as the owner of the folder" in line


def test_the_lock_file_is_deleted_with_its_lock(path):
    with lock.exclusive(path, "up"):
        assert path.exists()
    assert not path.exists()


def test_processes_that_wait_for_a_lock_hold_it_one_after_the_other(path, tmp_path):
    # Each adds one to a number, in two steps between which another could read it.
    program = """
import sys
from pathlib import Path
from toolbox import lock
path, number = map(Path, sys.argv[1:])
for _ in range(50):
    with lock.exclusive_after_wait(path):
        number.write_text(str(int(number.read_text()) + 1))
"""
    number = tmp_path / "number"
    number.write_text("0")
    command = [sys.executable, "-c", program, path, number]
    for process in [subprocess.Popen(command, cwd=ROOT) for _ in range(4)]:
        assert process.wait() == 0
    assert number.read_text() == "200"
