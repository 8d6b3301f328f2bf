"""Several toolboxes of one clone: each named one has its own settings, project and ports."""

import re

from . import compose, dotenv, lock, ports
from .errors import Failure
from .instance import names

# Settings that a new toolbox does not inherit from .env, because they are specific to one.
OWN = {
    *compose.SECRETS,
    *ports.DEFAULTS,
    "COMPOSE_PROJECT_NAME",
    "DB_STORE",
    "MLFLOW_EXTRA_ALLOWED_HOSTS",
    "NOTEBOOK_UID",
    "NOTEBOOK_USER",
    "PAGE_HOST",
    "WORK_FOLDER",
}


def create(toolbox):
    """Write the settings of a new toolbox. Raises Failure when no ports are free."""
    # Before it has settings, the configuration is that of the toolbox without a name.
    project = toolbox.project
    # Otherwise two new toolboxes could get the same ports.
    with lock.exclusive_after_wait(toolbox.root / ".ports.lock"):
        toolbox.write(settings(toolbox, project))
    print(f"Created {toolbox.env.name}, with free ports.")


def set_page_host(toolbox):
    """Give the pages of a named toolbox their own host name, because browsers send cookies to all ports of a host.

    Not if it listens on an address to which such a name does not resolve.
    """
    values = toolbox.settings()
    if toolbox.name and "PAGE_HOST" not in values and values.get("BIND_ADDRESS", "") in ("", "127.0.0.1", "0.0.0.0"):
        toolbox.set(PAGE_HOST=f"{toolbox.name}.localhost")


def check(toolbox):
    """Raise Failure when the settings of a named toolbox lack its project."""
    if not toolbox.settings().get("COMPOSE_PROJECT_NAME"):
        raise Failure("COMPOSE_PROJECT_NAME is missing in .env: without it, this would be the toolbox without a name.")


def settings(toolbox, project):
    """Return the text of the settings of a new toolbox; `project` is the project of the one without a name.

    It inherits the settings in .env, except those in OWN, and has free ports and its name as the user name.
    Raises Failure when no ports are free.
    """
    example = (toolbox.root / ".env.example").read_text(encoding="utf-8")
    values = inherited(dotenv.read(toolbox.root / ".env"), example)
    values |= {"COMPOSE_PROJECT_NAME": f"{project}-{toolbox.name}", "NOTEBOOK_USER": toolbox.name}
    values |= ports.free(reserved_ports(toolbox.root))
    lines = [
        f"# The toolbox {toolbox.name}. All settings of .env.example are possible.",
        *map("{}={}".format, values, values.values()),
    ]
    return "\n".join(lines) + "\n"


def inherited(text, example):
    """Return the settings that a new toolbox inherits from `text`, the .env of another one, by name, as written."""
    known = dotenv.defaults(example).keys() - OWN
    return {name: value for name, value in re.findall(r"^(\w+)=(.*)$", text, flags=re.M) if name in known}


def reserved_ports(root):
    """Return the ports of all toolboxes of a clone, running or not."""
    taken = set(ports.DEFAULTS.values())
    for path in [root / ".env", *(root / f".env.{name}" for name in names(root))]:
        if path.exists():
            values = dotenv.values(dotenv.read(path))
            taken |= {int(values[name]) for name in ports.DEFAULTS if values.get(name, "").isdecimal()}
    return taken
