"""Running programs: shown, quietly, or with input and output larger than the memory."""

import contextlib
import importlib.util
import io
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from .errors import Failure, last_line

ROOT = Path(__file__).parent.parent
# Invoke's own choice is bash, which not every machine has.
SHELL = "/bin/sh"
CHUNK = 1 << 20


def visibly(c, args, in_stream=False, **options):
    """Run a list of arguments, with the command and its output shown; return the result, which is true if it succeeded.

    On a terminal the command gets one too, so that it can draw its progress; all of its output is then in `stdout`.
    It reads nothing from standard input, unless `in_stream` is None.
    """
    # Keep the order of lines where standard output is a file.
    sys.stdout.flush()
    print(f"$ {shlex.join(args)}", file=sys.stderr, flush=True)
    return run(c, args, pty=sys.stdout.isatty(), in_stream=in_stream, **options)


def quietly(c, args, stdin="", **options):
    """Run a list of arguments with nothing shown and `stdin` as input; return the result, true if it succeeded."""
    return run(c, args, hide=True, in_stream=io.StringIO(stdin), **options)


def run(c, args, root=None, env=None, **options):
    """Run a list of arguments in `root`, or that of the clone; return the result. `options` are those of `Context.run`.

    `env` is the environment, if it is not the one of this process. Not with Invoke's `cd`, which inserts the directory
    into the shell's line as it is: its name may be any text.
    """
    root = root or ROOT
    env = env or os.environ | {"PWD": str(root)}
    before = os.open(".", os.O_RDONLY)
    os.chdir(root)
    try:
        return c.run(shlex.join(args), shell=SHELL, warn=True, env=env, replace_env=True, **options)
    finally:
        os.fchdir(before)
        os.close(before)


@contextlib.contextmanager
def popen(args, what, **options):
    """Run a list of arguments as a subprocess.Popen, with its `options`, which ends with the block.

    Afterwards the attribute `said` of the process has its standard error.
    Raises Failure, which names `what` could not be done and the cause, when the command fails.
    """
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(args, stderr=errors, **options)
        try:
            yield process
            # The end of its input.
            if process.stdin:
                process.stdin.close()
            code = process.wait()
        except BrokenPipeError:
            # It stopped reading, and its standard error says why.
            code = process.wait() or 1
        finally:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    with contextlib.suppress(OSError):
                        pipe.close()
        errors.seek(0)
        process.said = errors.read().decode(errors="replace")
        if code:
            raise Failure(f"{what} ({cause(process.said) or f'exit code {code}'}).")


def cause(said):
    """Return the line of what a command said that tells why it failed: the last one with an error, or the last one.

    Postgres' programs name the cause first, and then the statement.
    """
    errors = [line for line in said.splitlines() if "error" in line.lower()]
    return last_line(errors[-1] if errors else said)


def stream(args, what, said=None, **options):
    """Run a command and yield what it prints, in pieces of bytes; `said` is called with its standard error at the end.

    Raises Failure as `popen` does.
    """
    with popen(args, what, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **options) as process:
        while chunk := process.stdout.read(CHUNK):
            yield chunk
    if said:
        said(process.said)


def output(args, what, chunks=(), **options):
    """Run a command with the pieces of bytes that `chunks` yields as its input; return what it printed, as text.

    Raises Failure as `popen` does.
    """
    with tempfile.TemporaryFile() as printed:
        with popen(args, what, stdin=subprocess.PIPE, stdout=printed, **options) as process:
            for chunk in chunks:
                process.stdin.write(chunk)
        printed.seek(0)
        return printed.read().decode(errors="replace")


def on_terminal():
    """Return whether input and output are a terminal. The input may even be closed."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def tool(name):
    """Return how a command of tests/requirements.txt begins, a list: as a module, which a moved clone finds too.

    Raises Failure if it is not installed.
    """
    if not importlib.util.find_spec(name):
        raise Failure(
            f'{name} is not installed for {sys.executable}: use "./run", which installs tests/requirements.txt.'
        )
    return [sys.executable, "-m", name]
