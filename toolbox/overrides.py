"""What counts besides .env: the environment, which counts more, and the proxies of Docker's own settings."""

import functools
import json
import os
import sys

from . import dotenv, engine
from .errors import Failure

# Many people have these set for everything that they run. That matters only where .env says otherwise.
USUAL = ("TZ", "NO_PROXY")
# With these Compose reads other settings than the tasks.
OTHER_SETTINGS = ("COMPOSE_ENV_FILES", "COMPOSE_DISABLE_ENV_FILE")


def settings(environment, written, defaults):
    """Return the names of the settings that count because the `environment` has them, and would be others without it.

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
            f'{name} in the environment has Compose read other settings than .env: "unset {name}", '
            "and add --name for a toolbox that has one."
        )
    values = {**written, **environment}
    first, *_ = values.get("COMPOSE_FILE", "").split(values.get("COMPOSE_PATH_SEPARATOR") or os.pathsep)
    # The first decides which folder, and with it which .env, Compose takes for the project's.
    if first and (root / first).resolve() != (root / "docker-compose.yml").resolve():
        where = "the environment" if "COMPOSE_FILE" in environment else ".env"
        raise Failure(f"COMPOSE_FILE in {where} does not begin with this docker-compose.yml: take it out there.")


def report(toolbox):
    """Say on standard error what counts more than .env, once.

    Raises Failure when Compose would read other files than the tasks.
    """
    environment = toolbox.surroundings()
    try:
        written = toolbox.settings()
    except Failure:
        # Whoever needs the file says that; what matters here is what counts more.
        written = {}
    check(environment, written, toolbox.root)
    defaults = dotenv.defaults((toolbox.root / ".env.example").read_text(encoding="utf-8"))
    if names := settings(environment, written, defaults):
        print_once(f"Set in the environment, which counts more than {toolbox.env.name}: {', '.join(names)}.")
    host = environment.get("DOCKER_HOST", "")
    if host and not host.startswith(("unix:", "npipe:")):
        print_once("DOCKER_HOST in the environment names another machine's engine: the toolbox is there.")


@functools.cache
def print_once(line):
    """Print a line on standard error, unless it was printed before: one command may have several tasks."""
    print(line, file=sys.stderr, flush=True)


# --- Proxies ---


def keep_no_proxy(toolbox):
    """Note in .env what Docker asks no proxy for, unless NO_PROXY is set there or in the environment.

    A container gets the exceptions of the toolbox in the place of those of Docker's settings.
    """
    if "NO_PROXY" in os.environ or "NO_PROXY" in toolbox.settings():
        return
    if names := exceptions(engine.own_folder() / "config.json"):
        toolbox.say(f"Docker asks no proxy for {names}: neither does the toolbox now (NO_PROXY in .env).")
        toolbox.set(NO_PROXY=f"'{names}'")


def exceptions(path):
    """Return the `noProxy` of Docker's settings at `path`, without names that .env could not hold; "" without one."""
    try:
        names = json.loads(path.read_text(encoding="utf-8"))["proxies"]["default"]["noProxy"]
    except (OSError, ValueError, LookupError, TypeError):
        # Docker itself says what is wrong with its file.
        return ""
    return ",".join(name.strip() for name in str(names).split(",") if name.strip() and "'" not in name)
