"""toolbox.engine: the requirements on Docker."""

import pytest
from invoke import Result

from tests.support.layers import error_line
from toolbox import engine
from toolbox.errors import Failure

SOCKET = "unix:///var/run/docker.sock"
SUITABLE = {
    "docker version": Result("28.2.2\n"),
    "docker compose": Result("2.26.1-4\n"),
    "docker buildx": Result("github.com/docker/buildx v0.13.1\n"),
}


def check(**results):
    """Check a suitable Docker, with other answers to `docker version`, `compose` or `buildx`."""
    answers = SUITABLE | {f"docker {command}": result for command, result in results.items()}
    engine.check(lambda *words: answers[" ".join(words[:2])])


def failed(stderr, code=1):
    return Result("", stderr, exited=code)


def test_the_minimum_versions_are_accepted():
    check(version=Result("25.0.0\n"), compose=Result("v2.24.0\n"))


def test_later_major_versions_are_accepted():
    check(version=Result("30.0.1\n"), compose=Result("5.0.0\n"))


@pytest.mark.parametrize(
    ("results", "remedy"),
    [
        pytest.param(
            {"version": failed("sh: 1: docker: not found", 127)}, "see https://docs.docker.com", id="no docker"
        ),
        pytest.param(
            {"version": failed("docker: Kommando nicht gefunden", 127)}, "not installed", id="no docker, in German"
        ),
        pytest.param(
            {"version": failed(f"Cannot connect to the Docker daemon at {SOCKET}. Is the docker daemon running?")},
            "start Docker Desktop or the docker service",
            id="no engine",
        ),
        pytest.param(
            {
                "version": failed(
                    f"failed to connect to the docker API at {SOCKET}; check if the path is correct and if ..."
                )
            },
            "start Docker Desktop or the docker service",
            id="no engine, message of Docker 29",
        ),
        pytest.param(
            {"version": failed('error during connect: Get "http://box:2375/version": lookup box: no such host\n')},
            "DOCKER_HOST",
            id="no engine at DOCKER_HOST",
        ),
        pytest.param(
            {
                "version": failed(
                    f"permission denied while trying to connect to the Docker daemon socket at {SOCKET}: "
                    'Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.45/version": dial unix: connect: permission denied\n'
                )
            },
            "sudo usermod -aG docker $USER",
            id="permission denied",
        ),
        pytest.param(
            {"version": failed('unable to resolve docker endpoint: context "x": context not found:\nopen meta.json')},
            'context "x": context not found: open meta.json',
            id="no such context",
        ),
        pytest.param({"version": Result("24.0.9\n")}, "update it to 25.0", id="engine too old"),
        pytest.param(
            {"compose": failed("docker: 'compose' is not a docker command.\nSee 'docker --help'\n")},
            "install its plugin, docker-compose-plugin",
            id="no Compose v2",
        ),
        pytest.param({"compose": Result("v2.23.3\n")}, "update it to 2.24", id="Compose too old"),
        pytest.param({"compose": Result("1.29.2\n")}, "update it to 2.24", id="Compose v1"),
        pytest.param(
            {"buildx": failed("docker: 'buildx' is not a docker command.\n")},
            "install its plugin, docker-buildx-plugin",
            id="no buildx",
        ),
    ],
)
def test_an_unsuitable_docker_is_reported_with_the_remedy(results, remedy):
    with pytest.raises(Failure) as raised:
        check(**results)
    assert remedy in error_line(raised)
