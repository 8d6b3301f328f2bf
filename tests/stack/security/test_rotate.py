"""Passwords and token are replaced on a running toolbox, even if that is interrupted or runs next to another task."""

import re
import subprocess
import sys
import threading
import time

import psycopg2
import pytest

from tests.support.copies import Copy, surroundings
from tests.support.waiting import answers

pytestmark = pytest.mark.stack

DATABASES = {"mlflow": "mlflow", "analyst": "datasets"}


@pytest.fixture(scope="module")
def own(tmp_path_factory, toolbox):
    """A separate toolbox, created after the shared one, so that base images are built once."""
    copy = Copy(tmp_path_factory.mktemp("rotated") / "data-toolbox", chosen=False)
    try:
        copy.succeed("up")
        yield copy
    finally:
        copy.succeed("clean", "--yes")


def secrets(copy):
    """Return the passwords of the roles, and the token."""
    services = dict.fromkeys(DATABASES, "postgres") | {"token": "notebook"}
    return {name: copy.secret(service, name) for name, service in services.items()}


def accepted(copy, known):
    """Return which of the secrets `known` are accepted from this machine."""
    valid = set()
    for role, database in DATABASES.items():
        try:
            copy.connect(role, database, password=known[role]).close()
            valid.add(role)
        except psycopg2.OperationalError as error:
            if "password authentication failed" not in str(error):
                raise
    if copy.get("notebook", "/api/contents", Authorization=f"token {known['token']}")[0] == 200:
        valid.add("token")
    return valid


def works(copy):
    """Return whether the services can log in with their secrets, and so can clients on this machine."""
    return (
        copy.in_notebook("own_tables.py") == [["é", 1.5], ["b", 2.5]]
        and answers(copy)
        and accepted(copy, secrets(copy)) == {*DATABASES, "token"}
    )


def start_task(copy, *arguments):
    """Start a task; return its process."""
    command = [sys.executable, "-m", "invoke", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=copy.root, env=surroundings(), text=True, start_new_session=True, **pipes)


def test_after_rotate_only_the_new_secrets_work_and_runs_are_kept(own, record):
    logged = own.in_notebook("train.py")
    old = secrets(own)
    moments, over = [], threading.Event()

    def watch():
        while not over.is_set():
            moments.append((time.monotonic(), answers(own)))
            time.sleep(0.1)

    watching = threading.Thread(target=watch)
    watching.start()
    printed = own.succeed("rotate")
    over.set()
    watching.join()
    new = secrets(own)
    assert set(old.values()) & set(new.values()) == set()
    assert accepted(own, old) == set()
    assert works(own)
    assert f"/lab?token={new['token']}\n" in printed
    assert f"//analyst:{new['analyst']}@" in printed
    assert own.in_notebook("read_sql.py", logged["run_id"])["params"] == logged["params"]
    outage = [moment for moment, answered in moments if not answered]
    record(f"rotate: MLflow did not answer for {max(outage) - min(outage):.1f} s")


def test_of_two_concurrent_rotates_one_is_refused_in_one_line(own):
    old = secrets(own)
    both = [start_task(own, "rotate") for _ in range(2)]
    ended = [(*process.communicate(), process.returncode) for process in both]
    assert sorted(code for *_, code in ended) == [0, 1]
    [refused] = [errors for _, errors, code in ended if code]
    assert re.fullmatch(
        r'FAIL: another task .* is running \("invoke rotate", process \d+\): wait until it ends\.\n', refused
    )
    assert accepted(own, old) == set()
    assert works(own)


def test_of_concurrent_rotate_and_up_one_is_refused_and_the_toolbox_works(own):
    old = secrets(own)
    both = [start_task(own, "rotate"), start_task(own, "up")]
    for process in both:
        process.communicate()
    rotated, up = (process.returncode for process in both)
    assert sorted([rotated, up]) == [0, 1]
    own.succeed("up")
    assert accepted(own, old) == (set(old) if rotated else set())
    assert works(own)


@pytest.mark.parametrize("seconds", [1, 4, 7, 9])
def test_the_toolbox_works_after_the_next_start_whenever_rotate_is_killed(own, seconds):
    process = start_task(own, "rotate")
    time.sleep(seconds)
    subprocess.run(["pkill", "--signal", "KILL", "--session", str(process.pid)], check=False)
    process.communicate()
    own.succeed("up")
    assert works(own)
