"""The one way in which a task ends when something is wrong."""

from invoke import Exit


class Failure(Exit):
    """A mistake or a missing thing that the user can mend: printed as one line, exit code 1, no traceback.

    `message` names the cause and then the remedy.
    """

    def __init__(self, message):
        super().__init__(f"FAIL: {message}", code=1)


def last_line(text):
    """Return the last line of `text` that is not blank: a program that prints several says there why it failed."""
    return one_line(text.strip().rpartition("\n")[2])


def one_line(text):
    """Return `text` with its line ends and repeated spaces made single spaces, so that it fits into a message."""
    return " ".join(text.split())
