"""The one way in which a task ends when something is wrong."""

import re
import sys
from pathlib import Path

from invoke import Exit

# What was typed: ./run runs tasks.py, and Invoke is a program of its own.
TYPED = "./run" if Path(sys.argv[0]).name == "tasks.py" else "invoke"


class Failure(Exit):
    """A mistake or a missing thing that the user can mend: printed as one line, exit code 1, no traceback.

    `message` names the cause and then the remedy.
    """

    def __init__(self, message):
        super().__init__(f"FAIL: {as_typed(message)}", code=1)


def as_typed(text):
    """Return a text with the tasks that it names, such as "invoke up", spelt as they were typed."""
    return re.sub(r'"(invoke|\./run) (?=\w)', f'"{TYPED} ', text)


def last_line(text):
    """Return the last line of `text` that is not blank: a program that prints several says there why it failed."""
    return one_line(text.strip().rpartition("\n")[2])


def one_line(text):
    """Return `text` with its line ends and repeated spaces made single spaces, so that it fits into a message."""
    return " ".join(text.split())
