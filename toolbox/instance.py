"""The toolbox that a task is about: its settings, and what Docker has of it."""

import copy
import functools
import os
import re
from pathlib import Path

from . import compose, dotenv, process
from .errors import Failure, as_typed
from .process import ROOT

# What .env.NAME cannot be, because another file is called so.
RESERVED = ("example", "next", "part", "ports")
# With the name of the project before it and a service's behind it, it still has to be a host name (63 characters).
LONGEST_NAME = 30
# A volume without files, whose label is the directory of the toolbox that owns the project's data. It exists as long as
# the data do, which containers do not.
OWNER_VOLUME = "folder"
OWNER_LABEL = "data-toolbox.folder"


class Toolbox:
    """A clone of this repository in the directory `root`, and the Compose project that it is.

    With a `name` its settings are in .env.NAME. `context` is Invoke's, which runs programs.
    """

    def __init__(self, context, name="", root=None):
        self.context, self.name, self.root, self.variables = context, name, root or ROOT, {}

    def having(self, **variables):
        """Return the same toolbox with other values of settings, which count more than those of .env."""
        other = copy.copy(self)
        other.variables = self.variables | variables
        other.reload()
        return other

    # --- Settings ---

    @property
    def env(self):
        """The path of the settings, which need not exist."""
        return self.root / (f".env.{self.name}" if self.name else ".env")

    @property
    def lock_file(self):
        """The path of the file that tasks lock which change this toolbox."""
        return self.root / (f".{self.name}.lock" if self.name else ".lock")

    @property
    def is_new(self):
        """Whether it has a name, and no settings yet."""
        return bool(self.name) and not self.env.exists()

    def settings(self):
        """Return what .env sets, by name, without quotes."""
        return dotenv.values(dotenv.read(self.env))

    def set(self, **values):
        """Set names in .env to values, which are written as they are."""
        text = dotenv.read(self.env)
        for name, value in values.items():
            text = dotenv.with_value(text, name, value)
        self.write(text)

    def write(self, text):
        """Write .env."""
        dotenv.write(self.env, text)
        self.reload()

    @functools.cached_property
    def config(self):
        """The configuration as Compose resolves it, a dictionary. Raises Failure when it is not valid."""
        dotenv.read(self.env)
        return compose.load(self.run)

    def reload(self):
        """Resolve the configuration again when it is next asked for."""
        self.__dict__.pop("config", None)

    @property
    def project(self):
        """The name of the Compose project."""
        return self.config["name"]

    def say(self, text):
        """Print a text that speaks of .env and of tasks as for a toolbox without a name."""
        print(as_typed(self.words(text)), flush=True)

    def words(self, text):
        """Return a text that names .env and tasks as they have to be typed for this toolbox."""
        if self.name:
            text = re.sub(r"(?<![\w/])\.env(?![\w]|\.\w)", self.env.name, text)
            text = re.sub(r'"(invoke|\./run) (?!lock)(\w+)', rf'"\1 \2 --name {self.name}', text)
        return text

    # --- Programs ---

    def surroundings(self):
        """Return the environment of this process, without what would choose another toolbox than one with a name."""
        chooses = ("COMPOSE_ENV_FILES", "COMPOSE_PROJECT_NAME") if self.name else ()
        return {name: value for name, value in os.environ.items() if name not in chooses}

    def environment(self):
        """Return the environment of all that it runs."""
        # Compose, which runs in the root, would split a whole path at a comma.
        chosen = {"COMPOSE_ENV_FILES": self.env.name} if self.name and self.env.exists() else {}
        return self.surroundings() | {"PWD": str(self.root)} | chosen | self.variables

    def run(self, *args, stdin=""):
        """Run a program with nothing shown and `stdin` as input; return the result, which is true if it succeeded."""
        return process.quietly(self.context, args, stdin, root=self.root, env=self.environment())

    def show(self, *args, **options):
        """Run a program with its output shown, as process.visibly does; return the result."""
        return process.visibly(self.context, args, root=self.root, env=self.environment(), **options)

    def print_output(self, *args):
        """Run a program, print what it prints and not what it is; return the result."""
        return process.run(self.context, args, root=self.root, env=self.environment(), in_stream=False)

    def compose(self, *args, **options):
        """Run `docker compose` with its output shown; return the result."""
        return self.show("docker", "compose", *args, **options)

    def popen(self, args, what, **options):
        """Give a process, as process.popen does."""
        return process.popen(args, what, cwd=self.root, env=self.environment() | options.pop("env", {}), **options)

    def stream(self, args, what, said=None):
        """Yield what a program prints, as process.stream does."""
        return process.stream(args, what, said, cwd=self.root, env=self.environment())

    def output(self, args, what, chunks=(), **variables):
        """Return what a program prints, as process.output does, with other `variables` of its environment."""
        return process.output(args, what, chunks, cwd=self.root, env=self.environment() | variables)

    # --- What Docker has ---

    def containers(self):
        """Return the containers, running or not, by service, as `docker compose ps` describes them.

        Raises Failure when another clone created them, whose project has the same name.
        """
        found = compose.containers(self.run("docker", "compose", "ps", "--all", "--format", "json").stdout)
        for folder in filter(None, map(compose.folder, found.values())):
            if self.is_another(folder):
                raise Failure(f"the toolbox in {folder} has the same name: set another COMPOSE_PROJECT_NAME in .env.")
        return found

    def own_containers(self):
        """Return what `containers` does. Raises Failure also when the data are those of another directory."""
        found, owner = self.containers(), self.owner()
        mark = f"{self.project}_{OWNER_VOLUME}"
        # By Compose alone the data may be deleted, and that volume is left.
        if owner and self.is_another(owner) and self.volumes() != [mark]:
            raise Failure(
                f"the data of {self.project} belong to the toolbox in {owner}: set another COMPOSE_PROJECT_NAME in "
                f'.env; or, if this is to go on with them, "docker volume rm {mark}" first.'
            )
        return found

    def owner(self):
        """Return the directory of the toolbox that owns the data of the project; empty if that was not recorded."""
        label = f'{{{{index .Labels "{OWNER_LABEL}"}}}}'
        return self.run(
            "docker", "volume", "inspect", "--format", label, f"{self.project}_{OWNER_VOLUME}"
        ).stdout.strip()

    def take_ownership(self):
        """Record that the data of the project belong to this directory."""
        if (owner := self.owner()) != str(self.root):
            volume = f"{self.project}_{OWNER_VOLUME}"
            if owner:
                self.run("docker", "volume", "rm", volume)
            labels = (f"com.docker.compose.project={self.project}", f"{OWNER_LABEL}={self.root}")
            self.run("docker", "volume", "create", *(f"--label={label}" for label in labels), volume)

    def is_another(self, folder):
        """Return whether there is a toolbox in a directory that is not this one. A clone that was moved goes on."""
        return Path(folder).resolve() != self.root.resolve() and (Path(folder) / "docker-compose.yml").exists()

    def volumes(self):
        """Return the names of the volumes of the project, also those that an upgrade has replaced."""
        label = f"label=com.docker.compose.project={self.project}"
        return sorted(self.run("docker", "volume", "ls", "--quiet", "--filter", label).stdout.split())

    def has(self, kind, name):
        """Return whether Docker has a volume or an image (`kind`) of that name."""
        return bool(self.run("docker", kind, "inspect", name))

    def image(self, service):
        """Return the name of the image of a service."""
        return f"{self.project}-{service}"


def check_name(name):
    """Raise Failure unless a toolbox can have that name."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name) or len(name) > LONGEST_NAME or name in RESERVED:
        raise Failure(
            f'a toolbox cannot be called "{name}": take up to {LONGEST_NAME} small letters, digits, - and _, '
            f"a letter or a digit first, and not {', '.join(RESERVED)}."
        )


def names(root=ROOT):
    """Return the names of the toolboxes of a clone that have one."""
    found = (path.name.removeprefix(".env.") for path in root.glob(".env.*"))
    return sorted(name for name in found if "." not in name and name not in RESERVED)
