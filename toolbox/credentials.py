"""The passwords and the token, which the service "secrets" writes to one volume per service."""

from . import compose
from .errors import Failure

# The roles with a password. The superuser has none, and can only log in on the socket inside its container.
ROLES = ("mlflow", "analyst")
# Runs in the postgres container; prints the roles whose password is rejected, not those that fail for other reasons.
CHECK = """
for role in "$@"; do
    PGPASSWORD=$(cat "/secrets/$role") psql -h 127.0.0.1 -U "$role" -d mlflow -qtAc SELECT 2>&1 |
        grep -q "authentication failed" && echo "$role"
done
"""


def read(toolbox, service, name):
    """Return a secret of a running service. Raises Failure when it cannot be read."""
    found = toolbox.run("docker", "compose", "exec", "--no-TTY", service, "cat", f"/secrets/{name}")
    if not found:
        raise Failure(f'{service} is not running, or has no secrets: "invoke up" starts it.')
    return found.stdout.removesuffix("\n")


def refused(toolbox):
    """Return the roles whose password the database rejects; postgres has to be running."""
    shell = ("docker", "compose", "exec", "--no-TTY", "postgres", "sh", "-c", CHECK, "-", *ROLES)
    return toolbox.run(*shell).stdout.split()


def renew(toolbox):
    """Generate new secrets, and stop all services, which read them when they start.

    Raises Failure when secrets are set in .env, which takes precedence, or a step fails or is interrupted.
    """
    if chosen := compose.chosen_secrets(toolbox.config):
        raise Failure(
            f'{" and ".join(chosen)} in .env would take precedence: remove it there, or change it and "invoke up".'
        )
    # Ctrl-C reaches only Docker, and makes the step fail.
    if not toolbox.compose("stop"):
        raise Failure('not everything was stopped, so no secret was changed: start with "invoke up".')
    made = toolbox.compose("run", "--rm", "--no-TTY", "secrets", "--new")
    # Services that someone else has started in the meantime have the old ones.
    toolbox.compose("stop")
    if not made:
        raise Failure('some secrets may be unchanged: start with "invoke up", and "invoke rotate" again.')
