"""Helpers for tests without a running toolbox: a substitute for Docker, and Docker Compose without an engine."""

import json
import os
import re
import shlex
import subprocess
import tempfile
from pathlib import Path
from types import ModuleType

from invoke import MockContext, Result

from tests.support.copies import free_ports
from toolbox import compose, images, instance

ROOT = Path(__file__).parents[2]

SECRETS = {name: f"secret-of-{name.lower()}" for name in compose.SECRETS}
OFFICIAL = {name: images.default((ROOT / folder / "Dockerfile").read_text()) for name, folder in images.FOLDERS.items()}
# Docker's message when the host name of a registry cannot be resolved.
NO_REGISTRY = 'Error response from daemon: Get "https://registry/v2/": dial tcp: lookup registry: no such host\n'


def error_line(raised):
    """Return the message of a raised Failure, after checking that it is one line that begins with FAIL."""
    message = str(raised.value.message)
    assert message.startswith("FAIL: ")
    assert "\n" not in message
    assert raised.value.code == 1
    return message


def program(path):
    """Return a Python program of the repository that cannot be imported as a module."""
    module = ModuleType(Path(path).stem)
    exec(compile((ROOT / path).read_text(), path, "exec"), module.__dict__)
    return module


def image_environment(folder):
    """Return the environment variables that the Dockerfile in a folder of the repository sets."""
    text = re.sub(r"^ *#.*\n", "", (ROOT / folder / "Dockerfile").read_text(), flags=re.M).replace("\\\n", " ")
    return dict(
        word.split("=", 1) for line in re.findall(r"^ENV (.*)$", text, flags=re.M) for word in shlex.split(line)
    )


def postgres_settings():
    """Return the settings in postgres-docker/postgresql.conf, as they are written there."""
    text = (ROOT / "postgres-docker" / "postgresql.conf").read_text()
    return dict(re.findall(r"^([a-z_.]+)\s*=\s*'?([^'\n]*?)'?$", re.sub(r"\s*#.*", "", text), flags=re.M))


# --- A substitute for Docker ---


def configuration(ports=None, bases=OFFICIAL, host="127.0.0.1", **secrets):
    """Return the parts of the output of `docker compose config` that the tasks use, with free ports.

    `host` is the host name for browsers.
    """
    variables = {name: value.replace("$", "$$") for name, value in secrets.items()}
    config = {
        "name": "box",
        "services": {"secrets": {"environment": variables}},
        "volumes": {"db-store": {"name": "box_db-store"}},
    }
    for service, port in zip(compose.SERVICES, ports or free_ports(3), strict=True):
        config["services"][service] = {
            "build": {"args": {"BASE_IMAGE": bases[service]}},
            "environment": {},
            "ports": [{"host_ip": "127.0.0.1", "published": str(port)}],
        }
    config["services"]["notebook"]["environment"]["NOTEBOOK_ADDRESS"] = f"{host}:{port}"
    return config


def listed(**states):
    """Return the output of `docker compose ps` for services in states such as `running healthy` or `exited 1`."""
    lines = []
    for service, state in states.items():
        status, _, detail = state.partition(" ")
        health, code = ("", int(detail)) if detail.isdecimal() else (detail, 0)
        entry = {"Service": service, "ID": f"id-{service}", "State": status, "Health": health, "ExitCode": code}
        lines.append(json.dumps(entry))
    return "\n".join(lines)


HEALTHY = listed(postgres="running healthy", mlflow="running healthy", notebook="running healthy")


def docker(answers=None, config=None):
    """Return a context in which Docker has no images or volumes, and every command succeeds.

    `answers` maps patterns of the beginnings of commands to other results; `config` is the configuration.
    """
    defaults = {
        "docker version": "28.2.2\n",
        "docker compose version": "2.26.1-4\n",
        "docker compose config": json.dumps(config or configuration()),
        "docker volume inspect --format .*folder": f"{instance.ROOT}\n",
        "docker (volume|image) inspect": False,
        "docker inspect .*StartedAt": "2026-11-28T09:30:00.123456789Z\n",
        "docker compose exec --no-TTY notebook cat": f"{SECRETS['JUPYTER_TOKEN']}\n",
        "docker compose exec --no-TTY postgres cat": f"{SECRETS['ANALYST_DB_PASSWORD']}\n",
        "": True,
    }
    # The first pattern that matches decides.
    answers = dict(answers or {})
    for pattern, result in defaults.items():
        answers.setdefault(pattern, result)
    return MockContext(run={re.compile(pattern): result for pattern, result in answers.items()})


def fake_toolbox(answers=None, config=None, name=""):
    """Return a toolbox with the substitute for Docker."""
    return instance.Toolbox(docker(answers, config), name)


def use_clone(folder, monkeypatch):
    """Make the tasks use a clone in a folder, without settings."""
    for path in ROOT.iterdir():
        if path.name in ("docker-compose.yml", ".env.example", *images.FOLDERS.values()):
            (folder / path.name).symlink_to(path)
    monkeypatch.setattr(instance, "ROOT", folder)


def user_env(folder, monkeypatch):
    """Make the tasks use a clone in a folder, with an .env that a user has edited; return the path of that."""
    path = folder / ".env"
    path.write_text("# mine\nMLFLOW_WORKERS=3\n")
    use_clone(folder, monkeypatch)
    return path


def commands(c):
    """Return the commands that a context, or that of a toolbox, has run."""
    return [call.args[0] for call in getattr(c, "context", c).run.call_args_list]


def changing_commands(c):
    """Return the commands of a context that change something."""
    reading = (
        r"docker ((compose |buildx )?version|(volume |image )?inspect|volume ls|info|compose (config|ps|exec|logs))\b"
    )
    return [command for command in commands(c) if not re.match(reading, command)]


# --- Docker Compose without an engine ---


def without_settings():
    """Return the environment of this process without settings for Compose, and with an engine that does not exist.

    Compose then reads only docker-compose.yml, without overrides.
    """
    settings = re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text())
    prefixes = ("COMPOSE_", "DOCKER_HOST", "DOCKER_CONTEXT")
    kept = {name: value for name, value in os.environ.items() if name not in settings and not name.startswith(prefixes)}
    return kept | {"DOCKER_HOST": "unix:///nonexistent", "COMPOSE_FILE": "docker-compose.yml"}


def docker_compose(*arguments, env_file="", **variables):
    """Run `docker compose` with the text of an .env and environment variables; return the result."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as settings:
        settings.write(env_file)
        settings.flush()
        result = subprocess.run(
            ["docker", "compose", "--env-file", settings.name, *arguments],
            cwd=ROOT,
            env=without_settings() | {name: str(value) for name, value in variables.items()},
            capture_output=True,
            text=True,
            check=False,
        )
    return Result(result.stdout, result.stderr, exited=result.returncode)


def loaded(env_file="", **variables):
    """Return the configuration as the tasks load it, with the text of an .env and environment variables."""
    return compose.load(lambda *words: docker_compose(*words[2:], env_file=env_file, **variables))


def real_configuration(**variables):
    """Return the configuration as the tasks load it, with settings from the environment."""
    return loaded(**variables)
