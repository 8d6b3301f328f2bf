"""A setuid program gains no privileges in a container, and Postgres shuts down cleanly."""

import pytest

from toolbox.compose import SERVICES

pytestmark = pytest.mark.stack


def volume_of(toolbox, service):
    """Return the mount of a service's own volume; the notebook's home is mounted twice, the second time at /work."""
    own = [mount for mount in toolbox.inspect(service)["Mounts"] if mount["RW"]]
    return min(own, key=lambda mount: mount["Destination"])


@pytest.fixture(params=SERVICES)
def planted(request, toolbox):
    """The service, and the path of a setuid shell in its volume that belongs to root."""
    service = request.param
    volume = volume_of(toolbox, service)
    folder = volume["Destination"]

    def as_root(command):
        image = toolbox.inspect(service)["Config"]["Image"]
        options = ["--user", "0", "--volume", f"{volume['Name']}:{folder}", "--entrypoint", "bash", image]
        result = toolbox.run("docker", "run", "--rm", *options, "-c", command)
        assert result.returncode == 0, result.stderr

    as_root(f'cp "$(command -v bash)" {folder}/planted && chmod 4755 {folder}/planted')
    yield service, f"{folder}/planted"
    as_root(f"rm {folder}/planted")


# With -p the shell keeps the privileges of setuid.
PRINT_UID = "-p -c 'echo $EUID'"


def test_a_setuid_program_does_not_run_as_root_in_a_service(toolbox, planted):
    service, shell = planted
    host = toolbox.host(service)
    assert host.file(shell).mode == 0o4755
    assert host.check_output(f"{shell} {PRINT_UID}") == host.check_output("id -u") != "0"


def test_a_setuid_program_would_run_as_root_without_the_settings_of_the_service(toolbox, planted):
    service, shell = planted
    details = toolbox.inspect(service)
    volume = volume_of(toolbox, service)
    user = toolbox.host(service).check_output("id -u")
    options = [
        "--volume",
        f"{volume['Name']}:{volume['Destination']}",
        "--entrypoint",
        "sh",
        details["Config"]["Image"],
    ]
    result = toolbox.run("docker", "run", "--rm", "--user", user, *options, "-c", f"{shell} {PRINT_UID}")
    assert result.stdout.strip() == "0", result.stderr


def test_postgres_shuts_down_cleanly(toolbox):
    toolbox.compose("stop", "postgres")
    try:
        log = toolbox.compose("logs", "--tail", "3", "postgres")
        assert "database system is shut down" in log
        assert toolbox.inspect("postgres")["State"]["ExitCode"] == 0
    finally:
        toolbox.compose("up", "--wait")
