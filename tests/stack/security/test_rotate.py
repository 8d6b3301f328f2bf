"""New passwords and a new token on a running toolbox, also when that is cut off, or not the only thing that happens."""

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
    """A toolbox for these tests alone. (After the shared one, so that base images are built once.)"""
    copy = Copy(tmp_path_factory.mktemp("rotated") / "data-toolbox", chosen=False)
    try:
        copy.succeed("up")
        yield copy
    finally:
        copy.succeed("clean", "--yes")


def secrets(copy):
    """Return the passwords of the roles, and the token."""
    where = dict.fromkeys(DATABASES, "postgres") | {"token": "notebook"}
    return {name: copy.secret(where[name], name) for name in where}


def let_in(copy, known):
    """Return which of the secrets `known` let somebody in, from this machine."""
    inside = set()
    for role, database in DATABASES.items():
        try:
            copy.connect(role, database, password=known[role]).close()
            inside.add(role)
        except psycopg2.OperationalError as error:
            if "password authentication failed" not in str(error):
                raise
    if copy.get("notebook", "/api/contents", Authorization=f"token {known['token']}")[0] == 200:
        inside.add("token")
    return inside


def works(copy):
    """Return whether each service gets in with what it has, and those who know it from this machine."""
    return (
        copy.in_notebook("own_tables.py") == [["é", 1.5], ["b", 2.5]]
        and answers(copy)
        and let_in(copy, secrets(copy)) == {*DATABASES, "token"}
    )


def started(copy, *arguments):
    """Start a task, and return its process."""
    command = [sys.executable, "-m", "invoke", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=copy.root, env=surroundings(), text=True, start_new_session=True, **pipes)


def test_old_secrets_are_refused_and_new_ones_work_and_runs_stay(own, record):
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
    assert let_in(own, old) == set()
    assert works(own)
    assert f"/lab?token={new['token']}\n" in printed
    assert f"//analyst:{new['analyst']}@" in printed
    assert own.in_notebook("read_sql.py", logged["run_id"])["params"] == logged["params"]
    gone = [moment for moment, answered in moments if not answered]
    record(f"rotate: MLflow did not answer for {max(gone) - min(gone):.1f} s")


def test_of_two_at_once_one_is_refused_in_one_line(own):
    old = secrets(own)
    both = [started(own, "rotate") for _ in range(2)]
    ended = [(*process.communicate(), process.returncode) for process in both]
    assert sorted(code for *_, code in ended) == [0, 1]
    [refused] = [errors for _, errors, code in ended if code]
    assert re.fullmatch(
        r'FAIL: another task .* is running \("invoke rotate", process \d+\): wait until it ends\.\n', refused
    )
    assert let_in(own, old) == set()
    assert works(own)


def test_beside_another_start_one_is_refused_and_everyone_gets_in(own):
    old = secrets(own)
    both = [started(own, "rotate"), started(own, "up")]
    for process in both:
        process.communicate()
    rotated, up = (process.returncode for process in both)
    assert sorted([rotated, up]) == [0, 1]
    own.succeed("up")
    assert let_in(own, old) == (set(old) if rotated else set())
    assert works(own)


@pytest.mark.parametrize("seconds", [1, 4, 7, 9])
def test_killed_at_any_moment_the_next_start_lets_everyone_in(own, seconds):
    process = started(own, "rotate")
    time.sleep(seconds)
    subprocess.run(["pkill", "--signal", "KILL", "--session", str(process.pid)], check=False)
    process.communicate()
    own.succeed("up")
    assert works(own)
