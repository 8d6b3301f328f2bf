"""A program that is to run as root gains no rights in a container, and Postgres is shut down cleanly."""

import pytest

from toolbox.compose import SERVICES

pytestmark = pytest.mark.stack


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


def test_postgres_is_shut_down_cleanly(toolbox):
    toolbox.compose("stop", "postgres")
    try:
        log = toolbox.compose("logs", "--tail", "3", "postgres")
        assert "database system is shut down" in log
        assert toolbox.inspect("postgres")["State"]["ExitCode"] == 0
    finally:
        toolbox.compose("up", "--wait")
