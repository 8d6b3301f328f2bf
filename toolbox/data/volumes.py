"""The files of the volumes, reached through the containers that have them, with toolbox/inside/volume_files.py."""

import json
from pathlib import Path
from typing import NamedTuple

PROGRAM = (Path(__file__).parents[1] / "inside" / "volume_files.py").read_text()


class Store(NamedTuple):
    """A volume: the service that mounts it, its mount point, and options of volume_files.py."""

    service: str
    folder: str
    options: tuple = ()


STORES = {
    "artifacts": Store("mlflow", "/mlflow/artifacts"),
    "home": Store("notebook", "/home/jovyan", ("without-caches",)),
}


def program(name, action):
    """Return the command that runs an action of volume_files.py on a store, inside a container."""
    return ["python", "-c", PROGRAM, action, STORES[name].folder, *STORES[name].options]


def exec_command(name, *command):
    """Return the command that runs another in the running container of a store's service."""
    return ["docker", "compose", "exec", "--no-TTY", STORES[name].service, *command]


def run_command(name, *command):
    """Return the command that runs another in a new container of a store's service, which need not be running.

    The container has the user and the rights of the service.
    """
    options = ["--rm", "--no-deps", "--no-TTY", "--entrypoint", command[0]]
    return ["docker", "compose", "run", *options, STORES[name].service, *command[1:]]


# --- Backup ---


def measure(toolbox, name):
    """Return the result of volume_files.measure for a store."""
    return json.loads(toolbox.output(exec_command(name, *program(name, "measure")), f"{name} cannot be read"))


def pack(toolbox, name, contents):
    """Yield the files of a store as a tar; then update the dictionary `contents` with volume_files.pack's result."""
    return toolbox.stream(
        exec_command(name, *program(name, "pack")),
        f"the files of {STORES[name].service} cannot be read: see its log",
        on_end=lambda text: contents.update(json.loads(text.splitlines()[-1])),
    )


# --- Restore ---


def run(toolbox, name, action, chunks=()):
    """Run an action of volume_files.py on a store in a new container, with `chunks` as input; return its result."""
    what = f"the files of {STORES[name].service} cannot be changed: make room, and check who owns them"
    # Without WORK_FOLDER, whose mount would hide files of the volume.
    return json.loads(toolbox.output(run_command(name, *program(name, action)), what, chunks, WORK_FOLDER=""))
