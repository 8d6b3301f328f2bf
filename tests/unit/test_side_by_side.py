"""toolbox.instance and side_by_side: named toolboxes, each with its own settings, project and ports."""

import inspect
import re

import pytest
from invoke import Result

import tasks
from tests.support.layers import (
    HEALTHY,
    changing_commands,
    configuration,
    docker,
    error_line,
    fake_toolbox,
    listed,
    user_env,
)
from toolbox import dotenv, instance, ports, side_by_side
from toolbox.data import backup
from toolbox.errors import Failure

VERBS = tasks.namespace.tasks
WITHOUT_A_TOOLBOX = {"lint", "lock", "test"}
BAD_NAMES = ["", "a b", "../x", "a/b", "A", "é", "-a", "a.b", "$(id)", "x" * 31, "example", "next", "part"]


@pytest.fixture
def env(tmp_path, monkeypatch):
    """An .env of the toolbox without a name, and no settings for Compose in the environment."""
    for name in ("COMPOSE_ENV_FILES", "COMPOSE_PROJECT_NAME"):
        monkeypatch.delenv(name, raising=False)
    env = user_env(tmp_path, monkeypatch)
    env.write_text(
        env.read_text() + "COMPOSE_PROJECT_NAME=box\nWORK_FOLDER=/mine\nJUPYTER_TOKEN=secret\nMLFLOW_PORT=5002\n"
    )
    return env


@pytest.fixture(autouse=True)
def _free_ports(monkeypatch):
    monkeypatch.setattr(ports, "is_taken", lambda host, port: False)


def made(env, name):
    """Create a named toolbox; return its settings."""
    tasks.up(docker({"docker image inspect": True}), name=name)
    return dotenv.values(env.with_name(f".env.{name}").read_text())


# --- Names ---


def test_every_task_that_is_about_a_toolbox_takes_a_name(env):
    without = {verb for verb in VERBS if "name" not in inspect.signature(VERBS[verb].body).parameters}
    assert without == WITHOUT_A_TOOLBOX


@pytest.mark.parametrize("name", ["alice", "a", "0", "team-1", "a_b", "x" * 30])
def test_a_name_of_letters_digits_dashes_and_underscores_is_valid(name):
    instance.check_name(name)


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("verb", ["up", "clean", "down"])
def test_an_invalid_name_is_refused_in_one_line_and_nothing_done(env, verb, name):
    before = sorted(env.parent.iterdir())
    c = docker()
    with pytest.raises(Failure) as raised:
        VERBS[verb](c, name=name)
    assert f'cannot be called "{name}"' in error_line(raised)
    assert changing_commands(c) == []
    assert sorted(env.parent.iterdir()) == before


def test_an_unknown_name_is_reported_with_the_existing_ones(env):
    made(env, "alice")
    made(env, "bob")
    for verb in set(VERBS) - WITHOUT_A_TOOLBOX - {"up", "restore"}:
        c = docker()
        with pytest.raises(Failure) as raised:
            VERBS[verb](c, name="carol")
        assert 'there is no toolbox "carol", only alice, bob: "invoke up --name carol" creates it.' in error_line(
            raised
        )
        assert changing_commands(c) == []


def test_a_toolbox_of_another_clone_with_the_same_name_is_not_touched(env, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "docker-compose.yml").touch()
    container = listed(postgres="running healthy").replace(
        "}", ', "Labels": "com.docker.compose.project.working_dir=%s,com.docker.compose.service=postgres"}'
    )
    for verb in ("up", "down", "clean", "status", "backup"):
        c = docker({"docker compose ps": container % other})
        with pytest.raises(Failure) as raised:
            VERBS[verb](c)
        assert f"the toolbox in {other} has the same name: set another COMPOSE_PROJECT_NAME" in error_line(raised)
        assert changing_commands(c) == []


def test_a_clone_that_was_moved_keeps_its_containers(env, tmp_path):
    container = HEALTHY.replace("}", ', "Labels": "com.docker.compose.project.working_dir=%s"}' % (tmp_path / "gone"))
    tasks.down(docker({"docker compose ps": container}))


# --- Settings of its own ---


def test_a_named_toolbox_has_its_own_project_and_ports(env):
    alice, bob = made(env, "alice"), made(env, "bob")
    assert alice["COMPOSE_PROJECT_NAME"] == "box-alice"
    assert bob["COMPOSE_PROJECT_NAME"] == "box-bob"
    for name in ports.DEFAULTS:
        assert len({alice[name], bob[name], dotenv.values(env.read_text()).get(name)}) == 3


def test_the_settings_of_a_new_toolbox_are_short_and_have_no_secret(env):
    own = {"COMPOSE_PROJECT_NAME", "NOTEBOOK_USER", "PAGE_HOST"}
    assert made(env, "alice").keys() == {*own, *ports.DEFAULTS, "MLFLOW_WORKERS"}


def test_a_new_toolbox_inherits_settings_that_are_not_specific_to_one(env):
    alice = made(env, "alice")
    assert alice["MLFLOW_WORKERS"] == "3"
    assert {"WORK_FOLDER", "NOTEBOOK_UID", "DB_STORE"}.isdisjoint(alice)


def test_the_user_of_a_new_toolbox_has_its_name(env):
    assert made(env, "alice")["NOTEBOOK_USER"] == "alice"
    env.write_text(env.read_text() + "NOTEBOOK_USER=ada\n")
    assert made(env, "bob")["NOTEBOOK_USER"] == "bob"


def test_the_pages_of_a_named_toolbox_have_their_own_host_name(env):
    env.write_text(env.read_text() + "PAGE_HOST=localhost\n")
    assert made(env, "a_b")["PAGE_HOST"] == "a_b.localhost"


