"""toolbox.overrides: the proxy exceptions in Docker's configuration."""

import json

import pytest

from tests.support.layers import fake_toolbox, user_env
from toolbox import dotenv, overrides

NAMES = "intranet.example.org, .example.org,10.0.0.0/8"
DEFAULT = {"httpProxy": "http://proxy.example.org:3128", "noProxy": NAMES}


@pytest.fixture
def env(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("NO_PROXY", raising=False)
    return user_env(tmp_path, monkeypatch)


def saved(env, settings):
    """Return NO_PROXY of .env for the text of Docker's configuration."""
    (env.parent / "config.json").write_text(settings)
    overrides.keep_no_proxy(fake_toolbox())
    return dotenv.values(env.read_text()).get("NO_PROXY")


def test_proxy_exceptions_of_docker_are_saved_and_reported(env, capsys):
    names = "intranet.example.org,.example.org,10.0.0.0/8"
    assert saved(env, json.dumps({"proxies": {"default": DEFAULT}})) == names
    assert capsys.readouterr().out == (
        f"Docker uses no proxy for {names}: neither does the toolbox now (NO_PROXY in .env).\n"
    )


@pytest.mark.parametrize("value", ["mine.example.org", ""])
def test_no_proxy_in_env_is_kept(env, value):
    env.write_text(f"NO_PROXY={value}\n")
    assert saved(env, json.dumps({"proxies": {"default": DEFAULT}})) == value


def test_no_proxy_in_the_environment_takes_precedence(env, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "mine.example.org")
    assert saved(env, json.dumps({"proxies": {"default": DEFAULT}})) is None


@pytest.mark.parametrize(
    "settings",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"proxies": null}',
        '{"proxies": {"default": {}}}',
        '{"proxies": {"default": {"noProxy": ""}}}',
    ],
)
def test_without_proxy_exceptions_nothing_changes(env, settings):
    before = env.read_text()
    assert saved(env, settings) is None
    assert env.read_text() == before


def test_without_a_configuration_of_docker_nothing_changes(env):
    before = env.read_text()
    overrides.keep_no_proxy(fake_toolbox())
    assert env.read_text() == before
