"""The requirements on Docker, and the messages when they are not met."""

import os
import re
from pathlib import Path

from .errors import Failure, one_line

# The minimum versions for docker-compose.yml: `start_interval` of health checks needs Engine 25 and Compose 2.24.
OLDEST_ENGINE = (25, 0)
OLDEST_COMPOSE = (2, 24)

# The exit code of a shell that does not find a program; its message depends on the language.
NO_SUCH_COMMAND = 127

# Messages of different versions of the docker command when no engine answers.
NO_ANSWER = ("cannot connect", "failed to connect", "error during connect")


def check(run):
    """Raise Failure, with the remedy, unless an engine answers and Compose and BuildKit are there.

    `run` takes the words of a command and returns a result with `ok`, `exited`, `stdout` and `stderr`, without raising.
    """
    engine = run("docker", "version", "--format", "{{.Server.Version}}")
    if engine.exited == NO_SUCH_COMMAND:
        raise Failure("Docker is not installed: see https://docs.docker.com/engine/install/.")
    if not engine.ok:
        raise Failure(explain(engine.stderr))
    if version(engine.stdout) < OLDEST_ENGINE:
        raise Failure(
            f"Docker Engine {engine.stdout.strip()} is too old: update it to {dotted(OLDEST_ENGINE)} or later."
        )
    compose = run("docker", "compose", "version", "--short")
    if not compose.ok:
        raise Failure(
            'Docker Compose v2 is missing ("docker compose" is unknown): install its plugin, docker-compose-plugin.'
        )
    if version(compose.stdout) < OLDEST_COMPOSE:
        raise Failure(
            f"Docker Compose {compose.stdout.strip()} is too old: update it to {dotted(OLDEST_COMPOSE)} or later."
        )
    if not run("docker", "buildx", "version").ok:
        raise Failure('BuildKit is missing ("docker buildx" is unknown): install its plugin, docker-buildx-plugin.')


def config_folder():
    """Return the directory where the docker command keeps its configuration and the state of builds."""
    return Path(os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker"))


def check_config_folder():
    """Raise Failure unless the docker command can write to its directory, which a build requires."""
    folder = config_folder()
    place = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not os.access(place, os.W_OK | os.X_OK):
        raise Failure(
            f"Docker cannot write to {folder}, where it keeps its configuration: set DOCKER_CONFIG to another folder."
        )


def explain(stderr):
    """Return cause and remedy for a failed `docker version`, from its `stderr`."""
    text = stderr.lower()
    if "permission denied" in text:
        return 'this user may not use Docker: "sudo usermod -aG docker $USER", then log in again.'
    if any(words in text for words in NO_ANSWER):
        return "no Docker engine answers: start Docker Desktop or the docker service, or check DOCKER_HOST."
    return f"Docker does not work: {one_line(stderr)}"


def version(text):
    """Return the first two numbers of a version such as `v2.26.1-4`, or (0, 0)."""
    numbers = re.search(r"(\d+)\.(\d+)", text)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)


def dotted(numbers):
    """Return (2, 24) as `2.24`."""
    return ".".join(str(number) for number in numbers)