def test_an_older_toolbox_gets_its_host_name_at_the_next_start(env):
    made(env, "alice")
    path = env.with_name(".env.alice")
    path.write_text(re.sub("PAGE_HOST=.*\n", "", path.read_text()))
    assert made(env, "alice")["PAGE_HOST"] == "alice.localhost"


@pytest.mark.parametrize(
    ("written", "kept"),
    [("PAGE_HOST=", ""), ("PAGE_HOST=192.0.2.7", "192.0.2.7"), ("BIND_ADDRESS=192.0.2.7", None)],
)
def test_no_host_name_is_set_if_one_is_set_or_would_not_resolve(env, written, kept):
    made(env, "alice")
    path = env.with_name(".env.alice")
    path.write_text(re.sub("PAGE_HOST=.*\n", "", path.read_text()) + f"{written}\n")
    side_by_side.set_page_host(fake_toolbox(name="alice"))
    assert dotenv.values(path.read_text()).get("PAGE_HOST") == kept


def test_the_toolbox_without_a_name_gets_no_host_name(env):
    tasks.up(docker({"docker image inspect": True}))
    assert "PAGE_HOST" not in env.read_text()


def test_only_the_owner_can_read_the_settings_of_a_new_toolbox(env):
    made(env, "alice")
    assert env.with_name(".env.alice").stat().st_mode & 0o777 == 0o600


def test_a_named_toolbox_can_be_created_before_the_one_without_a_name(env):
    env.unlink()
    assert made(env, "alice")["COMPOSE_PROJECT_NAME"] == "box-alice"
    assert not env.exists()


def test_a_port_that_is_taken_or_reserved_is_skipped():
    assert ports.free({8889}, lambda port: port == 5002) == {
        "NOTEBOOK_PORT": 8891,
        "MLFLOW_PORT": 5003,
        "POSTGRES_PORT": 5435,
    }


def test_a_lack_of_free_ports_is_reported_and_nothing_created(env, monkeypatch):
    monkeypatch.setattr(ports, "is_taken", lambda host, port: True)
    with pytest.raises(Failure) as raised:
        tasks.up(docker(), name="alice")
    assert "no ports are free up to 1000 above 8888, 5000, 5432: stop what uses them." in error_line(raised)
    assert not env.with_name(".env.alice").exists()


# --- What the tasks are about ---


def test_compose_gets_the_settings_of_the_named_toolbox_whatever_the_environment_selects(env, monkeypatch):
    made(env, "alice")
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "of-the-environment")
    environment = fake_toolbox(name="alice").environment()
    assert environment["COMPOSE_ENV_FILES"] == ".env.alice"
    assert "COMPOSE_PROJECT_NAME" not in environment
    assert fake_toolbox().environment()["COMPOSE_PROJECT_NAME"] == "of-the-environment"
    assert "COMPOSE_ENV_FILES" not in fake_toolbox().environment()


def test_compose_gets_the_settings_of_a_new_toolbox_as_soon_as_they_exist(env):
    toolbox = fake_toolbox(name="alice")
    assert toolbox.is_new
    assert "COMPOSE_ENV_FILES" not in toolbox.environment()
    side_by_side.create(toolbox)
    assert not toolbox.is_new
    assert toolbox.environment()["COMPOSE_ENV_FILES"] == ".env.alice"


def test_a_toolbox_with_other_settings_changes_neither_the_file_nor_the_original(env):
    before, toolbox = env.read_text(), fake_toolbox()
    other = toolbox.with_settings(DB_STORE="db-store-18")
    assert other.environment()["DB_STORE"] == "db-store-18"
    assert "DB_STORE" not in toolbox.environment()
    assert env.read_text() == before


def test_settings_of_a_named_toolbox_without_a_project_are_refused(env):
    made(env, "alice")
    path = env.with_name(".env.alice")
    path.write_text(re.sub("^COMPOSE_PROJECT_NAME=.*\n", "", path.read_text(), flags=re.M))
    c = docker()
    with pytest.raises(Failure) as raised:
        tasks.clean(c, name="alice", yes=True)
    assert "COMPOSE_PROJECT_NAME is missing in .env.alice" in error_line(raised)
    assert changing_commands(c) == []


def test_messages_have_the_settings_and_commands_of_the_named_toolbox(env):
    made(env, "alice")
    c = docker({"docker compose config": Result("", "nothing fits", exited=1)})
    with pytest.raises(Failure) as raised:
        tasks.status(c, name="alice")
    assert "correct .env.alice or docker-compose.yml" in error_line(raised)
    text = 'X in .env, of .env.example and a.env: "invoke up", "./run up", invoke up.'
    assert fake_toolbox(name="alice").add_name(text) == (
        'X in .env.alice, of .env.example and a.env: "invoke up --name alice", "./run up --name alice", invoke up.'
    )
    assert fake_toolbox().add_name(text) == text


def test_clean_deletes_the_settings_of_the_named_toolbox_and_no_others(env):
    made(env, "alice")
    made(env, "bob")
    tasks.clean(docker(config=configuration() | {"name": "box-alice"}), name="alice", yes=True)
    assert instance.names(env.parent) == ["bob"]
    assert env.exists()


def test_clean_keeps_the_settings_of_a_named_toolbox_if_docker_fails(env):
    made(env, "alice")
    with pytest.raises(Failure):
        tasks.clean(docker({"docker compose down": False}), name="alice", yes=True)
    assert instance.names(env.parent) == ["alice"]


def test_each_toolbox_has_its_own_folder_of_backups(env):
    made(env, "alice")
    assert backup.folder(fake_toolbox(name="alice")) == env.parent / "backups" / "alice"
    assert backup.folder(fake_toolbox()) == env.parent / "backups"
