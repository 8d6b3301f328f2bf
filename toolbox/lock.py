"""Locks: only one task at a time changes a toolbox."""

import contextlib
import fcntl
import os

from .errors import Failure


@contextlib.contextmanager
def exclusive(path, task):
    """Hold the lock file at `path` for the block, in the name of `task`.

    Raises Failure when another task, which the message names, holds it, or the file cannot be used.
    """
    with locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB) as file:
        file.truncate(0)
        print(f'"invoke {task}", process {os.getpid()}', end="", file=file, flush=True)
        yield


@contextlib.contextmanager
def exclusive_after_wait(path):
    """Hold the lock file at `path` for the block, after waiting for other holders, who need it only briefly.

    Raises Failure when the file cannot be used.
    """
    with locked(path, fcntl.LOCK_EX):
        yield


@contextlib.contextmanager
def locked(path, how):
    """Open the lock file at `path`, locked with the flags `how` of flock, and delete it after the block.

    Raises Failure when another task holds it, or it cannot be created.
    """
    with acquire(path, how) as file:
        try:
            yield file
        finally:
            path.unlink(missing_ok=True)


def acquire(path, how):
    """Return the locked file. Raises Failure as `locked` does."""
    while True:
        file = open_lock(path)
        try:
            fcntl.flock(file, how)
            # Its last holder may have deleted it, and another task created a new one.
            if os.path.samestat(os.stat(path), os.fstat(file.fileno())):
                return file
        except BlockingIOError:
            who = file.read() or "it has just started"
            raise Failure(f"another task of this toolbox is running ({who}): wait until it ends.") from None
        except FileNotFoundError:
            pass
        file.close()


def open_lock(path):
    """Return the file at `path`, open. Only its owner may open it, because every user who can open it can lock it.

    Raises Failure when it cannot be opened.
    """
    try:
        return open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+")
    except OSError as error:
        raise Failure(
            f"{path} cannot be opened ({error.strerror}): run this as the owner of the folder, who can write there."
        ) from None
