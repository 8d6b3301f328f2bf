"""tasks.py: down keeps the data, and clean deletes them only with --yes."""

import sys

import pytest

import tasks
from tests.support.layers import changing_commands, docker, error_line, user_env
from toolbox.errors import Failure


@pytest.fixture
def env(tmp_path, monkeypatch):
    return user_env(tmp_path, monkeypatch)


def test_down_keeps_the_data(env):
    c = docker()
    tasks.down(c)
    assert changing_commands(c) == ["docker compose down --remove-orphans"]


@pytest.mark.parametrize(("task", "options"), [(tasks.down, {}), (tasks.clean, {"yes": True})], ids=["down", "clean"])
def test_down_and_clean_need_no_env(env, task, options):
    env.unlink()
    c = docker()
    task(c, **options)
    assert changing_commands(c)[-1].startswith("docker compose down")


@pytest.mark.parametrize("terminal", [True, False], ids=["a terminal", "no terminal"])
def test_clean_without_yes_lists_everything_and_deletes_nothing(env, monkeypatch, capsys, terminal):
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(getattr(sys, name), "isatty", lambda: terminal, raising=False)
    c = docker({"docker volume ls": "box_db-store\n", "docker image inspect box-mlflow": True})
    with pytest.raises(Failure) as raised:
        tasks.clean(c)
    assert "nothing was deleted: add --yes" in error_line(raised)
    assert changing_commands(c) == []
    shown = capsys.readouterr().out
    assert "volume box_db-store" in shown
    assert "image box-mlflow" in shown
    assert "box-notebook" not in shown


def test_clean_deletes_this_project_and_nothing_else(env):
    c = docker({"docker volume ls": ["box_db-store\nbox_file-store\n", ""]})
    tasks.clean(c, yes=True)
    assert changing_commands(c) == ["docker compose down --volumes --rmi local --remove-orphans"]


def test_clean_also_deletes_volumes_that_an_upgrade_has_replaced(env, capsys):
    c = docker({"docker volume ls": ["box_db-store\nbox_db-store-18\n", "box_db-store\n"]})
    tasks.clean(c, yes=True)
    assert "volume box_db-store\n" in capsys.readouterr().out
    assert changing_commands(c)[1:] == ["docker volume rm box_db-store"]


def test_clean_keeps_the_settings(env):
    before = env.read_text()
    tasks.clean(docker(), yes=True)
    assert env.read_text() == before


@pytest.mark.parametrize(("task", "options"), [(tasks.down, {}), (tasks.clean, {"yes": True})], ids=["down", "clean"])
def test_a_failure_of_docker_makes_down_and_clean_fail(env, task, options):
    with pytest.raises(Failure) as raised:
        task(docker({"docker compose down": False}), **options)
    assert "Docker could not" in error_line(raised)


def another_clone(folder):
    """Create another clone in `folder`; return its directory."""
    other = folder / "other"
    other.mkdir()
    (other / "docker-compose.yml").touch()
    return other


def owned_by(folder):
    return {"docker volume ls": "box_db-store\n", "docker volume inspect --format .*folder": f"{folder}\n"}


@pytest.mark.parametrize(
    ("task", "options"), [(tasks.clean, {"yes": True}), (tasks.up, {}), (tasks.rotate, {}), (tasks.upgrade, {})]
)
def test_data_of_another_clone_are_not_touched_even_if_nothing_runs(env, tmp_path, task, options):
    other = another_clone(tmp_path)
    c = docker(owned_by(other))
    with pytest.raises(Failure) as raised:
        task(c, **options)
    assert f"the data of box belong to the toolbox in {other}: set another COMPOSE_PROJECT_NAME" in error_line(raised)
    assert '"docker volume rm box_folder" first' in error_line(raised)
    assert changing_commands(c) == []


def test_an_owner_without_data_does_not_prevent_a_start(env, tmp_path):
    c = docker(owned_by(another_clone(tmp_path)) | {"docker volume ls": "box_folder\n"})
    tasks.up(c)
    assert "docker volume rm box_folder" in changing_commands(c)


def test_data_without_a_known_owner_are_not_deleted(env):
    c = docker(owned_by(""))
    with pytest.raises(Failure) as raised:
        tasks.clean(c, yes=True)
    assert 'the owner of the volumes of box is unknown: "' in error_line(raised)
    assert changing_commands(c) == []


def test_a_clone_that_was_moved_takes_ownership_of_its_data(env, tmp_path):
    c = docker(owned_by(tmp_path / "gone"))
    tasks.up(c)
    labels = f"--label=com.docker.compose.project=box --label=data-toolbox.folder={tmp_path}"
    assert changing_commands(c)[:2] == ["docker volume rm box_folder", f"docker volume create {labels} box_folder"]
    c = docker(owned_by(tmp_path / "gone"))
    tasks.clean(c, yes=True)
