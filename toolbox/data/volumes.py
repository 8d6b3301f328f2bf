"""The files of the volumes, reached through the containers that have them, with toolbox/inside/volume_files.py."""

import json
from pathlib import Path
from typing import NamedTuple

PROGRAM = (Path(__file__).parents[1] / "inside" / "volume_files.py").read_text()


class Store(NamedTuple):
    """A volume: the service that has it, the folder where, and whether caches are left out of it."""

    service: str
    folder: str
    options: tuple = ()


STORES = {
    "artifacts": Store("mlflow", "/mlflow/artifacts"),
    "home": Store("notebook", "/home/jovyan", ("without-caches",)),
}


def program(name, action):
    """Return the command that does something with a store, inside a container."""
    return ["python", "-c", PROGRAM, action, STORES[name].folder, *STORES[name].options]


def running(name, *command):
    """Return the command that runs another in the container that a store's service has."""
    return ["docker", "compose", "exec", "--no-TTY", STORES[name].service, *command]


def apart(name, *command):
    """Return the command that runs another in a new container of a store's service, whatever state the service is in.

    It is made as the service's own, so it has the right user, and no more rights.
    """
    options = ["--rm", "--no-deps", "--no-TTY", "--entrypoint", command[0]]
    return ["docker", "compose", "run", *options, STORES[name].service, *command[1:]]


# --- Backup ---


def measured(toolbox, name):
    """Return what volume.measure says of the files of a store."""
    return json.loads(toolbox.output(running(name, *program(name, "measure")), f"{name} cannot be read"))


def pack(toolbox, name, contents):
    """Yield the files of a store as a tar; `contents`, a dictionary, gets at the end what volume.pack says of it."""
    return toolbox.stream(
        running(name, *program(name, "pack")),
        f"the files of {STORES[name].service} cannot be read: see its log",
        on_end=lambda text: contents.update(json.loads(text.splitlines()[-1])),
    )


# --- Restore ---


def does(toolbox, name, action, chunks=()):
    """Do something with a store in a container of its own, with `chunks` as input; return its result."""
    what = f"the files of {STORES[name].service} cannot be changed: make room, and see who owns them"
    # A folder of the machine is not to be in the way of the files of the volume.
    return json.loads(toolbox.output(apart(name, *program(name, action)), what, chunks, WORK_FOLDER=""))
