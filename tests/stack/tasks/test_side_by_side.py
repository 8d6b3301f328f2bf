"""Named toolboxes run side by side, separate from each other and from the one without a name."""

import contextlib
import http.client
import json
import re
import shutil
import signal
import subprocess
import sys

import pytest

from tests.support import browsing
from tests.support.copies import Copy, surroundings
from tests.support.waiting import until
from toolbox import dotenv
from toolbox.compose import SERVICES

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
    """The output of `up` for each of two new named toolboxes, by name."""
    try:
        yield {name: toolbox.succeed("up", "--name", name) for name in NAMES}
    finally:
        for name in NAMES:
            toolbox.invoke("clean", "--yes", "--name", name)


@pytest.fixture(scope="module")
def logged(toolbox, printed):
    """The values of a metric in each toolbox, by name, after each has logged a different number."""
    return {name: log(toolbox, name, number) for number, name in enumerate(NAMES, start=1)}


def settings(toolbox, name):
    return dotenv.values((toolbox.root / f".env.{name}").read_text())


def status(toolbox, name):
    """Return the status of the services of a toolbox, by service."""
    return {it["service"]: it for it in json.loads(toolbox.succeed("status", "--json", "--name", name))}


def log(toolbox, name, number):
    """Log a metric from the notebook of a toolbox; return all its values in MLflow."""
    program = LOG_METRIC.format(number=number)
    container = f"{toolbox.project}-{name}-notebook-1" if name else f"{toolbox.project}-notebook-1"
    result = toolbox.run("docker", "exec", container, "python", "-c", program)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def test_each_toolbox_has_separate_addresses_and_secrets(toolbox, printed):
    named = {name: settings(toolbox, name) for name in NAMES}
    unnamed = dotenv.values(toolbox.env.read_text())
    for variable in toolbox.ports:
        assert len({named["alice"][variable], named["bob"][variable], unnamed[variable]}) == 3
    secrets = set()
    for name in NAMES:
        port = named[name]["NOTEBOOK_PORT"]
        secrets |= {re.search(rf"http://{name}\.localhost:{port}/lab\?token=(\S+)", printed[name])[1]}
        secrets |= {re.search(rf"//analyst:(\S+)@127\.0\.0\.1:{named[name]['POSTGRES_PORT']}/", printed[name])[1]}
    assert len(secrets) == 4


def test_every_service_of_a_named_toolbox_is_healthy(toolbox, printed, record):
    for name in NAMES:
        services = status(toolbox, name)
        assert {it["health"] for it in services.values()} == {"healthy"}
        memory = {service: services[service]["memory_bytes"] >> 20 for service in SERVICES}
        record(f"memory of a second toolbox: {memory} MiB, {sum(memory.values())} MiB in total")


@pytest.fixture(scope="module")
def visited(toolbox, printed, tmp_path_factory):
    """The results of a browser that logged in to both."""
    labs = [re.search(r"http://\S+/lab\?token=\S+", printed[name])[0] for name in NAMES]
    pages = [f"http://{name}.localhost:{settings(toolbox, name)['MLFLOW_PORT']}" for name in NAMES]
    browsing.build(toolbox)
    try:
        options = {"labs": labs, "pages": pages, "ways": ["file", "link"], "timeout": 120}
        folder = tmp_path_factory.mktemp("pictures")
        yield browsing.visit(toolbox, folder, "two_toolboxes.py", network="host", **options)
    finally:
        browsing.remove(toolbox)


def test_a_toolbox_can_be_opened_with_its_token_from_a_file_and_from_another_site(visited):
    assert visited["ran"] == [True, True]


def test_the_cookies_of_a_toolbox_are_limited_to_its_host_and_same_site(visited):
    hosts = {f"{name}.localhost" for name in NAMES}
    assert {host for host, _, _ in visited["flags"]} == hosts
    assert {name.partition("-")[0] for _, name, _ in visited["flags"]} == {"username", "_xsrf"}
    assert {same_site for _, _, same_site in visited["flags"]} == {"Strict"}


def test_the_cookies_of_one_toolbox_are_not_sent_to_the_host_of_another(visited):
    # They are sent to all ports of their own host, as cookies do not depend on the port.
    for name, other in zip(NAMES, reversed(NAMES), strict=True):
        received = visited["stranger"][f"{name}.localhost"]
        assert any(name in cookie for cookie in received)
        assert not any(other in cookie for cookie in received)
    assert visited["stranger"]["127.0.0.1"] == [""]


def test_a_page_of_one_toolbox_cannot_read_from_another_or_send_its_cookies(visited):
    assert visited["read"] == [None, None]
    assert [cookies for cookies in visited["sent"].values() if cookies] == []
    assert len(visited["sent"]) == 2


def test_a_named_toolbox_answers_under_its_host_name_localhost_and_127_0_0_1(toolbox, printed):
    ports = settings(toolbox, "alice")
    for service, path in (("NOTEBOOK", "/api"), ("MLFLOW", "/api/2.0/mlflow/experiments/get?experiment_id=0")):
        for host in ("127.0.0.1", "localhost", "alice.localhost"):
            headers = {"Host": f"{host}:{ports[f'{service}_PORT']}"}
            connection = http.client.HTTPConnection("127.0.0.1", int(ports[f"{service}_PORT"]), timeout=30)
            with contextlib.closing(connection):
                connection.request("GET", path, headers=headers)
                assert connection.getresponse().status == 200


def test_each_toolbox_has_only_its_own_runs(logged):
    assert logged == {"alice": [1], "bob": [2]}


