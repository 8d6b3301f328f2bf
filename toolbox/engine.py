"""What the Docker on this machine must be, and what to say when it is not."""

import re

from .failure import Failure, one_line

# The oldest versions with what docker-compose.yml uses: health checks with a `start_interval` need Engine 25,
# and Compose passes that on since 2.24.
OLDEST_ENGINE = (25, 0)
OLDEST_COMPOSE = (2, 24)


def check(run):
    """Raise Failure, with the remedy, unless an engine answers and Compose and BuildKit are there.

    `run` takes a list of arguments and returns the result, with the attributes `ok`, `stdout` and `stderr`, without raising.
    """
    engine = run(["docker", "version", "--format", "{{.Server.Version}}"])
    if not engine.ok:
        raise Failure(explained(engine.stderr))
    if version(engine.stdout) < OLDEST_ENGINE:
        raise Failure(f"Docker Engine {engine.stdout.strip()} is too old: update it to {dotted(OLDEST_ENGINE)} or later.")
    compose = run(["docker", "compose", "version", "--short"])
    if not compose.ok:
        raise Failure('Docker Compose v2 is missing ("docker compose" is no command): install its plugin, docker-compose-plugin.')
    if version(compose.stdout) < OLDEST_COMPOSE:
        raise Failure(f"Docker Compose {compose.stdout.strip()} is too old: update it to {dotted(OLDEST_COMPOSE)} or later.")
    if not run(["docker", "buildx", "version"]).ok:
        raise Failure('BuildKit is missing ("docker buildx" is no command): install its plugin, docker-buildx-plugin.')


def explained(stderr):
    """Return what a failed `docker version` means, as cause and remedy; `stderr` is what it printed there."""
    text = stderr.lower()
    if "not found" in text and "docker" in text and "daemon" not in text:
        return "Docker is not installed: see https://docs.docker.com/engine/install/."
    if "permission denied" in text:
        return 'this user may not use Docker: "sudo usermod -aG docker $USER", then log in again.'
    if "cannot connect" in text or "error during connect" in text or "is the docker daemon running" in text:
        return "no Docker engine answers: start Docker Desktop or the docker service, or look at DOCKER_HOST."
    return f"Docker does not work: {one_line(stderr)}"


def version(text):
    """Return the first two numbers of a version such as `v2.26.1-4`; (0, 0) where there are none."""
    numbers = re.search(r"(\d+)\.(\d+)", text)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)


def dotted(numbers):
    """Return (2, 24) as `2.24`."""
    return ".".join(str(number) for number in numbers)
