"""tasks.py: down keeps the data, and clean deletes them with --yes alone."""

import sys

import pytest

import tasks
from tests.support.layers import a_users_env, docker, doings, the_line
from toolbox.errors import Failure


@pytest.fixture
def env(tmp_path, monkeypatch):
    return a_users_env(tmp_path, monkeypatch)


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


@pytest.mark.parametrize("terminal", [True, False], ids=["a terminal", "no terminal"])
def test_clean_shows_what_there_is_and_deletes_nothing_without_yes(env, monkeypatch, capsys, terminal):
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(getattr(sys, name), "isatty", lambda: terminal, raising=False)
    c = docker({"docker volume ls": "box_db-store\n", "docker image inspect box-mlflow": True})
    with pytest.raises(Failure) as raised:
        tasks.clean(c)
    assert "nothing was deleted: add --yes" in the_line(raised)
    assert doings(c) == []
    shown = capsys.readouterr().out
    assert "volume box_db-store" in shown
    assert "image box-mlflow" in shown
    assert "box-notebook" not in shown


def test_clean_deletes_this_project_and_nothing_else(env):
    c = docker({"docker volume ls": ["box_db-store\nbox_file-store\n", ""]})
    tasks.clean(c, yes=True)
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


def another(folder):
    """Return another toolbox's folder, which is made in `folder`."""
    other = folder / "other"
    other.mkdir()
    (other / "docker-compose.yml").touch()
    return other


def marked(folder):
    return {"docker volume ls": "box_db-store\n", "docker volume inspect --format .*folder": f"{folder}\n"}


@pytest.mark.parametrize(
    ("task", "options"), [(tasks.clean, {"yes": True}), (tasks.up, {}), (tasks.rotate, {}), (tasks.upgrade, {})]
)
def test_data_of_another_folder_are_not_touched_though_nothing_runs(env, tmp_path, task, options):
    other = another(tmp_path)
    c = docker(marked(other))
    with pytest.raises(Failure) as raised:
        task(c, **options)
    assert f"the data of box belong to the toolbox in {other}: set another COMPOSE_PROJECT_NAME" in the_line(raised)
    assert '"docker volume rm box_folder" first' in the_line(raised)
    assert doings(c) == []


def test_a_note_without_data_is_in_nobodys_way(env, tmp_path):
    c = docker(marked(another(tmp_path)) | {"docker volume ls": "box_folder\n"})
    tasks.up(c)
    assert "docker volume rm box_folder" in doings(c)


def test_data_that_nobody_owns_are_not_deleted(env):
    c = docker(marked(""))
    with pytest.raises(Failure) as raised:
        tasks.clean(c, yes=True)
    assert 'nothing says whose data the volumes of box are: "' in the_line(raised)
    assert doings(c) == []


def test_a_folder_that_was_moved_goes_on_and_the_data_are_its_own_from_then_on(env, tmp_path):
    c = docker(marked(tmp_path / "gone"))
    tasks.up(c)
    labels = f"--label=com.docker.compose.project=box --label=data-toolbox.folder={tmp_path}"
    assert doings(c)[:2] == ["docker volume rm box_folder", f"docker volume create {labels} box_folder"]
    c = docker(marked(tmp_path / "gone"))
    tasks.clean(c, yes=True)
