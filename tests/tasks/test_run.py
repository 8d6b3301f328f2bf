"""run: the launcher, with a Python that is played by a script, so that nothing is installed."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.support.layers import ROOT

# Plays every python3 and the one in .venv: notes what it is told, makes an environment with itself, and runs no tasks.
PYTHON = """#!/bin/sh
printf "%s\\n" "$*" >>"$LOG"
case "$1 $2" in
"-m venv")
    mkdir -p "$3/bin"
    cp "$0" "$3/bin/python"
    ;;
"-m pip") exit "${PIP:-0}" ;;
"-I -c") exit "${NO_PACKAGES:-0}" ;;
-c*) exit "${OLD:-0}" ;;
*/tasks.py" help") exit "${UNKNOWN:-0}" ;;
*/tasks.py*) printf "%s\\n" "$*" ;;
esac
"""
PYTHONS = ("python3", *(f"python3.{minor}" for minor in range(10, 15)))


class Launcher:
    """A copy of the launcher in a folder with a difficult name, for a user who is not root and has no Docker."""

    def __init__(self, folder, name="a b'c\"d;touch PWNED;$(touch PWNED)\\\\n%s*\n"):
        self.root = folder / name
        self.log = folder / "log"
        self.log.touch()
        for name in ("bare-machine", "tests"):
            (self.root / name).mkdir(parents=True)
        for name in ("run", "requirements.txt", "tests/requirements.txt", "tasks.py"):
            shutil.copy(ROOT / name, self.root / name)
        self.programs = folder / "bin"
        self.programs.mkdir()
        self.program(self.root / "bare-machine" / "install-engine", 'echo engine >>"$LOG"')
        self.program(self.programs / "id", "echo 1000")
        self.program(self.programs / "docker", "exit 1")
        for name in PYTHONS:
            self.program(self.programs / name, PYTHON)

    def program(self, path, text):
        path.write_text(text if text.startswith("#!") else f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def __call__(self, *arguments, **variables):
        environment = {"PATH": f"{self.programs}:/usr/bin:/bin", "LOG": str(self.log)} | variables
        command = [self.root / "run", *arguments]
        return subprocess.run(command, env=environment, input="", capture_output=True, text=True, check=False)

    def done(self):
        """Return which of these were done so far, in order: making an environment, filling it, installing an engine."""
        steps = {"-m venv": "made", "-m pip": "filled", "engine": "engine"}
        lines = self.log.read_text().splitlines()
        return [step for line in lines for start, step in steps.items() if line.startswith(start)]


@pytest.fixture
def run(tmp_path):
    yield Launcher(tmp_path)
    assert [*Path().glob("PWNED"), *tmp_path.rglob("PWNED")] == []


def test_the_first_time_it_makes_the_environment_and_every_time_it_hands_over_to_the_tasks(run):
    for _ in range(2):
        ran = run("psql", "--command", "SELECT 'a b'")
        assert ran.stdout == f"{run.root}/tasks.py psql --command SELECT 'a b'\n"
        assert ran.returncode == 0
    assert run.done() == ["made", "filled"]


def test_packages_are_installed_with_their_hashes_only(run):
    run("--list")
    assert f"--require-hashes --requirement {run.root}/requirements.txt" in run.log.read_text()


@pytest.mark.parametrize("task", ["test", "lint", "lock", "dev.bench"])
def test_packages_of_developers_are_installed_once_and_only_for_their_tasks(run, task):
    run("up")
    run(task, "--help")
    assert run.done() == ["made", "filled"]
    for _ in range(2):
        assert run(task).stdout == f"{run.root}/tasks.py {task}\n"
    assert run.done() == ["made", "filled", "filled"]
    assert f"--require-hashes --requirement {run.root}/tests/requirements.txt" in run.log.read_text()


def test_packages_of_developers_are_installed_again_after_a_failure_and_when_they_change(run):
    run("up")
    failed = run("test", PIP="1")
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[1:] == [
        "FAIL: the packages of tests/requirements.txt could not be installed: the message is above."
    ]
    run("test")
    with (run.root / "tests" / "requirements.txt").open("a") as lock:
        lock.write("# Changed.\n")
    run("test")
    assert run.done() == ["made", *["filled"] * 4]


def test_another_lock_makes_another_environment(run):
    run("--list")
    with (run.root / "requirements.txt").open("a") as lock:
        lock.write("# Changed.\n")
    run("--list")
    assert run.done() == ["made", "filled"] * 2


def test_an_environment_whose_python_is_gone_is_made_again(run):
    run("--list")
    run.program(run.root / ".venv" / "bin" / "python", "exit 127")
    run("--list")
    assert run.done() == ["made", "filled"] * 2


def test_an_environment_is_made_again_for_a_newer_python_that_does_not_find_its_packages(run):
    run("--list")
    run("--list", NO_PACKAGES="1")
    assert run.done() == ["made", "filled"] * 2


def test_it_is_found_however_it_is_called(run):
    run("--list")
    beside = {"cwd": run.root, "env": {"PATH": f"{run.programs}:/usr/bin:/bin", "LOG": str(run.log), "CDPATH": "/"}}
    for command in (["./run"], ["sh", "run"], ["sh", "./bare-machine/../run"]):
        assert subprocess.run(command, **beside, capture_output=True, check=False).returncode == 0
    assert run.done() == ["made", "filled"]


def test_a_link_to_it_touches_no_other_environment(run, tmp_path):
    (tmp_path / "other" / ".venv").mkdir(parents=True)
    (tmp_path / "other" / "run").symlink_to(run.root / "run")
    ran = subprocess.run([tmp_path / "other" / "run", "up"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert "by its own path, and not by a link." in ran.stderr
    assert (tmp_path / "other" / ".venv").exists()


def test_python_makes_no_environment_in_a_folder_with_a_colon(tmp_path):
    failed = Launcher(tmp_path, "a:b")("up")
    assert failed.returncode == 1
    assert failed.stderr.startswith("FAIL: Python makes no environment in a folder with a colon")
    assert failed.stderr.count("\n") == 1


def test_an_environment_that_could_not_be_filled_is_told_in_one_line_and_made_again(run):
    failed = run("up", PIP="1")
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert failed.stderr.splitlines()[1:] == [
        "FAIL: the packages of requirements.txt could not be installed: the message is above."
    ]
    assert run("--list").returncode == 0
    assert run.done() == ["made", "filled"] * 2


def test_an_environment_that_could_not_be_made_leaves_nothing(run):
    run("up", PIP="1")
    assert not (run.root / ".venv").exists()


def test_a_disk_without_room_for_an_environment_is_told_before_anything_is_done(run):
    run.program(run.programs / "df", "printf 'a b c d\\n/dev/a 1 1 12000 99%% /\\n'")
    failed = run("up")
    assert failed.returncode == 1
    assert failed.stderr == "FAIL: .venv takes up to 100 MB, and its disk has 12 MB free: make room there.\n"
    assert run.done() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is needed")
def test_a_clone_of_somebody_else_is_told_before_anything_is_done(tmp_path):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        run = Launcher(Path(folder))
        ran = subprocess.run([run.root / "run", "up"], user=65534, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stderr.startswith("FAIL: you cannot write to the folder of the clone")
    assert ran.stderr.count("\n") == 1


def test_without_a_python_that_is_new_enough_it_says_what_to_install(run):
    failed = run("up", OLD="1")
    assert failed.returncode == 1
    assert failed.stderr.startswith("FAIL: there is no Python 3.10 or later")
    assert failed.stderr.count("\n") == 1
    assert not (run.root / ".venv").exists()


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (["up"], {}),
        (["up"], {"DOCKER_HOST": "tcp://elsewhere:2375"}),
        (["up"], {"DOCKER_CONTEXT": "elsewhere"}),
        (["init"], {}),
        (["--list"], {}),
        (["help", "up"], {}),
        (["up", "--help"], {}),
        ([], {}),
    ],
    ids=["not root", "DOCKER_HOST", "DOCKER_CONTEXT", "init", "--list", "help", "help at the end", "nothing"],
)
def test_no_engine_is_installed_unless_it_is_needed_and_may_be(run, arguments, variables):
    if arguments != ["up"] or variables:
        run.program(run.programs / "id", "echo 0")
    assert run(*arguments, **variables).returncode == 0
    assert "engine" not in run.done()


def test_no_engine_is_installed_where_one_answers(run):
    run.program(run.programs / "id", "echo 0")
    run.program(run.programs / "docker", "exit 0")
    run("up")
    assert "engine" not in run.done()


def test_root_gets_an_engine_on_debian_and_ubuntu_and_nowhere_else(run):
    run.program(run.programs / "id", "echo 0")
    assert run("up").returncode == 0
    release = Path("/etc/os-release")
    names = release.read_text().splitlines() if release.exists() else []
    assert ("engine" in run.done()) == ("ID=debian" in names or "ID=ubuntu" in names)


def test_no_engine_is_installed_for_a_word_that_is_misspelt(run):
    run.program(run.programs / "id", "echo 0")
    assert run("upp", UNKNOWN="1").returncode == 1
    assert "engine" not in run.done()
