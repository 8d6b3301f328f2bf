"""psql in the postgres container."""

from . import credentials, health
from .errors import Failure
from .process import on_terminal

ROLES = ("postgres", *credentials.ROLES)


def psql(toolbox, role, database, command):
    """Open psql as a role, or print the result of one SQL command; return whether that succeeded.

    Raises Failure when there is no such role, or the database is not running.
    """
    if role not in ROLES:
        raise Failure(f'there is no role "{role}": choose from {", ".join(ROLES)}.')
    if not health.is_running(toolbox.containers().get("postgres")):
        raise Failure('postgres is not running: "invoke up" starts it.')
    client = ("psql", "--username", role, "--dbname", database)
    if command:
        # Print only the result, for programs.
        return toolbox.print_output("docker", "compose", "exec", "--no-TTY", "postgres", *client, "--command", command)
    tty = () if on_terminal() else ("--no-TTY",)
    return toolbox.compose("exec", *tty, "postgres", *client, in_stream=None)
