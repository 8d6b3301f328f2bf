"""One at a time: tasks that change a toolbox keep each other out."""

import contextlib
import fcntl
import os

from .errors import Failure


@contextlib.contextmanager
def exclusive(path, task):
    """Hold the lock file at `path` for the block; `task` is the name of the one that does.

    Raises Failure when another one has it, which is named, or the file cannot be used.
    """
    with locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB) as file:
        file.truncate(0)
        print(f'"invoke {task}", process {os.getpid()}', end="", file=file, flush=True)
        yield


@contextlib.contextmanager
def taking_turns(path):
    """Have the block wait while another one has the lock file at `path`, which nobody has for long.

    Raises Failure when the file cannot be used.
    """
    with locked(path, fcntl.LOCK_EX):
        yield


@contextlib.contextmanager
def locked(path, how):
    """Give the lock file at `path`, locked as flock does it; it is gone after the block.

    Raises Failure when another one has it, or it cannot be made.
    """
    with acquired(path, how) as file:
        try:
            yield file
        finally:
            path.unlink(missing_ok=True)


def acquired(path, how):
    """Return the file that `locked` gives. Raises Failure as it does."""
    while True:
        file = opened(path)
        try:
            fcntl.flock(file, how)
            # Whoever had it has deleted it meanwhile, and another one may have made it again.
            if os.path.samestat(os.stat(path), os.fstat(file.fileno())):
                return file
        except BlockingIOError:
            who = file.read() or "which has just begun"
            raise Failure(f"another task of this toolbox is running ({who}): wait until it ends.") from None
        except FileNotFoundError:
            pass
        file.close()


def opened(path):
    """Return the file at `path`, open; it is made for its owner alone, as whoever can open it can hold the lock.

    Raises Failure when that cannot be done.
    """
    try:
        return open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+")
    except OSError as error:
        raise Failure(
            f"{path} cannot be opened ({error.strerror}): run this as the owner of the folder, who can write there."
        ) from None
