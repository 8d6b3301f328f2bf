"""The passwords and the token, which the service "secrets" keeps in a volume for each of the others that needs one."""

from . import compose
from .errors import Failure

# The roles that have one. The superuser has none: it is let in by the socket inside its container alone.
ROLES = ("mlflow", "analyst")
# Runs in the postgres container; prints the roles whose password is refused, not those that do not get in otherwise.
CHECK = """
for role in "$@"; do
    PGPASSWORD=$(cat "/secrets/$role") psql -h 127.0.0.1 -U "$role" -d mlflow -qtAc SELECT 2>&1 |
        grep -q "authentication failed" && echo "$role"
done
"""


def read(toolbox, service, name):
    """Return the secret that a running service has in its file of that name.

    Raises Failure when it cannot be read.
    """
    found = toolbox.run("docker", "compose", "exec", "--no-TTY", service, "cat", f"/secrets/{name}")
    if not found:
        raise Failure(f'{service} does not run, or has no secrets: "invoke up" starts it.')
    return found.stdout.removesuffix("\n")


def refused(toolbox):
    """Return the roles whose password the database does not take; postgres has to run."""
    shell = ("docker", "compose", "exec", "--no-TTY", "postgres", "sh", "-c", CHECK, "-", *ROLES)
    return toolbox.run(*shell).stdout.split()


def renew(toolbox):
    """Have new secrets made; all services are stopped then, since each takes its own when it starts.

    Raises Failure when some are set in .env, where they count, or one of the steps fails or is broken off.
    """
    if chosen := compose.chosen_secrets(toolbox.config):
        raise Failure(
            f'{" and ".join(chosen)} in .env would still count: take that out there, or change it and "invoke up".'
        )
    # Ctrl-C goes to Docker alone, and is a failure of the step.
    if not toolbox.compose("stop"):
        raise Failure('not everything was stopped, and all secrets are what they were: start with "invoke up".')
    made = toolbox.compose("run", "--rm", "--no-TTY", "secrets", "--new")
    # What somebody else has started meanwhile has the old ones.
    toolbox.compose("stop")
    if not made:
        raise Failure('perhaps not all secrets are new: start with "invoke up", and "invoke rotate" again.')
