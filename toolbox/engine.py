"""What the Docker on this machine must be, and what to say when it is not."""

import os
import re
from pathlib import Path

from .errors import Failure, one_line

# The oldest versions with what docker-compose.yml uses: health checks with a `start_interval` need Engine 25,
# and Compose passes that on since 2.24.
OLDEST_ENGINE = (25, 0)
OLDEST_COMPOSE = (2, 24)

# The exit code of a shell that does not find a program; the words it has for this depend on the language.
NO_SUCH_COMMAND = 127

# What the versions of the docker command say when nothing answers.
NO_ANSWER = ("cannot connect", "failed to connect", "error during connect")


def check(run):
    """Raise Failure, with the remedy, unless an engine answers and Compose and BuildKit are there.

    `run` takes the words of a command and returns the result, with the attributes `ok`, `exited`, `stdout` and
    `stderr`, without raising.
    """
    engine = run("docker", "version", "--format", "{{.Server.Version}}")
    if engine.exited == NO_SUCH_COMMAND:
        raise Failure("Docker is not installed: see https://docs.docker.com/engine/install/.")
    if not engine.ok:
        raise Failure(explained(engine.stderr))
    if version(engine.stdout) < OLDEST_ENGINE:
        raise Failure(
            f"Docker Engine {engine.stdout.strip()} is too old: update it to {dotted(OLDEST_ENGINE)} or later."
        )
    compose = run("docker", "compose", "version", "--short")
    if not compose.ok:
        raise Failure(
            'Docker Compose v2 is missing ("docker compose" is no command): install its plugin, docker-compose-plugin.'
        )
    if version(compose.stdout) < OLDEST_COMPOSE:
        raise Failure(
            f"Docker Compose {compose.stdout.strip()} is too old: update it to {dotted(OLDEST_COMPOSE)} or later."
        )
    if not run("docker", "buildx", "version").ok:
        raise Failure('BuildKit is missing ("docker buildx" is no command): install its plugin, docker-buildx-plugin.')


def own_folder():
    """Return where the docker command keeps its settings, and what it notes while it builds."""
    return Path(os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker"))


def check_own_folder():
    """Raise Failure unless the docker command can write there, which a build has to."""
    folder = own_folder()
    place = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not os.access(place, os.W_OK | os.X_OK):
        raise Failure(
            f"Docker cannot write to {folder}, where it keeps its settings: set DOCKER_CONFIG to another folder."
        )


def explained(stderr):
    """Return what a failed `docker version` means, as cause and remedy; `stderr` is what it printed there."""
    text = stderr.lower()
    if "permission denied" in text:
        return 'this user may not use Docker: "sudo usermod -aG docker $USER", then log in again.'
    if any(words in text for words in NO_ANSWER):
        return "no Docker engine answers: start Docker Desktop or the docker service, or look at DOCKER_HOST."
    return f"Docker does not work: {one_line(stderr)}"


def version(text):
    """Return the first two numbers of a version such as `v2.26.1-4`; (0, 0) where there are none."""
    numbers = re.search(r"(\d+)\.(\d+)", text)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)


def dotted(numbers):
    """Return (2, 24) as `2.24`."""
    return ".".join(str(number) for number in numbers)
