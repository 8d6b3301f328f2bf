"""Several toolboxes of one clone: the settings of one with a name, which has a project and ports of its own."""

import re

from . import compose, dotenv, lock, ports
from .errors import Failure
from .instance import names

# What a new toolbox does not take over from .env: it is one toolbox's alone.
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
    # As long as it has no settings, the configuration is that of the one without a name.
    project = toolbox.project
    # Others would take the same ports.
    with lock.taking_turns(toolbox.root / ".ports.lock"):
        toolbox.write(settings(toolbox, project))
    print(f"Made {toolbox.env.name}, with free ports.")


def set_page_host(toolbox):
    """Have browsers use a host name of its own for a toolbox with a name, as they send cookies to all ports of a host.

    Not if it listens on an address that such a name does not lead to.
    """
    values = toolbox.settings()
    if toolbox.name and "PAGE_HOST" not in values and values.get("BIND_ADDRESS", "") in ("", "127.0.0.1", "0.0.0.0"):
        toolbox.set(PAGE_HOST=f"{toolbox.name}.localhost")


def check(toolbox):
    """Raise Failure when the settings of a toolbox with a name lack its project."""
    if not toolbox.settings().get("COMPOSE_PROJECT_NAME"):
        raise Failure("COMPOSE_PROJECT_NAME is missing in .env: without it, this is the toolbox that has no name.")


def settings(toolbox, project):
    """Return the text of the settings of a new toolbox; `project` is the name of the project of the one without a name.

    What .env says counts for it too, except for what is one toolbox's alone. Its ports are free ones, and its name is
    that of the person who works there.
    Raises Failure when there are none.
    """
    example = (toolbox.root / ".env.example").read_text(encoding="utf-8")
    values = inherited(dotenv.read(toolbox.root / ".env"), example)
    values |= {"COMPOSE_PROJECT_NAME": f"{project}-{toolbox.name}", "NOTEBOOK_USER": toolbox.name}
    values |= ports.free(reserved_ports(toolbox.root))
    lines = [
        f"# The toolbox {toolbox.name}. It may have all settings of .env.example.",
        *map("{}={}".format, values, values.values()),
    ]
    return "\n".join(lines) + "\n"


def inherited(text, example):
    """Return what a new toolbox takes over from `text`, the settings of another one, as written there, by name."""
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
