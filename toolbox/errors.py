"""Errors: a task that fails prints one line with the cause and the remedy."""

import contextlib
import errno
import os
import re
import sys
from pathlib import Path

from invoke import Exit

# How the user calls the tasks: `./run` executes tasks.py.
PROGRAM = "./run" if Path(sys.argv[0]).name == "tasks.py" else "invoke"
# Remedies for errors of the operating system.
REMEDIES = {
    errno.ENOSPC: "free some space on its disk",
    errno.EDQUOT: "free some space on its disk, or ask for a larger quota",
    errno.EROFS: "its disk is read-only, so move it or remount the disk",
    errno.ENOENT: "it is missing, so create it, or clone the repository again",
}
# Names of files and runs, and messages of Postgres, may contain these characters, which would control a terminal.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Failure(Exit):
    """An error that the user can fix: printed as one line, exit code 1, no traceback.

    `message` names the cause and then the remedy.
    """

    def __init__(self, message):
        super().__init__(f"FAIL: {CONTROL.sub(' ', adapt_commands(message))}", code=1)


def from_os_error(error):
    """Return the exception that ends a task after an OSError."""
    if error.filename is None and error.errno in (errno.EPIPE, errno.ENOSPC):
        # At exit, Python would try again to write the rest of the buffer.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        # The reader has closed the pipe, as `head` does.
        return Exit(code=128 + 13)
    what = f"{error.filename} cannot be used" if error.filename else "the task cannot continue"
    remedy = REMEDIES.get(error.errno, "check its owner and permissions")
    return Failure(f"{what} ({error.strerror}): {remedy}.")


def adapt_commands(text):
    """Return a text in which commands such as "invoke up" start with the program that the user called."""
    return re.sub(r'"(invoke|\./run) (?=\w)', f'"{PROGRAM} ', text)


def last_line(text):
    """Return the last line of `text` that is not blank, where programs print why they failed."""
    return one_line(text.strip().rpartition("\n")[2])


def one_line(text):
    """Return `text` as one line: control characters and repeated spaces become single spaces."""
    return " ".join(CONTROL.sub(" ", text).split())
