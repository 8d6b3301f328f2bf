"""Processes in the containers have no privileges, and cannot exceed their limits."""

import pytest

from tests.support.waiting import answers
from toolbox.compose import SERVICES

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("toolbox")]


# --- The containers ---


@pytest.mark.parametrize("service", SERVICES)
def test_no_process_has_or_can_gain_a_capability(toolbox, service):
    status = dict(
        line.split(":", 1)
        for line in toolbox.host(service).file("/proc/1/status").content_string.splitlines()
        if ":" in line
    )
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert status["NoNewPrivs"].strip() == "1"


@pytest.mark.parametrize("service", SERVICES)
def test_a_command_in_a_container_does_not_run_as_root(toolbox, service):
    assert toolbox.host(service).check_output("id -u") != "0"


@pytest.mark.parametrize(("service", "folder"), [("mlflow", "/mlflow"), ("postgres", "/var/lib/postgresql")])
def test_the_root_file_system_cannot_be_written(toolbox, service, folder):
    for place in ("/usr/local/bin", "/etc", folder):
        result = toolbox.host(service).run(f"touch {place}/mine")
        assert result.rc != 0
        assert "Read-only file system" in result.stderr or "Permission denied" in result.stderr
    assert toolbox.inspect(service)["HostConfig"]["ReadonlyRootfs"]


def test_too_many_processes_in_the_notebook_leave_the_services_working(toolbox):
    started = toolbox.host("notebook").run("for i in $(seq 3000); do sleep 5 & done 2>&1 | tail -1; wait")
    assert "fork" in started.stdout + started.stderr
    assert answers(toolbox)
    assert toolbox.get("notebook", "/api")[0] == 200


def test_a_process_out_of_memory_is_killed_and_the_notebook_server_is_not(toolbox):
    before = toolbox.inspect("notebook")["State"]["StartedAt"]
    try:
        assert toolbox.host("notebook").run("python -c 'b\"x\" * (5 << 30)'").rc == 137
        assert toolbox.inspect("notebook")["State"]["StartedAt"] == before
        assert toolbox.get("notebook", "/api")[0] == 200
    finally:
        # `doctor` counts such kills since the start of the container.
        toolbox.compose("restart", "notebook")
        toolbox.compose("up", "--wait")


@pytest.mark.parametrize("service", SERVICES)
def test_the_log_of_a_service_cannot_fill_the_disk(toolbox, service):
    assert toolbox.inspect(service)["HostConfig"]["LogConfig"]["Config"] == {"max-file": "3", "max-size": "10m"}


# --- Publishing ---


def test_an_address_that_other_machines_can_reach_is_refused(toolbox):
    with toolbox.changed(BIND_ADDRESS="0.0.0.0"):
        result = toolbox.invoke("up")
    assert result.returncode != 0
    assert result.stderr.splitlines()[-1].startswith(
        "FAIL: BIND_ADDRESS=0.0.0.0 would expose the services to the network"
    )
    assert answers(toolbox)
