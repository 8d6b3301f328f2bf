"""The logs of the services."""

import re
from datetime import timedelta

from .compose import IN_ORDER, time
from .errors import Failure, one_line

# The exit code of `docker compose` after Ctrl-C.
INTERRUPTED = 130
# A process can log lines before Docker records that it was started.
START_NOTED_LATE = timedelta(seconds=1)
# What Docker records for a container that was created but not started.
NOT_STARTED = "0001-01-01T00:00:00Z"


def show(toolbox, service, follow, tail, since):
    """Show the newest log lines of a service, or of all; the arguments are the options of the task.

    Raises Failure when an option is not valid, or Docker cannot show the logs.
    """
    if service and service not in IN_ORDER:
        raise Failure(f'there is no service "{service}": choose from {", ".join(IN_ORDER)}.')
    check_options(tail, since)
    options = ["--tail", tail, *(["--since", since] if since else []), *(["--follow"] if follow else [])]
    shown = toolbox.compose("logs", *options, *([service] if service else []))
    # Ctrl-C is how --follow ends.
    if not shown and not (follow and shown.exited == INTERRUPTED):
        raise Failure("Docker could not show the logs: its own message is above.")


def check_options(tail, since):
    """Raise Failure when --tail is not a number of lines, or --since is not a time."""
    if not (re.fullmatch("[0-9]+", tail) or tail == "all"):
        raise Failure(f'--tail {one_line(tail)} is not a number of lines: give one, or "all".')
    if since and not re.fullmatch(r"([0-9]+[smh])+|\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-]\d\d:\d\d)?)?", since):
        raise Failure(f"--since {one_line(since)} is not a time: give one such as 10m, 2h or 2026-11-28T09:30.")


def since_start(toolbox, service, container):
    """Return what a service has logged since its container was last started."""
    since = started_at(toolbox, container)
    return toolbox.run("docker", "compose", "logs", "--no-log-prefix", "--since", since, service).stdout


def started_at(toolbox, container):
    """Return when a container was last started, for `--since`: no log line of that start is older.

    Empty, which means no limit, if the container is gone or was not started.
    """
    command = ("docker", "inspect", "--format", "{{.State.StartedAt}}", container["ID"])
    written = toolbox.run(*command).stdout.strip()
    return (time(written) - START_NOTED_LATE).isoformat() if written > NOT_STARTED else ""


def refusals(log):
    """Return why a service did not start, from its log: causes with their remedies."""
    return re.findall(r"^FAIL: (.*)$", plain(log), flags=re.M)


def plain(printed):
    """Return the output of a command without terminal control sequences, which Compose also writes to files."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", printed)
