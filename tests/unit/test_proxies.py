"""toolbox.overrides: the names that Docker's settings leave out of its proxies."""

import json

import pytest

from tests.support.layers import a_toolbox, a_users_env
from toolbox import dotenv, overrides

NAMES = "intranet.example.org, .example.org,10.0.0.0/8"
DEFAULT = {"httpProxy": "http://proxy.example.org:3128", "noProxy": NAMES}


@pytest.fixture
def env(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("NO_PROXY", raising=False)
    return a_users_env(tmp_path, monkeypatch)


def noted(env, settings):
    """Return what .env has as NO_PROXY, for the text of Docker's settings."""
    (env.parent / "config.json").write_text(settings)
    overrides.keep_no_proxy(a_toolbox())
    return dotenv.values(env.read_text()).get("NO_PROXY")


def test_what_docker_leaves_out_is_noted_and_said(env, capsys):
    names = "intranet.example.org,.example.org,10.0.0.0/8"
    assert noted(env, json.dumps({"proxies": {"default": DEFAULT}})) == names
    assert capsys.readouterr().out == (
        f"Docker asks no proxy for {names}: neither does the toolbox now (NO_PROXY in .env).\n"
    )


@pytest.mark.parametrize("value", ["mine.example.org", ""])
def test_a_setting_of_ones_own_stays(env, value):
    env.write_text(f"NO_PROXY={value}\n")
    assert noted(env, json.dumps({"proxies": {"default": DEFAULT}})) == value


def test_a_variable_of_the_environment_comes_first(env, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "mine.example.org")
    assert noted(env, json.dumps({"proxies": {"default": DEFAULT}})) is None


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
def test_without_such_names_nothing_changes(env, settings):
    before = env.read_text()
    assert noted(env, settings) is None
    assert env.read_text() == before


def test_without_settings_of_docker_nothing_changes(env):
    before = env.read_text()
    overrides.keep_no_proxy(a_toolbox())
    assert env.read_text() == before
