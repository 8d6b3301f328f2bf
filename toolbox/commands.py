"""Running commands in the root of the repository: shown to the reader, who learns Docker on the way, or quietly."""

import contextlib
import importlib.util
import io
import os
import shlex
import sys
from pathlib import Path

from .failure import Failure

ROOT = Path(__file__).parent.parent
# Invoke's own choice is bash, which not every machine has.
SHELL = "/bin/sh"


def visibly(c, args, in_stream=False, **options):
    """Run a list of arguments, with the command and its output shown; return the result, which is true if it succeeded.

    On a terminal the command gets one too, so that it can draw its progress; all of its output is then in `stdout`.
    It reads nothing from standard input, unless `in_stream` is None.
    """
    # Keep the order of lines where standard output is a file.
    sys.stdout.flush()
    print(f"$ {shlex.join(args)}", file=sys.stderr, flush=True)
    return run(c, args, pty=sys.stdout.isatty(), in_stream=in_stream, **options)


def only_output(c, args, **options):
    """Run a list of arguments with its output passed on and the command not shown; return the result."""
    return run(c, args, in_stream=False, **options)


def quietly(c, args, stdin="", **options):
    """Run a list of arguments with nothing shown and `stdin` as input; return the result, true if it succeeded."""
    return run(c, args, hide=True, in_stream=io.StringIO(stdin), **options)


def run(c, args, **options):
    """Run a list of arguments in the root of the repository; return the result. `options` are those of Invoke's `run`.

    Not with Invoke's `cd`: that puts the folder into the shell's line as it is, and its name may be any text.
    """
    before = os.open(".", os.O_RDONLY)
    os.chdir(ROOT)
    try:
        with environment(PWD=str(ROOT)):
            return c.run(shlex.join(args), shell=SHELL, warn=True, **options)
    finally:
        os.fchdir(before)
        os.close(before)


def on_terminal():
    """Return whether a person can be asked: input and output are a terminal. The input may even be closed."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def is_watched():
    """Return whether a person may be looking on: some stream is a terminal, though another one may be a pipe."""
    return any(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def tool(name):
    """Return how a program of requirements.txt begins, a list: the module of that name, or the file beside this Python.

    No script in .venv/bin is run: each names the folder in which it was made, and the clone may have been moved.
    Raises Failure when it is not there: whoever calls `invoke` directly may have that alone.
    """
    if importlib.util.find_spec(name):
        return [sys.executable, "-m", name]
    path = Path(sys.executable).with_name(name)
    if not path.exists():
        raise Failure(f'{name} is not installed beside {sys.executable}: use "./run", which installs requirements.txt.')
    return [str(path)]


def compose(c, *args, **options):
    """Run `docker compose` visibly with a list of arguments."""
    return visibly(c, ["docker", "compose", *args], **options)


@contextlib.contextmanager
def environment(**variables):
    """Have other settings than those of .env for the block, for whatever is run in it; None is for unset ones."""
    before = {name: os.environ.get(name) for name in variables}
    set_variables(variables)
    try:
        yield
    finally:
        set_variables(before)


def set_variables(variables):
    """Set variables of the environment, or unset those that are None."""
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
