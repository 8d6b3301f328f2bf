"""toolbox.cli: `./run` with its help, and its messages about misspelt words."""

import subprocess
import sys

import pytest
from invoke import Collection

import tasks
from tests.support.layers import ROOT

LISTED = Collection.from_module(tasks).tasks


def run(*arguments):
    """Run tasks.py as `./run` does; return the result."""
    return subprocess.run(
        [sys.executable, "tasks.py", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def shown():
    """The help."""
    return run("--help").stdout


def test_every_task_is_in_one_group():
    grouped = [task for group in tasks.GROUPS.values() for task in group]
    assert sorted(task.name for task in grouped) == sorted(LISTED)


@pytest.mark.parametrize("asked", [(), ("help",), ("-h",)], ids=["nothing", "help", "-h"])
def test_help_is_shown_however_it_is_asked_for(shown, asked):
    asking = run(*asked)
    assert (asking.returncode, asking.stdout) == (0, shown)


def test_help_names_every_task_and_no_option_of_invoke(shown):
    assert {line.split()[0] for line in shown.splitlines() if line.startswith("  ")} >= set(LISTED)
    assert " -" not in shown.replace("with --yes", "")


@pytest.mark.parametrize("asked", [("help", "up"), ("up", "--help"), ("--help", "up")], ids=" ".join)
def test_help_on_a_task_shows_what_it_does_and_its_options(asked):
    printed = run(*asked).stdout
    assert printed.startswith("Usage: ./run up [OPTIONS]\n\nBuild and start everything")
    assert "--insecure" in printed
    assert "core" not in printed


@pytest.mark.parametrize("name", ["down", "logs"])
def test_help_on_a_task_works_with_and_without_options(name):
    asking = run("help", name)
    assert (asking.returncode, asking.stderr) == (0, "")
    assert asking.stdout.startswith(f"Usage: ./run {name}")


def test_help_on_a_task_names_its_required_arguments():
    assert run("help", "restore").stdout.startswith("Usage: ./run restore FILE [OPTIONS]\n")


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        (["upp"], 'there is no task "upp": did you mean up? "./run help" shows all.'),
        (["qqqq"], 'there is no task "qqqq": "./run help" shows all.'),
        (["help", "stauts"], 'there is no task "stauts": did you mean status? "./run help" shows all.'),
        (["build", "qqqq"], 'there is no task "qqqq": "./run help" shows all.'),
        (["up", "--insecur"], 'up has no option "--insecur": did you mean --insecure? "./run help up" shows all.'),
        (["up", "--old-base=x"], 'up has no option "--old-base": "./run help up" shows all.'),
        (["logs", "-x"], 'logs has no option "-x": "./run help logs" shows all.'),
        (["--insecure", "up"], 'there is no option "--insecure" before a task: "./run help" shows all tasks.'),
        (["psql", "--role"], '--role needs a value: "./run help TASK" shows which.'),
        (["restore"], 'restore needs a file: type "./run restore FILE".'),
    ],
    ids=" ".join,
)
def test_a_mistake_on_the_command_line_is_one_line_and_runs_nothing(typed, line):
    mistaken = run(*typed)
    assert (mistaken.returncode, mistaken.stdout, mistaken.stderr) == (1, "", f"FAIL: {line}\n")


def test_messages_name_the_program_that_was_called():
    typed = run("psql", "--role", "root")
    assert typed.stderr.startswith("FAIL: ")
    call = 'print(adapt_commands(\'"invoke up" or "./run up", and use "./run", invoke\'))'
    for name, program in (("tasks.py", "./run"), ("/usr/bin/invoke", "invoke")):
        code = f"import sys; sys.argv = [{name!r}]; from toolbox.errors import adapt_commands; {call}"
        printed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
        assert printed.stdout == f'"{program} up" or "{program} up", and use "./run", invoke\n'
