"""The one way in which a task ends when something is wrong."""

import contextlib
import errno
import os
import re
import sys
from pathlib import Path

from invoke import Exit

# What was typed: ./run runs tasks.py, and Invoke is a program of its own.
TYPED = "./run" if Path(sys.argv[0]).name == "tasks.py" else "invoke"
# What to do when the system refuses something.
REMEDIES = {
    errno.ENOSPC: "make room on its disk",
    errno.EDQUOT: "make room on its disk, or have more allotted to you",
    errno.EROFS: "its disk can only be read, so move it or mount it otherwise",
    errno.ENOENT: "it is missing, so make it, or clone the repository again",
}
# Names of files and of runs, and what Postgres says, may have any character, and these would change a terminal.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class Failure(Exit):
    """A mistake or a missing thing that the user can mend: printed as one line, exit code 1, no traceback.

    `message` names the cause and then the remedy.
    """

    def __init__(self, message):
        super().__init__(f"FAIL: {CONTROL.sub(' ', as_typed(message))}", code=1)


def ended(error):
    """Return the exception that ends a task after an OSError."""
    if error.filename is None and error.errno in (errno.EPIPE, errno.ENOSPC):
        # It would be tried again at the end, to write what standard output has left.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        # Whoever reads has seen enough, as `head` does.
        return Exit(code=128 + 13)
    what = f"{error.filename} cannot be used" if error.filename else "the task cannot go on"
    remedy = REMEDIES.get(error.errno, "see who owns it, and who may do what there")
    return Failure(f"{what} ({error.strerror}): {remedy}.")


def as_typed(text):
    """Return a text with the tasks that it names, such as "invoke up", spelt as they were typed."""
    return re.sub(r'"(invoke|\./run) (?=\w)', f'"{TYPED} ', text)


def last_line(text):
    """Return the last line of `text` that is not blank: a program that prints several says there why it failed."""
    return one_line(text.strip().rpartition("\n")[2])


def one_line(text):
    """Return `text` as one line that fits into a message: control characters and repeated spaces are single spaces."""
    return " ".join(CONTROL.sub(" ", text).split())
