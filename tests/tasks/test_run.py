"""run: the launcher, with a script in place of Python, so that nothing is installed."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.support.layers import ROOT

# Replaces every python3 and the one in .venv: logs its arguments, copies itself into environments, and runs no tasks.
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
        """Return the steps done so far: creating an environment, installing its packages, installing an engine."""
        steps = {"-m venv": "created", "-m pip": "installed", "engine": "engine"}
        lines = self.log.read_text().splitlines()
        return [step for line in lines for start, step in steps.items() if line.startswith(start)]


@pytest.fixture
def run(tmp_path):
    yield Launcher(tmp_path)
    assert [*Path().glob("PWNED"), *tmp_path.rglob("PWNED")] == []


def test_the_first_run_creates_the_environment_and_each_run_calls_the_tasks(run):
    for _ in range(2):
        ran = run("psql", "--command", "SELECT 'a b'")
        assert ran.stdout == f"{run.root}/tasks.py psql --command SELECT 'a b'\n"
        assert ran.returncode == 0
    assert run.done() == ["created", "installed"]


def test_packages_are_installed_only_with_hashes(run):
    run("--list")
    assert f"--require-hashes --requirement {run.root}/requirements.txt" in run.log.read_text()


@pytest.mark.parametrize("task", ["test", "lint", "lock", "dev.bench"])
def test_packages_of_developers_are_installed_once_and_only_for_their_tasks(run, task):
    run("up")
    run(task, "--help")
    assert run.done() == ["created", "installed"]
    for _ in range(2):
        assert run(task).stdout == f"{run.root}/tasks.py {task}\n"
    assert run.done() == ["created", "installed", "installed"]
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
    assert run.done() == ["created", *["installed"] * 4]


def test_a_changed_lock_recreates_the_environment(run):
    run("--list")
    with (run.root / "requirements.txt").open("a") as lock:
        lock.write("# Changed.\n")
    run("--list")
    assert run.done() == ["created", "installed"] * 2


def test_an_environment_without_its_python_is_recreated(run):
    run("--list")
    run.program(run.root / ".venv" / "bin" / "python", "exit 127")
    run("--list")
    assert run.done() == ["created", "installed"] * 2


def test_an_environment_is_recreated_for_a_newer_python_that_does_not_find_its_packages(run):
    run("--list")
    run("--list", NO_PACKAGES="1")
    assert run.done() == ["created", "installed"] * 2


def test_the_launcher_finds_its_clone_however_it_is_called(run):
    run("--list")
    options = {"cwd": run.root, "env": {"PATH": f"{run.programs}:/usr/bin:/bin", "LOG": str(run.log), "CDPATH": "/"}}
    for command in (["./run"], ["sh", "run"], ["sh", "./bare-machine/../run"]):
        assert subprocess.run(command, **options, capture_output=True, check=False).returncode == 0
    assert run.done() == ["created", "installed"]


def test_the_launcher_refuses_to_run_through_a_link(run, tmp_path):
    (tmp_path / "other" / ".venv").mkdir(parents=True)
    (tmp_path / "other" / "run").symlink_to(run.root / "run")
    ran = subprocess.run([tmp_path / "other" / "run", "up"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert "by its own path, not through a link." in ran.stderr
    assert (tmp_path / "other" / ".venv").exists()


def test_a_clone_in_a_folder_with_a_colon_is_refused(tmp_path):
    failed = Launcher(tmp_path, "a:b")("up")
    assert failed.returncode == 1
    assert failed.stderr.startswith("FAIL: Python cannot create an environment in a path with a colon")
    assert failed.stderr.count("\n") == 1


def test_a_failed_installation_of_packages_is_reported_in_one_line_and_repeated(run):
    failed = run("up", PIP="1")
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert failed.stderr.splitlines()[1:] == [
        "FAIL: the packages of requirements.txt could not be installed: the message is above."
    ]
    assert run("--list").returncode == 0
    assert run.done() == ["created", "installed"] * 2


def test_a_failed_installation_of_packages_leaves_no_environment(run):
    run("up", PIP="1")
    assert not (run.root / ".venv").exists()


def test_a_disk_without_space_for_an_environment_is_reported_before_anything_is_done(run):
    run.program(run.programs / "df", "printf 'a b c d\\n/dev/a 1 1 12000 99%% /\\n'")
    failed = run("up")
    assert failed.returncode == 1
    assert failed.stderr == "FAIL: .venv takes up to 100 MB, and its disk has 12 MB free: free some space.\n"
    assert run.done() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is needed")
def test_a_clone_of_another_user_is_reported_before_anything_is_done(tmp_path):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        run = Launcher(Path(folder))
        ran = subprocess.run([run.root / "run", "up"], user=65534, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stderr.startswith("FAIL: you cannot write to this clone")
    assert ran.stderr.count("\n") == 1


def test_without_a_recent_python_the_launcher_says_what_to_install(run):
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
def test_no_engine_is_installed_unless_it_is_needed_and_allowed(run, arguments, variables):
    if arguments != ["up"] or variables:
        run.program(run.programs / "id", "echo 0")
    assert run(*arguments, **variables).returncode == 0
    assert "engine" not in run.done()


def test_no_engine_is_installed_if_one_answers(run):
    run.program(run.programs / "id", "echo 0")
    run.program(run.programs / "docker", "exit 0")
    run("up")
    assert "engine" not in run.done()


def test_root_gets_an_engine_only_on_debian_and_ubuntu(run):
    run.program(run.programs / "id", "echo 0")
    assert run("up").returncode == 0
    release = Path("/etc/os-release")
    names = release.read_text().splitlines() if release.exists() else []
    assert ("engine" in run.done()) == ("ID=debian" in names or "ID=ubuntu" in names)


def test_no_engine_is_installed_for_a_misspelt_task(run):
    run.program(run.programs / "id", "echo 0")
    assert run("upp", UNKNOWN="1").returncode == 1
    assert "engine" not in run.done()
