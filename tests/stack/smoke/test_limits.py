"""What an attacker finds in the containers: no rights, and limits that hold."""

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
def test_even_a_command_in_the_container_is_not_run_as_root(toolbox, service):
    assert toolbox.host(service).check_output("id -u") != "0"


def volume_of(toolbox, service):
    """Return the mount of a service's own volume; the home of the notebook is there twice, the second time at /work."""
    own = [mount for mount in toolbox.inspect(service)["Mounts"] if mount["RW"]]
    return min(own, key=lambda mount: mount["Destination"])


@pytest.fixture(params=SERVICES)
def planted(request, toolbox):
    """The service, and the path of a shell in its volume that is root's and runs as root whoever starts it."""
    service = request.param
    volume = volume_of(toolbox, service)
    place = volume["Destination"]

    def as_root(command):
        image = toolbox.inspect(service)["Config"]["Image"]
        attached = ["--user", "0", "--volume", f"{volume['Name']}:{place}", "--entrypoint", "bash", image]
        done = toolbox.run("docker", "run", "--rm", *attached, "-c", command)
        assert done.returncode == 0, done.stderr

    as_root(f'cp "$(command -v bash)" {place}/planted && chmod 4755 {place}/planted')
    yield service, f"{place}/planted"
    as_root(f"rm {place}/planted")


# The option -p has the shell keep the rights that it was given.
WHO = "-p -c 'echo $EUID'"


def test_a_program_that_is_to_run_as_root_does_not(toolbox, planted):
    service, shell = planted
    host = toolbox.host(service)
    assert host.file(shell).mode == 0o4755
    assert host.check_output(f"{shell} {WHO}") == host.check_output("id -u") != "0"


def test_without_the_settings_of_the_service_it_would(toolbox, planted):
    service, shell = planted
    details = toolbox.inspect(service)
    volume = volume_of(toolbox, service)
    user = toolbox.host(service).check_output("id -u")
    attached = [
        "--volume",
        f"{volume['Name']}:{volume['Destination']}",
        "--entrypoint",
        "sh",
        details["Config"]["Image"],
    ]
    done = toolbox.run("docker", "run", "--rm", "--user", user, *attached, "-c", f"{shell} {WHO}")
    assert done.stdout.strip() == "0", done.stderr


@pytest.mark.parametrize(("service", "folder"), [("mlflow", "/mlflow"), ("postgres", "/var/lib/postgresql")])
def test_the_root_file_system_cannot_be_written(toolbox, service, folder):
    for place in ("/usr/local/bin", "/etc", folder):
        result = toolbox.host(service).run(f"touch {place}/mine")
        assert result.rc != 0
        assert "Read-only file system" in result.stderr or "Permission denied" in result.stderr
    assert toolbox.inspect(service)["HostConfig"]["ReadonlyRootfs"]


def test_too_many_processes_harm_only_who_starts_them(toolbox):
    started = toolbox.host("notebook").run("for i in $(seq 3000); do sleep 5 & done 2>&1 | tail -1; wait")
    assert "fork" in started.stdout + started.stderr
    assert answers(toolbox)
    assert toolbox.get("notebook", "/api")[0] == 200


def test_too_much_memory_ends_the_process_and_not_the_notebook_server(toolbox):
    before = toolbox.inspect("notebook")["State"]["StartedAt"]
    try:
        assert toolbox.host("notebook").run("python -c 'b\"x\" * (5 << 30)'").rc == 137
        assert toolbox.inspect("notebook")["State"]["StartedAt"] == before
        assert toolbox.get("notebook", "/api")[0] == 200
    finally:
        # `doctor` counts such ends since the start of the container.
        toolbox.compose("restart", "notebook")
        toolbox.compose("up", "--wait")


@pytest.mark.parametrize("service", SERVICES)
def test_the_log_of_a_service_cannot_fill_the_disk(toolbox, service):
    assert toolbox.inspect(service)["HostConfig"]["LogConfig"]["Config"] == {"max-file": "3", "max-size": "10m"}


def test_postgres_is_shut_down_cleanly(toolbox):
    toolbox.compose("stop", "postgres")
    try:
        log = toolbox.compose("logs", "--tail", "3", "postgres")
        assert "database system is shut down" in log
        assert toolbox.inspect("postgres")["State"]["ExitCode"] == 0
    finally:
        toolbox.compose("up", "--wait")


# --- Publishing ---


def test_an_address_beyond_this_machine_is_refused(toolbox):
    with toolbox.changed(BIND_ADDRESS="0.0.0.0"):
        result = toolbox.invoke("up")
    assert result.returncode != 0
    assert result.stderr.splitlines()[-1].startswith("FAIL: BIND_ADDRESS=0.0.0.0 would let in")
    assert answers(toolbox)
