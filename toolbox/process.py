"""Run programs: visibly, quietly, or with input and output that do not fit into memory.

Invoke runs those that are shown, on a terminal if there is one, and those with little output; it keeps all output as
text in memory, so subprocess runs those with streams of bytes.
"""

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
# Invoke's default is bash, which not every machine has.
SHELL = "/bin/sh"
CHUNK = 1 << 20


def visibly(c, args, in_stream=False, **options):
    """Run a list of arguments, with the command and its output shown; return the result, which is true if it succeeded.

    On a terminal the command gets one too, to display its progress; all of its output is then in `stdout`.
    It has no standard input, unless `in_stream` is None.
    """
    # Flush, so that the lines stay in order if standard output is a file.
    sys.stdout.flush()
    print(f"$ {shlex.join(args)}", file=sys.stderr, flush=True)
    return run(c, args, pty=sys.stdout.isatty(), in_stream=in_stream, **options)


def quietly(c, args, stdin="", **options):
    """Run a list of arguments with hidden output and `stdin` as input; return the result, true if it succeeded."""
    return run(c, args, hide=True, in_stream=io.StringIO(stdin), **options)


def run(c, args, root=None, env=None, **options):
    """Run a list of arguments in `root`, or that of the clone; return the result. `options` are those of `Context.run`.

    `env` is the environment, if it is not that of this process. Invoke's `cd` is not used, because it does not quote
    the name of the directory, which may be any text.
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
    """Run a list of arguments as a subprocess.Popen with its `options`, and end it after the block.

    Afterwards the attribute `messages` of the process has its standard error.
    Raises Failure with `what`, such as "it cannot be read", and the cause, when the command fails.
    """
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(args, stderr=errors, **options)
        try:
            yield process
            # Signal the end of its input.
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
        process.messages = errors.read().decode(errors="replace")
        if code:
            raise Failure(f"{what} ({cause(process.messages) or f'exit code {code}'}).")


def cause(messages):
    """Return the line of a command's messages with the reason for its failure: the last with "error", or the last.

    Postgres' programs print the cause first, and then the statement.
    """
    errors = [line for line in messages.splitlines() if "error" in line.lower()]
    return last_line(errors[-1] if errors else messages)


def stream(args, what, on_end=None, **options):
    """Run a command and yield its output, in chunks of bytes; `on_end` is called with its standard error at the end.

    Raises Failure as `popen` does.
    """
    with popen(args, what, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **options) as process:
        while chunk := process.stdout.read(CHUNK):
            yield chunk
    if on_end:
        on_end(process.messages)


def output(args, what, chunks=(), **options):
    """Run a command with `chunks` of bytes as its input; return its output as text.

    Raises Failure as `popen` does.
    """
    with tempfile.TemporaryFile() as printed:
        with popen(args, what, stdin=subprocess.PIPE, stdout=printed, **options) as process:
            for chunk in chunks:
                process.stdin.write(chunk)
        printed.seek(0)
        return printed.read().decode(errors="replace")


def on_terminal():
    """Return whether standard input, which may be closed, and output are a terminal."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def tool(name):
    """Return the command of a program of tests/requirements.txt, a list: a module also works in a moved clone.

    Raises Failure if it is not installed.
    """
    if not importlib.util.find_spec(name):
        raise Failure(
            f'{name} is not installed for {sys.executable}: use "./run", which installs tests/requirements.txt.'
        )
    return [sys.executable, "-m", name]
