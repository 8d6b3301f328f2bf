"""The class Toolbox: its settings, running programs for it, and what Docker has of it."""

import copy
import functools
import os
import re
from pathlib import Path

from . import compose, dotenv, process
from .errors import Failure, adapt_commands
from .process import ROOT

# Names that are not possible, because .env.NAME is another file.
RESERVED = ("example", "next", "part", "ports")
# With the project before it and the service after it, it is a host name, which has at most 63 characters.
LONGEST_NAME = 30
# An empty volume, whose label is the directory of the toolbox that owns the project's data. Unlike containers, it
# exists as long as the data.
OWNER_VOLUME = "folder"
OWNER_LABEL = "data-toolbox.folder"


class Toolbox:
    """A clone of this repository in the directory `root`, and its Compose project.

    With a `name`, its settings are in .env.NAME. `context` is Invoke's, which runs programs.
    """

    def __init__(self, context, name="", root=None):
        self.context, self.name, self.root, self.variables = context, name, root or ROOT, {}

    def with_settings(self, **variables):
        """Return the same toolbox with other settings, which take precedence over .env."""
        other = copy.copy(self)
        other.variables = self.variables | variables
        other.reload()
        return other

    # --- Settings ---

    @property
    def env(self):
        """The path of the settings, which may not exist."""
        return self.root / (f".env.{self.name}" if self.name else ".env")

    @property
    def lock_file(self):
        """The path of the lock file of tasks that change this toolbox."""
        return self.root / (f".{self.name}.lock" if self.name else ".lock")

    @property
    def is_new(self):
        """Whether it has a name but no settings yet."""
        return bool(self.name) and not self.env.exists()

    def settings(self):
        """Return the settings in .env, by name, without quotes."""
        return dotenv.values(dotenv.read(self.env))

    def set(self, **values):
        """Set names in .env to values, which are written verbatim."""
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
        """Resolve the configuration again at its next use."""
        self.__dict__.pop("config", None)

    @property
    def project(self):
        """The name of the Compose project."""
        return self.config["name"]

    def say(self, text):
        """Print a text written for the toolbox without a name, adapted to this toolbox."""
        print(adapt_commands(self.add_name(text)), flush=True)

    def add_name(self, text):
        """Return a text in which .env and commands are those of this toolbox."""
        # Functions that decide do not know their toolbox, so all messages are written for the one without a name, and
        # only this place adds the name.
        if self.name:
            text = re.sub(r"(?<![\w/])\.env(?![\w]|\.\w)", self.env.name, text)
            text = re.sub(r'"(invoke|\./run) (?!lock)(\w+)', rf'"\1 \2 --name {self.name}', text)
        return text

    # --- Programs ---

    def inherited_environment(self):
        """Return the environment of this process, for a named toolbox without variables that would select another."""
        selecting = ("COMPOSE_ENV_FILES", "COMPOSE_PROJECT_NAME") if self.name else ()
        return {name: value for name, value in os.environ.items() if name not in selecting}

    def environment(self):
        """Return the environment of the programs that it runs."""
        # Relative to the root, because Compose would split a path at a comma.
        selected = {"COMPOSE_ENV_FILES": self.env.name} if self.name and self.env.exists() else {}
        return self.inherited_environment() | {"PWD": str(self.root)} | selected | self.variables

    def run(self, *args, stdin=""):
        """Run a program with hidden output and `stdin` as input; return the result, which is true if it succeeded."""
        return process.quietly(self.context, args, stdin, root=self.root, env=self.environment())

    def show(self, *args, **options):
        """Run a program with its output shown, as process.visibly does; return the result."""
        return process.visibly(self.context, args, root=self.root, env=self.environment(), **options)

    def print_output(self, *args):
        """Run a program, and print its output but not the command; return the result."""
        return process.run(self.context, args, root=self.root, env=self.environment(), in_stream=False)

    def compose(self, *args, **options):
        """Run `docker compose` with its output shown; return the result."""
        return self.show("docker", "compose", *args, **options)

    def popen(self, args, what, **options):
        """Run a subprocess.Popen in a context, as process.popen does."""
        return process.popen(args, what, cwd=self.root, env=self.environment() | options.pop("env", {}), **options)

    def stream(self, args, what, on_end=None):
        """Yield the output of a program, as process.stream does."""
        return process.stream(args, what, on_end, cwd=self.root, env=self.environment())

    def output(self, args, what, chunks=(), **variables):
        """Return the output of a program, as process.output does, with additional environment `variables`."""
        return process.output(args, what, chunks, cwd=self.root, env=self.environment() | variables)

    # --- What Docker has ---

    def containers(self):
        """Return the containers, running or not, by service, as `docker compose ps` describes them.

        Raises Failure when they belong to another clone with the same project name.
        """
        found = compose.containers(self.run("docker", "compose", "ps", "--all", "--format", "json").stdout)
        for folder in filter(None, map(compose.folder, found.values())):
            if self.is_another_clone(folder):
                raise Failure(f"the toolbox in {folder} has the same name: set another COMPOSE_PROJECT_NAME in .env.")
        return found

    def own_containers(self):
        """Return what `containers` does. Raises Failure also when the data belong to another clone."""
        found, owner = self.containers(), self.owner()
        marker = f"{self.project}_{OWNER_VOLUME}"
        # `docker compose down --volumes` deletes the data, but not that volume.
        if owner and self.is_another_clone(owner) and self.volumes() != [marker]:
            raise Failure(
                f"the data of {self.project} belong to the toolbox in {owner}: set another COMPOSE_PROJECT_NAME in "
                f'.env; or, to use them here, "docker volume rm {marker}" first.'
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

    def is_another_clone(self, folder):
        """Return whether a directory is another clone, not the former place of this one."""
        return Path(folder).resolve() != self.root.resolve() and (Path(folder) / "docker-compose.yml").exists()

    def volumes(self):
        """Return the names of the volumes of the project, including those that an upgrade has replaced."""
        label = f"label=com.docker.compose.project={self.project}"
        return sorted(self.run("docker", "volume", "ls", "--quiet", "--filter", label).stdout.split())

    def has(self, kind, name):
        """Return whether Docker has a volume or an image (`kind`) of that name."""
        return bool(self.run("docker", kind, "inspect", name))

    def image(self, service):
        """Return the name of the image of a service."""
        return f"{self.project}-{service}"


def check_name(name):
    """Raise Failure unless the name of a toolbox is valid."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name) or len(name) > LONGEST_NAME or name in RESERVED:
        raise Failure(
            f'a toolbox cannot be called "{name}": use up to {LONGEST_NAME} lower-case letters, digits, - '
            f"and _, starting with a letter or digit, and none of {', '.join(RESERVED)}."
        )


def names(root=ROOT):
    """Return the names of all named toolboxes of a clone."""
    found = (path.name.removeprefix(".env.") for path in root.glob(".env.*"))
    return sorted(name for name in found if "." not in name and name not in RESERVED)
