"""tasks.py: the list of tasks, and the commands that they run."""

import importlib.util
import re
import shlex
import subprocess
import sys

import pytest
from invoke import Collection, Result

import tasks
from tests.support.layers import HEALTHY, ROOT, SECRETS, commands, docker, error_line, user_env
from toolbox import dev
from toolbox.errors import Failure

VERBS = Collection.from_module(tasks).tasks
NEED_DOCKER = ("build", "up", "status", "logs", "psql", "down", "clean", "bases")


@pytest.fixture
def env(tmp_path, monkeypatch):
    return user_env(tmp_path, monkeypatch)


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_explained(verb):
    assert [argument.name for argument in VERBS[verb].get_arguments() if not argument.help] == []


def test_invoke_lists_all_tasks_from_any_folder(tmp_path):
    command = [sys.executable, "-m", "invoke", "--search-root", ROOT, "--list"]
    listing = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert [verb for verb in VERBS if f"\n  {verb} " not in listing] == []


def run(verb, c):
    """Run a task, with options that make it do everything."""
    options = {"clean": {"yes": True}, "psql": {"role": "postgres", "command": "SELECT 1"}}
    VERBS[verb](c, **options.get(verb, {}))


@pytest.mark.parametrize("verb", NEED_DOCKER)
def test_no_secret_is_on_a_command_line(env, verb):
    c = docker({"docker compose ps": HEALTHY})
    run(verb, c)
    assert [secret for secret in SECRETS.values() if secret in " ".join(commands(c))] == []


@pytest.mark.parametrize("verb", [verb for verb in NEED_DOCKER if verb != "clean"])
def test_no_task_but_clean_deletes_data(env, verb):
    c = docker({"docker compose ps": HEALTHY, "docker (volume|image) inspect": True})
    run(verb, c)
    assert [command for command in commands(c) if re.search(r" (-v|--volumes|rm|prune)\b", command)] == []


@pytest.mark.parametrize(
    ("options", "passed_on"),
    [
        ({}, "--tail 100"),
        ({"service": "mlflow", "follow": True}, "--tail 100 --follow mlflow"),
        ({"tail": "all", "since": "10m"}, "--tail all --since 10m"),
    ],
    ids=["all services", "follow one", "since"],
)
def test_logs_shows_the_newest_lines_by_default(options, passed_on):
    c = docker()
    tasks.logs(c, **options)
    assert commands(c)[-1] == f"docker compose logs {passed_on}"


def test_ctrl_c_ends_logs_that_are_followed_without_an_error():
    interrupted = {"docker compose logs": Result(exited=130)}
    tasks.logs(docker(interrupted), follow=True)
    with pytest.raises(Failure):
        tasks.logs(docker(interrupted))
    with pytest.raises(Failure):
        tasks.logs(docker({"docker compose logs": Result(exited=1)}), follow=True)


@pytest.mark.parametrize("tail", ["ten", "-1", "1.5", ""])
def test_a_tail_that_is_not_a_number_of_lines_is_refused(tail):
    with pytest.raises(Failure) as raised:
        tasks.logs(docker(), tail=tail)
    assert "--tail" in error_line(raised)


@pytest.mark.parametrize("since", ["yesterday", "10", "10d", "2026-11", "09:30"])
def test_a_time_that_docker_does_not_accept_is_refused(since):
    with pytest.raises(Failure) as raised:
        tasks.logs(docker(), since=since)
    assert "--since" in error_line(raised)


@pytest.mark.parametrize("since", ["90s", "1h30m", "2026-11-28", "2026-11-28T09:30", "2026-11-28T09:30:00+01:00"])
def test_a_time_that_docker_accepts_is_passed_on(since):
    c = docker()
    tasks.logs(c, since=since)
    assert f"--since {since}" in commands(c)[-1]


def test_psql_passes_sql_on_unchanged_and_prints_only_the_result(env, capsys):
    sql = "SELECT 'a b', \"c\", $1; -- ü"
    c = docker({"docker compose ps": HEALTHY})
    tasks.psql(c, role="mlflow", command=sql)
    arguments = shlex.split(commands(c)[-1])
    assert arguments[-1] == sql
    assert "--no-TTY" in arguments
    assert arguments[arguments.index("--username") + 1] == "mlflow"
    assert capsys.readouterr() == ("", "")


def test_psql_fails_when_the_sql_does(env):
    with pytest.raises(tasks.Exit) as raised:
        tasks.psql(docker({"docker compose ps": HEALTHY, "docker compose exec": False}), command="SELEKT")
    assert raised.value.code == 1


@pytest.mark.parametrize(
    ("options", "passed_on"),
    [
        ({}, ["--dist", "loadgroup", *dev.QUICK_TESTS]),
        ({"all": True}, ["--dist", "loadfile", "--no-loadscope-reorder"]),
        ({"only": "env", "keep": True}, ["--dist", "loadfile", "--no-loadscope-reorder", "-k", "env", "--keep"]),
    ],
    ids=["quick", "all", "one, kept"],
)
def test_the_options_of_test_choose_the_tests(options, passed_on):
    c = docker()
    tasks.run_tests(c, **options)
    assert shlex.split(commands(c)[0])[5:] == passed_on


@pytest.mark.parametrize("package", ["rich", "backports" if sys.version_info < (3, 14) else "compression"])
def test_invoke_without_the_other_packages_fails_with_one_line(package):
    program = f"import sys; sys.modules[{package!r}] = None; sys.argv[1:] = ['--list']; import invoke.__main__"
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert re.fullmatch(r'FAIL: the Python package \S+ is not installed: use "./run", .*\n', ran.stderr)


@pytest.mark.parametrize("task", [tasks.run_tests, tasks.lint, dev.lock], ids=["test", "lint", "lock"])
def test_a_program_that_is_not_installed_is_reported(task, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Failure) as raised:
        task(docker())
    assert "is not installed" in error_line(raised)
    assert "./run" in error_line(raised)


def test_failed_tests_make_the_task_fail():
    with pytest.raises(tasks.Exit) as raised:
        tasks.run_tests(docker({"": False}))
    assert raised.value.code == 1


def test_lint_runs_the_hooks_on_all_files_and_fails_when_one_does():
    c = docker()
    tasks.lint(c)
    assert [command.split(" -m ")[1] for command in commands(c)] == ["pre_commit run --all-files"]
    with pytest.raises(Failure) as raised:
        tasks.lint(docker({"": False}))
    assert "a check did not pass" in error_line(raised)


def test_lock_stops_at_a_list_that_cannot_be_locked():
    c = docker({".*ml-flow-docker/requirements.in": False})
    with pytest.raises(Failure) as raised:
        dev.lock(c)
    assert "ml-flow-docker/requirements.txt" in error_line(raised)
    assert commands(c)[-1].endswith("ml-flow-docker/requirements.in")
