"""Commands whose input or output may be larger than the memory."""

import contextlib
import os
import subprocess
import tempfile

from .commands import ROOT
from .failure import Failure, last_line

CHUNK = 1 << 20


@contextlib.contextmanager
def process(args, what, **options):
    """Give a process that runs a list of arguments in the root of the repository; it is over when the block is.

    `options` are those of subprocess.Popen, but `env`, which is added to the environment of this process.
    Raises Failure, which names `what` could not be done and the cause, when the command fails.
    """
    environment = os.environ | options.pop("env", {})
    with tempfile.TemporaryFile() as errors:
        running = subprocess.Popen(args, cwd=ROOT, env=environment, stderr=errors, **options)
        try:
            yield running
            # Whatever reads from this process sees that there is no more.
            if running.stdin:
                running.stdin.close()
            code = running.wait()
        except BrokenPipeError:
            # It stopped reading: what it said tells why.
            code = running.wait() or 1
        finally:
            running.kill()
            running.wait()
            for pipe in (running.stdin, running.stdout):
                if pipe:
                    with contextlib.suppress(OSError):
                        pipe.close()
        errors.seek(0)
        running.said = errors.read().decode(errors="replace")
        if code:
            raise Failure(f"{what} ({cause(running.said) or f'exit code {code}'}).")


def cause(said):
    """Return the line of what a command said that tells why it failed: the last one with an error, or the last one.

    Postgres' programs name the cause first, and then the statement.
    """
    errors = [line for line in said.splitlines() if "error" in line.lower()]
    return last_line(errors[-1] if errors else said)


def output(args, what, said=None, **options):
    """Run a command and yield what it prints, in pieces of bytes; `said` is called with its standard error at the end.

    Raises Failure as `process` does.
    """
    with process(args, what, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **options) as running:
        while chunk := running.stdout.read(CHUNK):
            yield chunk
    if said:
        said(running.said)


def fed(args, what, chunks, **options):
    """Run a command with the pieces of bytes that `chunks` yields as its input; return what it printed, as text.

    Raises Failure as `process` does.
    """
    with tempfile.TemporaryFile() as printed:
        with process(args, what, stdin=subprocess.PIPE, stdout=printed, **options) as running:
            for chunk in chunks:
                running.stdin.write(chunk)
        printed.seek(0)
        return printed.read().decode(errors="replace")
