"""tasks.py: down keeps the data, and clean asks before it deletes them."""

import io
import sys

import pytest
from layers import a_users_env, docker, doings, the_line

import tasks
from toolbox.failure import Failure


@pytest.fixture
def env(tmp_path, monkeypatch):
    return a_users_env(tmp_path, monkeypatch)


@pytest.fixture
def terminal(monkeypatch):
    """Someone at a terminal, who types what is set as `answer`; None stands for Ctrl-D."""
    monkeypatch.setattr(tasks, "on_terminal", lambda: True)

    def answer(text):
        def typed(_):
            if text is None:
                raise EOFError
            return text

        monkeypatch.setattr("builtins.input", typed)

    return answer


def test_down_keeps_the_data(env):
    c = docker()
    tasks.down(c)
    assert doings(c) == ["docker compose down --remove-orphans"]


@pytest.mark.parametrize(("task", "options"), [(tasks.down, {}), (tasks.clean, {"yes": True})], ids=["down", "clean"])
def test_no_env_is_needed(env, task, options):
    env.unlink()
    c = docker()
    task(c, **options)
    assert doings(c)[-1].startswith("docker compose down")


@pytest.mark.parametrize("answer", ["", "y", "Box", "box ", None], ids=["Enter", "y", "Box", "with a space", "Ctrl-D"])
def test_clean_deletes_nothing_unless_the_name_is_typed(env, terminal, answer):
    terminal(answer)
    c = docker({"docker volume ls": "box_db-store\n"})
    with pytest.raises(Failure) as raised:
        tasks.clean(c)
    assert 'nothing was deleted: type the name "box"' in the_line(raised)
    assert doings(c) == []


@pytest.mark.parametrize("stdin", [io.StringIO("box\n"), None], ids=["a file", "closed"])
def test_clean_deletes_nothing_where_nobody_can_answer(env, monkeypatch, stdin):
    monkeypatch.setattr(sys, "stdin", stdin)
    monkeypatch.setattr("builtins.input", lambda _: "box")
    c = docker()
    with pytest.raises(Failure) as raised:
        tasks.clean(c)
    assert "add --yes" in the_line(raised)
    assert doings(c) == []


def test_clean_says_what_it_deletes_before_it_asks(env, monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(tasks, "on_terminal", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: seen.append(capsys.readouterr().out) or "no")
    with pytest.raises(Failure):
        tasks.clean(docker({"docker volume ls": "box_db-store\n", "docker image inspect box-mlflow": True}))
    assert "volume box_db-store" in seen[0]
    assert "image box-mlflow" in seen[0]
    assert "box-notebook" not in seen[0]


def test_clean_deletes_this_project_and_nothing_else_once_the_name_is_typed(env, terminal):
    terminal("box")
    c = docker({"docker volume ls": ["box_db-store\nbox_file-store\n", ""]})
    tasks.clean(c)
    assert doings(c) == ["docker compose down --volumes --rmi local --remove-orphans"]


def test_clean_deletes_the_volumes_too_that_an_upgrade_has_replaced(env, capsys):
    c = docker({"docker volume ls": ["box_db-store\nbox_db-store-18\n", "box_db-store\n"]})
    tasks.clean(c, yes=True)
    assert "volume box_db-store\n" in capsys.readouterr().out
    assert doings(c)[1:] == ["docker volume rm box_db-store"]


def test_clean_keeps_the_settings(env):
    before = env.read_text()
    tasks.clean(docker(), yes=True)
    assert env.read_text() == before


@pytest.mark.parametrize(("task", "options"), [(tasks.down, {}), (tasks.clean, {"yes": True})], ids=["down", "clean"])
def test_what_docker_could_not_do_is_a_failure(env, task, options):
    with pytest.raises(Failure) as raised:
        task(docker({"docker compose down": False}), **options)
    assert "Docker could not" in the_line(raised)
