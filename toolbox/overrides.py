"""Settings outside .env: the environment, which takes precedence, and the proxies in Docker's configuration."""

import functools
import json
import os
import sys

from . import dotenv, engine
from .errors import Failure

# Often set for all programs, so they are reported only if .env has other values.
USUAL = ("TZ", "NO_PROXY")
# These make Compose read other settings than the tasks.
OTHER_SETTINGS = ("COMPOSE_ENV_FILES", "COMPOSE_DISABLE_ENV_FILE")


def settings(environment, written, defaults):
    """Return the names of the settings that would have other values without the `environment`.

    `written` are the values of .env, and `defaults` those of all settings.
    """
    return [
        name
        for name, default in defaults.items()
        if name in environment
        and (environment[name] or default) != (written.get(name) or default)
        and (written.get(name) or name not in USUAL)
    ]


def check(environment, written, root):
    """Raise Failure when Compose would read other files than the tasks of the clone in `root`.

    The other arguments are as those of `settings`.
    """
    for name in filter(environment.get, OTHER_SETTINGS):
        raise Failure(
            f'{name} in the environment makes Compose read other settings than .env: "unset {name}", '
            "and select a named toolbox with --name."
        )
    values = {**written, **environment}
    first, *_ = values.get("COMPOSE_FILE", "").split(values.get("COMPOSE_PATH_SEPARATOR") or os.pathsep)
    # The first file determines the project's directory, and with it the .env, that Compose uses.
    if first and (root / first).resolve() != (root / "docker-compose.yml").resolve():
        where = "the environment" if "COMPOSE_FILE" in environment else ".env"
        raise Failure(f"COMPOSE_FILE in {where} does not start with this docker-compose.yml: remove it there.")


def report(toolbox):
    """Print on standard error, once, which settings override .env.

    Raises Failure when Compose would read other files than the tasks.
    """
    environment = toolbox.inherited_environment()
    try:
        written = toolbox.settings()
    except Failure:
        # The task that needs the file reports that.
        written = {}
    check(environment, written, toolbox.root)
    defaults = dotenv.defaults((toolbox.root / ".env.example").read_text(encoding="utf-8"))
    if names := settings(environment, written, defaults):
        print_once(f"Set by the environment, not by {toolbox.env.name}: {', '.join(names)}.")
    host = environment.get("DOCKER_HOST", "")
    if host and not host.startswith(("unix:", "npipe:")):
        print_once("DOCKER_HOST in the environment is the engine of another machine: the toolbox runs there.")


@functools.cache
def print_once(line):
    """Print a line on standard error, unless it was printed before: one command may have several tasks."""
    print(line, file=sys.stderr, flush=True)


# --- Proxies ---


def keep_no_proxy(toolbox):
    """Copy Docker's proxy exceptions to .env, unless NO_PROXY is set there or in the environment.

    In a container, the toolbox's own exceptions would replace those of Docker's configuration.
    """
    if "NO_PROXY" in os.environ or "NO_PROXY" in toolbox.settings():
        return
    if names := exceptions(engine.config_folder() / "config.json"):
        toolbox.say(f"Docker uses no proxy for {names}: neither does the toolbox now (NO_PROXY in .env).")
        toolbox.set(NO_PROXY=f"'{names}'")


def exceptions(path):
    """Return `noProxy` of Docker's configuration at `path`, without names that .env cannot hold; "" if not set."""
    try:
        names = json.loads(path.read_text(encoding="utf-8"))["proxies"]["default"]["noProxy"]
    except (OSError, ValueError, LookupError, TypeError):
        # Docker itself reports what is wrong with its file.
        return ""
    return ",".join(name.strip() for name in str(names).split(",") if name.strip() and "'" not in name)
