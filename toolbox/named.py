"""Which toolbox the tasks are about: the one whose settings are in .env, or one with a name, whose are in .env.NAME.

Each has a project of its own, and with it containers, volumes, secrets, a network and images, and its own ports.
"""

import contextlib
import functools
import inspect
import os
import re
from contextlib import nullcontext as nothing

from . import dotenv, failure, lock, model, outside, ports
from .failure import Failure
from .process import ROOT, environment

FOLDER = ROOT
# What .env.NAME cannot be, because something else is called so.
RESERVED = ("example", "next", "part", "ports")
# With its project's name before it and a service's behind it, it still has to be a name in a network (63 characters).
LONGEST = 30
# What a new toolbox does not take over from .env: it is one toolbox's alone.
OWN = {
    *model.SECRETS,
    *ports.DEFAULTS,
    "COMPOSE_PROJECT_NAME",
    "DB_STORE",
    "MLFLOW_EXTRA_ALLOWED_HOSTS",
    "NOTEBOOK_UID",
    "NOTEBOOK_USER",
    "PAGE_HOST",
    "WORK_FOLDER",
}

_names = [""]


def current():
    """Return the name of the toolbox that the tasks are about, empty for the one of .env."""
    return _names[-1]


def env():
    """Return the path of the settings."""
    return FOLDER / (f".env.{current()}" if current() else ".env")


def is_new():
    """Return whether the tasks are about a toolbox with a name that has no settings yet."""
    return bool(current()) and not env().exists()


def make(project):
    """Make the settings of a new toolbox with a name; `project` is that of the one without.

    Raises Failure when no ports are free.
    """
    # Others would take the same.
    with lock.taking_turns(FOLDER / ".ports.lock"):
        dotenv.write(env(), settings(project))
    use_settings()
    print(f"Made {env().name}, with free ports.")


def keep_page_host():
    """Have browsers ask for the named toolbox by a name of its own: they send the cookies of a name to all its ports.

    Not where it listens on an address that such a name does not lead to.
    """
    if not current():
        return
    text = dotenv.read(env())
    values = dotenv.values(text)
    if "PAGE_HOST" not in values and values.get("BIND_ADDRESS", "") in ("", "127.0.0.1", "0.0.0.0"):
        dotenv.write(env(), dotenv.with_value(text, "PAGE_HOST", f"{current()}.localhost"))


def check(name):
    """Raise Failure unless a toolbox can have that name."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name) or len(name) > LONGEST or name in RESERVED:
        raise Failure(
            f'a toolbox cannot be called "{name}": take up to {LONGEST} small letters, digits, - and _, '
            f"a letter or a digit first, and not {', '.join(RESERVED)}."
        )


def names():
    """Return the names of the toolboxes that have one."""
    found = (path.name.removeprefix(".env.") for path in FOLDER.glob(".env.*"))
    return sorted(name for name in found if "." not in name and name not in RESERVED)


@contextlib.contextmanager
def of(name, made=True):
    """Have the block be about the toolbox `name`; with None it stays about the same one.

    Raises Failure when a toolbox cannot have that name, or has no settings yet though it is to be `made`.
    """
    if name is None:
        if not current():
            outside.say(env())
        yield
        return
    check(name)
    _names.append(name)
    try:
        # What the environment says of another toolbox would count more than the settings.
        with environment(COMPOSE_ENV_FILES=None, COMPOSE_PROJECT_NAME=None):
            outside.say(env())
            if env().exists():
                use_settings()
            elif made:
                others = f"there are {', '.join(names())}" if names() else "no toolbox has a name"
                raise Failure(f'no toolbox is called "{name}", {others}: "invoke up" makes it.')
            yield
    except Failure as failure:
        failure.message = words(failure.message)
        raise
    finally:
        _names.pop()


def use_settings():
    """Have Docker Compose use the settings of the named toolbox, until the end of the block of `of`."""
    if not dotenv.values(dotenv.read(env())).get("COMPOSE_PROJECT_NAME"):
        raise Failure("COMPOSE_PROJECT_NAME is missing in .env: without it, this is the toolbox that has no name.")
    # From the root, where Compose runs: it would split the whole path at a comma.
    os.environ["COMPOSE_ENV_FILES"] = os.path.relpath(env(), ROOT)


def words(text):
    """Return a text that speaks of .env and of tasks as it has to be for the named toolbox."""
    if current():
        text = re.sub(r"(?<![\w/])\.env(?![\w]|\.\w)", env().name, text)
        text = re.sub(r'"(invoke|\./run) (\w+)', rf'"\1 \2 --name {current()}', text)
    return text


def settings(project):
    """Return the text of the settings of a new named toolbox; `project` is the name of the project of the one without.

    What .env says counts for it too, but for what is one toolbox's alone. Its ports are free ones, and its name is
    that of the person who works there.
    Raises Failure when there are none.
    """
    values = inherited(dotenv.read(FOLDER / ".env"), (ROOT / ".env.example").read_text())
    values |= {"COMPOSE_PROJECT_NAME": f"{project}-{current()}", "NOTEBOOK_USER": current(), **ports.free(reserved())}
    lines = [
        f"# The toolbox {current()}. It may have all settings of .env.example.",
        *map("{}={}".format, values, values.values()),
    ]
    return "\n".join(lines) + "\n"


def inherited(text, example):
    """Return what a new toolbox takes over from `text`, the settings of another one, as written there, by name."""
    known = dotenv.defaults(example).keys() - OWN
    return {name: value for name, value in re.findall(r"^(\w+)=(.*)$", text, flags=re.M) if name in known}


def reserved():
    """Return the ports of all toolboxes of this folder, running or not."""
    taken = set(ports.DEFAULTS.values())
    for path in [FOLDER / ".env", *(FOLDER / f".env.{name}" for name in names())]:
        if path.exists():
            values = dotenv.values(dotenv.read(path))
            taken |= {int(values[name]) for name in ports.DEFAULTS if values.get(name, "").isdecimal()}
    return taken


def alone(task):
    """Have no other task change this toolbox for a block; `task` is the name of this one, as lock.alone takes it."""
    return lock.alone(FOLDER / (f".{current()}.lock" if current() else ".lock"), task)


def task(*args, makes=False, changes=False, **options):
    """Make a function a task, as failure.task does, that takes the name of a toolbox, and may make it.

    One that `changes` the toolbox is refused while another one does.
    """
    if args:
        return task()(*args)

    def decorated(body):
        @functools.wraps(body)
        def about(c, *values, name=None, **more):
            with of(name, made=not makes), alone(options.get("name", body.__name__)) if changes else nothing():
                return body(c, *values, **more)

        signature = inspect.signature(body)
        name = inspect.Parameter("name", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None)
        about.__signature__ = signature.replace(parameters=[*signature.parameters.values(), name])
        options["help"] = {**options.get("help", {}), "name": "the toolbox that is meant, if it is not the one of .env"}
        return failure.task(**options)(about)

    return decorated
