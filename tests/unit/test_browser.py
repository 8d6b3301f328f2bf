"""The task `open`: the notebook's page, logged in, or MLflow's, in the user's browser."""

import html
import re
import webbrowser

import pytest

import tasks
from tests.support.layers import HEALTHY, SECRETS, configuration, docker, error_line, listed, user_env
from toolbox import browser
from toolbox.errors import Failure

PORTS = (5432, 5000, 8888)


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """The addresses that were opened in a browser."""
    user_env(tmp_path, monkeypatch)
    monkeypatch.setattr(browser, "REDIRECT", tmp_path / "open.html")
    monkeypatch.setenv("BROWSER", "a-browser")
    addresses = []
    monkeypatch.setattr(webbrowser, "open", lambda address: addresses.append(address) or True)
    return addresses


def run(states=HEALTHY, **options):
    """Run the task, with services in such states."""
    tasks.open_(docker({"docker compose ps": states}, configuration(ports=PORTS)), **options)


def test_the_notebook_is_opened_through_a_file_that_others_cannot_read(opened, capsys):
    run()
    assert opened == [browser.REDIRECT.as_uri()]
    assert browser.REDIRECT.stat().st_mode & 0o777 == 0o600
    [address] = re.findall(r'url=([^"]+)"', browser.REDIRECT.read_text())
    assert html.unescape(address) == f"http://127.0.0.1:8888/lab?token={SECRETS['JUPYTER_TOKEN']}"
    assert capsys.readouterr().out == "Opened http://127.0.0.1:8888.\n"


def test_an_existing_redirect_file_is_replaced(opened):
    browser.REDIRECT.write_text("old")
    browser.REDIRECT.chmod(0o644)
    run()
    assert "old" not in browser.REDIRECT.read_text()
    assert browser.REDIRECT.stat().st_mode & 0o777 == 0o600


def test_the_page_of_mlflow_is_opened_directly(opened):
    run(service="mlflow")
    assert opened == ["http://127.0.0.1:5000"]
    assert not browser.REDIRECT.exists()


@pytest.mark.parametrize("service", ["postgres", "x", ""])
def test_a_service_without_a_page_is_refused(opened, service):
    with pytest.raises(Failure) as raised:
        run(service=service)
    assert "has no page: choose from notebook, mlflow" in error_line(raised)
    assert opened == []


@pytest.mark.parametrize("service", browser.PAGES)
def test_the_page_of_a_service_that_is_not_running_is_not_opened(opened, service):
    with pytest.raises(Failure) as raised:
        run(listed(postgres="running healthy"), service=service)
    assert "invoke up" in error_line(raised)
    assert opened == []


def test_the_address_is_printed_if_there_is_no_browser(opened, monkeypatch):
    monkeypatch.setattr(browser, "has_display", lambda *_: False)
    with pytest.raises(Failure) as raised:
        run()
    message = error_line(raised)
    assert "there is no browser on this machine: open http://127.0.0.1:8888/lab?token=" in message
    assert opened == []


@pytest.mark.parametrize("answer", [webbrowser.Error("could not locate runnable browser"), False])
def test_the_address_is_printed_if_the_browser_does_not_start(opened, monkeypatch, answer):
    def fail(address):
        if answer:
            raise answer
        return False

    monkeypatch.setattr(webbrowser, "open", fail)
    with pytest.raises(Failure) as raised:
        run(service="mlflow")
    assert "there is no browser on this machine: open http://127.0.0.1:5000 on yours" in error_line(raised)


@pytest.mark.parametrize(
    ("platform", "environment", "can"),
    [
        ("linux", {}, False),
        ("linux", {"DISPLAY": ""}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("linux", {"BROWSER": "lynx"}, True),
        ("darwin", {}, True),
        ("win32", {}, True),
    ],
)
def test_a_browser_needs_a_display_unless_one_is_named(platform, environment, can):
    assert browser.has_display(environment, platform) == can
