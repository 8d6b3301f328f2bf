"""toolbox.work_folder: a folder of the machine as ~/work, and its owner."""

import json
import re

import pytest
from invoke import Exit, Result

import tasks
from tests.support.layers import (
    SECRETS,
    changing_commands,
    commands,
    configuration,
    docker,
    error_line,
    fake_toolbox,
    loaded,
    real_configuration,
    user_env,
)
from toolbox import compose, dotenv, work_folder
from toolbox.errors import Failure

PROBE = "docker run .*stat -c %u"
PROBE_OF_HOME = "docker run .*type=volume,.*stat -c %u"


@pytest.fixture
def env(tmp_path, monkeypatch):
    return user_env(tmp_path, monkeypatch)


def with_folder(path, user="1000"):
    """Return a configuration where a folder is ~/work, and the notebook runs as a user."""
    config = configuration()
    home = {"type": "volume", "source": "file-store", "target": "/home/jovyan"}
    config["services"]["notebook"] |= {
        "user": f"{user}:100",
        "volumes": [home, {"type": "bind", "source": str(path), "target": "/home/jovyan/work"}],
    }
    config["volumes"]["file-store"] = {"name": "box_file-store"}
    return config


# --- What Compose makes of the setting ---


def test_without_a_work_folder_the_home_is_only_the_volume():
    config = real_configuration()
    assert work_folder.folder(config) is None
    assert work_folder.user(config) == "1000"


@pytest.mark.parametrize("written", ["{}", "'{}/a b'"])
def test_the_work_folder_is_mounted_in_the_home(tmp_path, written):
    config = loaded(f"WORK_FOLDER={written.format(tmp_path)}\n", **SECRETS)
    assert str(work_folder.folder(config)) == written.format(tmp_path).strip("'")
    targets = [mount["target"] for mount in config["services"]["notebook"]["volumes"]]
    assert targets == ["/home/jovyan", "/home/jovyan/work", "/secrets"]


def test_a_work_folder_that_is_not_a_path_is_reported_in_one_line():
    with pytest.raises(Failure) as raised:
        real_configuration(WORK_FOLDER="data")
    assert "WORK_FOLDER in .env is data: use an absolute path, or one that starts with ./ or ~/." in error_line(raised)


# --- What is refused before anything is done ---


def test_a_work_folder_that_is_missing_is_refused(env, tmp_path):
    c = docker(config=with_folder(tmp_path / "none"))
    with pytest.raises(Failure) as raised:
        tasks.up(c)
    assert f"the folder {tmp_path}/none does not exist: create it, or correct WORK_FOLDER in .env." in error_line(
        raised
    )
    assert changing_commands(c) == []
    assert not (tmp_path / "none").exists()


def test_a_work_folder_that_is_a_file_is_refused(env):
    c = docker(config=with_folder(env))
    with pytest.raises(Failure) as raised:
        tasks.up(c)
    assert f"{env} is not a directory" in error_line(raised)
    assert changing_commands(c) == []


# --- Its owner ---


def adopted(answers, env, tmp_path, user="1000"):
    """Adopt the owner of a folder; return the toolbox and the text of .env."""
    c = fake_toolbox(answers, with_folder(tmp_path, user))
    work_folder.adopt_owner(c)
    return c, env.read_text()


def test_a_work_folder_that_the_notebook_can_write_changes_nothing(env, tmp_path):
    before = env.read_text()
    c, text = adopted({PROBE: "1000\nyes\n"}, env, tmp_path)
    assert text == before
    assert not [command for command in commands(c) if "chown" in command]


def test_the_notebook_runs_as_the_owner_of_the_work_folder(env, tmp_path, capsys):
    looked = ["1001\nno\n", "1001\nyes\n", "1001\nyes\n"]
    _, text = adopted({PROBE: looked, "docker volume inspect": True}, env, tmp_path)
    assert dotenv.values(text)["NOTEBOOK_UID"] == "1001"
    assert "# mine\n" in text
    assert capsys.readouterr().out == (
        f"{tmp_path} belongs to user 1001: the notebook runs as that user now (NOTEBOOK_UID in .env).\n"
    )


def test_the_home_is_given_to_the_user_of_the_notebook_with_minimal_capabilities(env, tmp_path):
    answers = {PROBE_OF_HOME: "1000\nno\n", PROBE: "1001\nyes\n", "docker volume inspect": True}
    c, _ = adopted(answers, env, tmp_path, user="1001")
    [chown] = [command for command in commands(c) if "chown" in command]
    assert "'chown -hR 1001 /home/jovyan'" in chown
    assert "--cap-drop ALL" in chown
    assert re.findall(r"--cap-add (\w+)", chown) == ["CHOWN", "DAC_READ_SEARCH"]
    assert "source=box_file-store,target=/home/jovyan" in chown
    assert str(tmp_path) not in chown


def test_a_new_home_of_user_1000_is_left_to_docker(env, tmp_path):
    c, _ = adopted({PROBE: "1000\nyes\n"}, env, tmp_path)
    assert not [command for command in commands(c) if "chown" in command or "create" in command]


def test_a_new_home_of_another_user_is_created_before_its_owner_is_changed(env, tmp_path):
    c, _ = adopted({PROBE_OF_HOME: "1000\nno\n", PROBE: "1001\nyes\n"}, env, tmp_path, user="1001")
    created, chown = [command for command in commands(c) if "create" in command or "chown" in command]
    assert created == "docker compose create notebook"
    assert "'chown -hR 1001 /home/jovyan'" in chown


def test_a_new_home_that_cannot_be_created_stops_the_start(env, tmp_path):
    with pytest.raises(Failure) as raised:
        adopted({PROBE: "1001\nyes\n", "docker compose create": False}, env, tmp_path, user="1001")
    assert "Docker could not create the notebook" in error_line(raised)


@pytest.mark.parametrize(
    ("looked", "message"),
    [
        (["0\nno\n"], 'belongs to root, and the notebook does not run as root: "chown 1000 '),
        (["1000\nno\n"], 'cannot be written by its owner, user 1000: "chmod u+rwx '),
        (["1001\nno\n", "1001\nno\n"], 'cannot be written by its owner, user 1001: "chmod u+rwx '),
        ([Result("", "no such device", exited=125)], "cannot be used as /home/jovyan/work (no such device)"),
    ],
    ids=["root's", "read only", "another user's and read only", "not mounted"],
)
def test_a_work_folder_that_the_notebook_cannot_write_is_refused(env, tmp_path, looked, message):
    config = with_folder(tmp_path)
    with pytest.raises(Failure) as raised:
        work_folder.adopt_owner(fake_toolbox({PROBE: looked}, config))
    assert message in error_line(raised)


def test_doctor_reports_a_missing_work_folder(env, tmp_path, capsys):
    with pytest.raises(Exit):
        tasks.doctor(docker(config=with_folder(tmp_path / "gone")))
    [line] = [line for line in capsys.readouterr().out.splitlines() if " folder " in line]
    assert line.startswith("FAIL")
    assert "gone does not exist: create it" in line


def test_the_configuration_in_these_tests_matches_the_real_one():
    real = json.dumps(loaded("WORK_FOLDER=/mine\n", **SECRETS)["services"]["notebook"]["volumes"])
    for mount in with_folder("/mine")["services"]["notebook"]["volumes"]:
        assert all(json.dumps(value) in real for value in mount.values())
    assert compose.SERVICES[-1] == "notebook"
