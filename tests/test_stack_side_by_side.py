"""Toolboxes with names, beside the one without: each is its own, and the end of one is not the end of another."""

import contextlib
import http.client
import json
import re

import browsing
import pytest
from copies import Copy

from toolbox import dotenv
from toolbox.model import SERVICES

pytestmark = pytest.mark.stack

NAMES = ("alice", "bob")
LOG_METRIC = """
import mlflow
with mlflow.start_run():
    mlflow.log_metric("of", {number})
print(mlflow.search_runs(experiment_ids=["0"])["metrics.of"].tolist())
"""


@pytest.fixture(scope="module")
def printed(toolbox):
    """What `up` prints for each of two toolboxes that are made by it, by name."""
    try:
        yield {name: toolbox.succeed("up", "--name", name) for name in NAMES}
    finally:
        for name in NAMES:
            toolbox.invoke("clean", "--yes", "--name", name)


def settings(toolbox, name):
    return dotenv.values((toolbox.root / f".env.{name}").read_text())


def status(toolbox, name):
    """Return what `status` tells of the services of a toolbox, by service."""
    return {it["service"]: it for it in json.loads(toolbox.succeed("status", "--json", "--name", name))}


def log(toolbox, name, number):
    """Log a metric from the notebook of a toolbox; return the values of it that its MLflow has."""
    program = LOG_METRIC.format(number=number)
    container = f"{toolbox.project}-{name}-notebook-1" if name else f"{toolbox.project}-notebook-1"
    ran = toolbox.run("docker", "exec", container, "python", "-c", program)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


def test_each_has_addresses_and_secrets_of_its_own(toolbox, printed):
    of = {name: settings(toolbox, name) for name in NAMES}
    for variable in toolbox.ports:
        assert len({of["alice"][variable], of["bob"][variable], dotenv.values(toolbox.env.read_text())[variable]}) == 3
    secrets = set()
    for name in NAMES:
        port = of[name]["NOTEBOOK_PORT"]
        secrets |= {re.search(rf"http://{name}\.localhost:{port}/lab\?token=(\S+)", printed[name])[1]}
        secrets |= {re.search(rf"//analyst:(\S+)@127\.0\.0\.1:{of[name]['POSTGRES_PORT']}/", printed[name])[1]}
    assert len(secrets) == 4


def test_each_runs_and_is_as_small_as_the_first(toolbox, printed, record):
    for name in NAMES:
        services = status(toolbox, name)
        assert {it["health"] for it in services.values()} == {"healthy"}
        took = {service: services[service]["memory_bytes"] >> 20 for service in SERVICES}
        record(f"memory of a second toolbox: {took} MiB, {sum(took.values())} MiB together")


@pytest.fixture(scope="module")
def visited(toolbox, printed, tmp_path_factory):
    """What a browser saw that was logged in to both."""
    labs = [re.search(r"http://\S+/lab\?token=\S+", printed[name])[0] for name in NAMES]
    pages = [f"http://{name}.localhost:{settings(toolbox, name)['MLFLOW_PORT']}" for name in NAMES]
    browsing.build(toolbox)
    try:
        told = {"labs": labs, "pages": pages, "ways": ["file", "link"], "patience": 120}
        yield browsing.visit(toolbox, tmp_path_factory.mktemp("pictures"), "two_toolboxes.py", network="host", **told)
    finally:
        browsing.remove(toolbox)


def test_each_is_opened_with_its_token_by_a_file_and_by_a_link_of_another_site(visited):
    assert visited["ran"] == [True, True]


def test_the_cookies_of_one_are_of_its_host_alone_and_go_with_no_request_of_another_site(visited):
    hosts = {f"{name}.localhost" for name in NAMES}
    assert {host for host, _, _ in visited["flags"]} == hosts
    assert {name.partition("-")[0] for _, name, _ in visited["flags"]} == {"username", "_xsrf"}
    assert {same_site for _, _, same_site in visited["flags"]} == {"Strict"}


def test_the_cookies_of_one_are_not_sent_to_the_port_of_another(visited):
    # To all ports of its own host they are, as a cookie knows no port.
    for name, other in zip(NAMES, reversed(NAMES), strict=True):
        got = visited["stranger"][f"{name}.localhost"]
        assert any(name in cookie for cookie in got)
        assert not any(other in cookie for cookie in got)
    assert visited["stranger"]["127.0.0.1"] == [""]


