"""Decorators that make functions tasks, with what all tasks have in common."""

import contextlib
import functools
import inspect
import sys

import invoke

from . import engine, instance, lock, overrides, side_by_side
from .errors import Failure, from_os_error


def dev_task(*args, **options):
    """Make a function a task, as invoke.task does; an OSError becomes a Failure."""
    if args:
        return dev_task()(*args)

    def decorated(body):
        @functools.wraps(body)
        def guarded(*values, **more):
            for stream in filter(None, (sys.stdout, sys.stderr)):
                # File names may contain bytes that are not valid text.
                stream.reconfigure(errors="backslashreplace")
            try:
                result = body(*values, **more)
                sys.stdout.flush()
            except OSError as error:
                raise from_os_error(error) from error
            return result

        return invoke.task(**options)(guarded)

    return decorated


def task(*args, creates=False, changes=False, docker=True, **options):
    """Make a function whose first argument is a toolbox a task with the option --name, which selects the toolbox.

    A task that `creates` may create a named toolbox. One that `changes` a toolbox fails while another such task runs.
    All require Docker, unless `docker` is false.
    """
    if args:
        return task()(*args)

    def decorated(body):
        verb = options.get("name", body.__name__)

        @functools.wraps(body)
        def with_toolbox(c, *values, name=None, **more):
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
                failure.message = toolbox.add_name(failure.message)
                raise

        signature = inspect.signature(body)
        c, *parameters = signature.parameters.values()
        name = inspect.Parameter("name", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None)
        with_toolbox.__signature__ = signature.replace(parameters=[c, *parameters, name])
        options["help"] = {**options.get("help", {}), "name": "the toolbox to use, if not that of .env"}
        return dev_task(**options)(with_toolbox)

    return decorated


def check(toolbox, creates):
    """Raise Failure unless a named toolbox has settings, or the task `creates` it."""
    overrides.report(toolbox)
    if toolbox.is_new and not creates:
        names = instance.names(toolbox.root)
        others = f", only {', '.join(names)}" if names else ""
        raise Failure(f'there is no toolbox "{toolbox.name}"{others}: "invoke up" creates it.')
    if toolbox.name and not toolbox.is_new:
        side_by_side.check(toolbox)
