"""What the environment sets: it counts more than .env, so tasks say it, and refuse what leads Compose elsewhere."""

import functools
import os
import sys

from . import dotenv
from .failure import Failure
from .process import ROOT

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


def check(environment, written):
    """Raise Failure when Compose would read other files than the tasks; the arguments are as those of `settings`."""
    for name in filter(environment.get, OTHER_SETTINGS):
        raise Failure(
            f'{name} in the environment has Compose read other settings than .env: "unset {name}", '
            "and add --name for a toolbox that has one."
        )
    values = {**written, **environment}
    first, *_ = values.get("COMPOSE_FILE", "").split(values.get("COMPOSE_PATH_SEPARATOR") or os.pathsep)
    # The first decides which folder, and with it which .env, Compose takes for the project's.
    if first and (ROOT / first).resolve() != (ROOT / "docker-compose.yml").resolve():
        where = "the environment" if "COMPOSE_FILE" in environment else ".env"
        raise Failure(f"COMPOSE_FILE in {where} does not begin with this docker-compose.yml: take it out there.")


def say(path):
    """Say on standard error what counts more than the .env file at `path`, once.

    Raises Failure when Compose would read other files than the tasks.
    """
    try:
        written = dotenv.values(dotenv.read(path))
    except Failure:
        # Said by whoever needs the file; what matters here is what beats it.
        written = {}
    check(os.environ, written)
    defaults = dotenv.defaults((ROOT / ".env.example").read_text(encoding="utf-8"))
    if names := settings(os.environ, written, defaults):
        print_once(f"Set in the environment, which counts more than {path.name}: {', '.join(names)}.")
    host = os.environ.get("DOCKER_HOST", "")
    if host and not host.startswith(("unix:", "npipe:")):
        print_once("DOCKER_HOST in the environment names another machine's engine: the toolbox is there.")


@functools.cache
def print_once(line):
    """Print a line on standard error, unless it was printed before: one task may call others."""
    print(line, file=sys.stderr, flush=True)
