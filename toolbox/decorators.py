"""What makes a function a task: what is the same for all of them happens here."""

import contextlib
import functools
import inspect
import sys

import invoke

from . import engine, instance, lock, overrides, side_by_side
from .errors import Failure, ended


def dev_task(*args, **options):
    """Make a function a task, as invoke.task does; what the system refuses to it is a Failure."""
    if args:
        return dev_task()(*args)

    def decorated(body):
        @functools.wraps(body)
        def guarded(*values, **more):
            for stream in filter(None, (sys.stdout, sys.stderr)):
                # The name of a file may have bytes that no text has.
                stream.reconfigure(errors="backslashreplace")
            try:
                result = body(*values, **more)
                sys.stdout.flush()
            except OSError as error:
                raise ended(error) from error
            return result

        return invoke.task(**options)(guarded)

    return decorated


def task(*args, creates=False, changes=False, docker=True, **options):
    """Make a function of a toolbox, its first argument, a task, which takes the name of one.

    It may create a toolbox with a name if it `creates`. One that `changes` a toolbox is refused while another one does.
    Without Docker nothing is done, unless the task does not need it (`docker`).
    """
    if args:
        return task()(*args)

    def decorated(body):
        verb = options.get("name", body.__name__)

        @functools.wraps(body)
        def about(c, *values, name=None, **more):
            if name is not None:
                instance.check_name(name)
            toolbox = instance.Toolbox(c, name or "")
            try:
                check(toolbox, creates)
                with lock.exclusive(toolbox.lock_file, verb) if changes else contextlib.nullcontext():
                    if docker:
                        engine.check(toolbox.run)
                    return body(toolbox, *values, **more)
            except Failure as failure:
                failure.message = toolbox.words(failure.message)
                raise

        signature = inspect.signature(body)
        c, *parameters = signature.parameters.values()
        name = inspect.Parameter("name", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None)
        about.__signature__ = signature.replace(parameters=[c, *parameters, name])
        options["help"] = {**options.get("help", {}), "name": "the toolbox that is meant, if it is not the one of .env"}
        return dev_task(**options)(about)

    return decorated


def check(toolbox, creates):
    """Raise Failure unless a toolbox with a name has settings, or a task `creates` it."""
    overrides.report(toolbox)
    if toolbox.is_new and not creates:
        names = instance.names(toolbox.root)
        others = f"there are {', '.join(names)}" if names else "no toolbox has a name"
        raise Failure(f'no toolbox is called "{toolbox.name}", {others}: "invoke up" makes it.')
    if toolbox.name and not toolbox.is_new:
        side_by_side.check(toolbox)