def test_a_page_of_one_reads_nothing_of_another_and_sends_none_of_its_cookies(visited):
    assert visited["read"] == [None, None]
    assert [cookies for cookies in visited["took"].values() if cookies] == []
    assert len(visited["took"]) == 2


def test_each_answers_by_its_name_and_by_the_address_that_programs_know(toolbox, printed):
    ports = settings(toolbox, "alice")
    for service, path in (("NOTEBOOK", "/api"), ("MLFLOW", "/api/2.0/mlflow/experiments/get?experiment_id=0")):
        for host in ("127.0.0.1", "localhost", "alice.localhost"):
            headers = {"Host": f"{host}:{ports[f'{service}_PORT']}"}
            connection = http.client.HTTPConnection("127.0.0.1", int(ports[f"{service}_PORT"]), timeout=30)
            with contextlib.closing(connection):
                connection.request("GET", path, headers=headers)
                assert connection.getresponse().status == 200


def test_what_one_logs_no_other_sees(toolbox, printed):
    assert log(toolbox, "alice", 1.0) == [1.0]
    assert log(toolbox, "bob", 2.0) == [2.0]


def test_all_tasks_are_about_the_named_one(toolbox, printed):
    for name, number in zip(NAMES, (1, 2), strict=True):
        sql = "SELECT value FROM latest_metrics WHERE key = 'of'"
        assert toolbox.succeed("psql", "--name", name, "--command", sql).split()[2] == str(number)
        assert f"{toolbox.project}-{name}" in toolbox.succeed("doctor", "--name", name)


def test_docker_compose_alone_knows_it_too(toolbox, printed):
    listed = toolbox.compose("--env-file", ".env.alice", "ps", "--services").split()
    assert sorted(listed) == sorted(SERVICES)


def test_backups_of_one_are_no_others(toolbox, printed):
    toolbox.succeed("backup", "--name", "alice")
    assert f"{toolbox.project}-alice-" in toolbox.succeed("backups", "--name", "alice")
    assert "alice" not in toolbox.succeed("backups", "--name", "bob")
    assert "alice" not in toolbox.succeed("backups")


def test_another_folder_with_the_name_of_its_project_touches_nothing(toolbox, printed, tmp_path):
    other = Copy(tmp_path / "other")
    other.set(COMPOSE_PROJECT_NAME=f"{toolbox.project}-alice")
    before = status(toolbox, "alice")
    for command in (["up"], ["down"], ["clean", "--yes"]):
        result = other.invoke(*command)
        assert result.returncode == 1
        assert f"FAIL: the toolbox in {toolbox.root} has the same name" in result.stderr.splitlines()[-1]
    assert [it["since"] for it in status(toolbox, "alice").values()] == [it["since"] for it in before.values()]


# The last one here: it takes alice's toolbox away.
def test_the_end_of_one_touches_no_other(toolbox, printed):
    container = toolbox.container("notebook")
    toolbox.succeed("clean", "--yes", "--name", "alice")
    listing = toolbox.run("docker", "ps", "--all", "--format", "{{.Names}}").stdout
    volumes = toolbox.run("docker", "volume", "ls", "--quiet").stdout
    images = toolbox.run("docker", "image", "ls", "--format", "{{.Repository}}").stdout
    assert f"{toolbox.project}-alice" not in listing + volumes + images
    assert not (toolbox.root / ".env.alice").exists()

    assert log(toolbox, "bob", 3.0) == [3.0, 2.0]
    assert toolbox.container("notebook") == container
    assert {it["health"] for it in json.loads(toolbox.succeed("status", "--json"))} == {"healthy"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["status", "--name", "carol"], 'no toolbox is called "carol"'),
        (["up", "--name", "a b"], 'cannot be called "a b"'),
        (["up", "--name", "../alice"], 'cannot be called "../alice"'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_names_get_one_line(toolbox, printed, arguments, told):
    result = toolbox.invoke(*arguments)
    assert result.returncode == 1
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    assert line.startswith("FAIL: ")
    assert told in line