def test_tasks_with_a_name_use_the_named_toolbox(toolbox, logged):
    for name, [number] in logged.items():
        sql = "SELECT value FROM latest_metrics WHERE key = 'of'"
        assert toolbox.succeed("psql", "--name", name, "--command", sql).split()[2] == f"{number:.0f}"
        assert f"{toolbox.project}-{name}" in toolbox.succeed("doctor", "--name", name)


def test_docker_compose_finds_a_named_toolbox_by_its_env_file(toolbox, printed):
    listed = toolbox.compose("--env-file", ".env.alice", "ps", "--services").split()
    assert sorted(listed) == sorted(SERVICES)


def test_backups_of_one_toolbox_are_not_listed_for_another(toolbox, printed):
    toolbox.succeed("backup", "--name", "alice")
    assert f"{toolbox.project}-alice-" in toolbox.succeed("backups", "--name", "alice")
    assert "alice" not in toolbox.succeed("backups", "--name", "bob")
    assert "alice" not in toolbox.succeed("backups")


def test_another_folder_with_the_same_project_name_cannot_change_the_toolbox(toolbox, printed, tmp_path):
    other = Copy(tmp_path / "other")
    other.set(COMPOSE_PROJECT_NAME=f"{toolbox.project}-alice")
    before = status(toolbox, "alice")
    for command in (["up"], ["down"], ["clean", "--yes"]):
        result = other.invoke(*command)
        assert result.returncode == 1
        assert f"FAIL: the toolbox in {toolbox.root} has the same name" in result.stderr.splitlines()[-1]
    assert [it["since"] for it in status(toolbox, "alice").values()] == [it["since"] for it in before.values()]


def test_a_copy_of_the_folder_cannot_change_the_data_of_the_stopped_original(toolbox, logged, tmp_path):
    toolbox.succeed("backup", "--name", "alice", "--to", str(tmp_path / "backup.zip"))
    toolbox.succeed("down", "--name", "alice")
    copied = shutil.copytree(toolbox.root, tmp_path / "copied")
    before = toolbox.volumes(f"{toolbox.project}-alice")
    for command in (
        ["clean", "--yes"],
        ["up"],
        ["rotate"],
        ["upgrade"],
        ["restore", str(tmp_path / "backup.zip"), "--yes"],
    ):
        arguments = [sys.executable, "-m", "invoke", *command, "--name", "alice"]
        refused = subprocess.run(arguments, cwd=copied, env=surroundings(), capture_output=True, text=True, check=False)
        assert refused.returncode == 1
        line = f"FAIL: the data of {toolbox.project}-alice belong to the toolbox in {toolbox.root}: set another"
        assert refused.stderr.splitlines()[-1].startswith(line)
    assert toolbox.volumes(f"{toolbox.project}-alice") == before
    toolbox.succeed("up", "--name", "alice")
    sql = "SELECT value FROM latest_metrics WHERE key = 'of'"
    assert toolbox.succeed("psql", "--name", "alice", "--command", sql).split()[2] == "1"


def test_only_one_task_at_a_time_can_change_a_toolbox(toolbox, printed, tmp_path):
    path = tmp_path / "backup.zip"
    arguments = [sys.executable, "-m", "invoke", "backup", "--name", "bob", "--to", str(path)]
    with subprocess.Popen(arguments, cwd=toolbox.root, env=surroundings(), stdout=subprocess.DEVNULL) as backup:
        until(path.with_name("backup.zip.part").exists, "the backup has begun", 60)
        # Keeps it running during this test.
        backup.send_signal(signal.SIGSTOP)
        try:
            for command in (
                ["rotate"],
                ["up"],
                ["down"],
                ["clean", "--yes"],
                ["gc"],
                ["backup"],
                ["restore", str(path)],
            ):
                refused = toolbox.invoke(*command, "--name", "bob")
                assert refused.returncode == 1
                cause = (
                    f'another task of this toolbox is running ("invoke backup --name bob", process {backup.pid}): wait'
                )
                assert cause in refused.stderr.splitlines()[-1]
            # Other toolboxes are not locked.
            toolbox.succeed("gc", "--name", "alice")
        finally:
            backup.send_signal(signal.SIGCONT)
    assert backup.returncode == 0
    assert path.exists()


def test_clean_of_one_toolbox_does_not_affect_the_others(toolbox, logged):
    toolbox.succeed("up", "--name", "carol")
    container = toolbox.container("notebook")
    toolbox.succeed("clean", "--yes", "--name", "carol")
    listing = toolbox.run("docker", "ps", "--all", "--format", "{{.Names}}").stdout
    volumes = toolbox.run("docker", "volume", "ls", "--quiet").stdout
    images = toolbox.run("docker", "image", "ls", "--format", "{{.Repository}}").stdout
    assert f"{toolbox.project}-carol" not in listing + volumes + images
    assert not (toolbox.root / ".env.carol").exists()

    assert {it["health"] for it in status(toolbox, "bob").values()} == {"healthy"}
    assert "2" in toolbox.succeed("psql", "--name", "bob", "--command", "SELECT value FROM latest_metrics").split()
    assert toolbox.container("notebook") == container
    assert {it["health"] for it in json.loads(toolbox.succeed("status", "--json"))} == {"healthy"}


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["status", "--name", "dave"], 'there is no toolbox "dave"'),
        (["up", "--name", "a b"], 'cannot be called "a b"'),
        (["up", "--name", "../alice"], 'cannot be called "../alice"'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_invalid_or_unknown_name_is_rejected_in_one_line(toolbox, printed, arguments, cause):
    result = toolbox.invoke(*arguments)
    assert result.returncode == 1
    assert result.stdout == ""
    [line] = result.stderr.splitlines()
    assert line.startswith("FAIL: ")
    assert cause in line
