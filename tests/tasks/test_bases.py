"""tasks.py: base images that are pulled or built here."""

import pytest
from invoke import Result

import tasks
from tests.support.layers import (
    NO_REGISTRY,
    OFFICIAL,
    changing_commands,
    commands,
    configuration,
    docker,
    error_line,
    user_env,
)
from toolbox import compose, dotenv, images
from toolbox.errors import Failure
from toolbox.process import ROOT


@pytest.fixture
def env(tmp_path, monkeypatch):
    return user_env(tmp_path, monkeypatch)


def substitutes(env):
    """Return the base images that .env sets."""
    lines = {
        service: f"{images.variable(service)}={images.SUBSTITUTES[service].image}\n" for service in compose.SERVICES
    }
    return [service for service, line in lines.items() if line in env.read_text()]


def test_without_a_registry_the_bases_are_built_and_set_in_env(env, capsys):
    c = docker({"docker pull": Result("", NO_REGISTRY, exited=1), f"docker image inspect {OFFICIAL['mlflow']}": True})
    tasks.build(c)
    assert "bare-machine/build-bases postgres scipy-notebook" in commands(c)
    assert commands(c)[-1] == "docker compose build"
    assert substitutes(env) == ["postgres", "notebook"]
    assert env.read_text().startswith("# mine\nMLFLOW_WORKERS=3\n")
    assert capsys.readouterr().out.count("No registry answers") == 1


@pytest.mark.parametrize(
    ("chosen", "answer", "remedy"),
    [
        (OFFICIAL, "manifest unknown", "correct POSTGRES_BASE_IMAGE in .env"),
        (OFFICIAL, "denied: requested access is denied", "docker login, or set POSTGRES_BASE_IMAGE in .env"),
        (OFFICIAL | {"postgres": "mirror/postgres"}, NO_REGISTRY, "check POSTGRES_BASE_IMAGE in .env"),
        (OFFICIAL, "layer: Waiting\r\n\x1b[2B\x1b[2Kunexpected EOF\r\n", "cannot be pulled (unexpected EOF): check"),
    ],
    ids=["unknown", "forbidden", "chosen and unreachable", "interrupted on a terminal"],
)
def test_an_unavailable_base_is_reported_and_nothing_is_built_instead(env, chosen, answer, remedy):
    before = env.read_text()
    c = docker({"docker pull": Result("", answer, exited=1)}, configuration(bases=chosen))
    with pytest.raises(Failure) as raised:
        tasks.up(c)
    assert remedy in error_line(raised)
    assert changing_commands(c) == [f"docker pull {chosen['postgres']}"]
    assert env.read_text() == before


def test_a_missing_substitute_is_built_again_without_asking_a_registry(env, capsys):
    chosen = {service: images.SUBSTITUTES[service].image for service in compose.SERVICES}
    c = docker({f"docker image inspect {chosen['mlflow']}": True}, configuration(bases=chosen))
    tasks.build(c)
    assert changing_commands(c) == ["bare-machine/build-bases postgres scipy-notebook", "docker compose build"]
    assert "No registry" not in capsys.readouterr().out


def test_bases_that_could_not_be_built_are_not_set_in_env(env):
    before = env.read_text()
    with pytest.raises(tasks.Exit):
        tasks.bases(docker({"bare-machine/build-bases": False}))
    assert env.read_text() == before


def test_bases_switches_to_substitutes_and_back(env):
    before = (ROOT / ".env.example").read_text()
    dotenv.write(env, before)
    tasks.bases(docker())
    assert substitutes(env) == list(compose.SERVICES)
    tasks.bases(docker(), official=True)
    assert env.read_text() == before


def test_removing_bases_removes_only_what_was_built_here(env):
    there = images.SUBSTITUTES["mlflow"].image
    c = docker({f"docker image inspect {there}": True})
    tasks.bases(c, remove=True)
    assert changing_commands(c) == [f"docker image rm {there}"]


def test_a_manual_setting_survives_switching_bases(env):
    text = dotenv.with_value(env.read_text(), "JUPYTER_TOKEN", "'a $b'")
    dotenv.write(env, text)
    tasks.bases(docker())
    assert env.read_text().startswith(text)
