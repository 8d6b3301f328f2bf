"""Whether the database still has the passwords that .env has."""

import base64
import hashlib
import hmac
import re
import secrets

from .failure import Failure
from .model import secret

# Each role's setting in .env, and a database that it may connect to.
ROLES = {
    "postgres": ("POSTGRES_PASSWORD", "postgres"),
    "mlflow": ("MLFLOW_DB_PASSWORD", "mlflow"),
    "analyst": ("ANALYST_DB_PASSWORD", "mlflow"),
}

# Runs in the postgres container. Reads lines of role and database, each followed by a line with the password, and
# prints each role with what the database says to it. On standard input no password shows in a list of processes.
SCRIPT = """
while read -r role database && IFS= read -r PGPASSWORD; do
    export PGPASSWORD
    if answer=$(psql -h 127.0.0.1 -U "$role" -d "$database" -qtAc "SELECT 1" 2>&1 </dev/null); then
        echo "$role accepted"
    elif echo "$answer" | grep -q "authentication failed"; then
        echo "$role refused"
    else
        echo "$role unanswered"
    fi
done
"""


# As often as Postgres itself hashes one.
ITERATIONS = 4096


class Changed(Failure):
    """A password in .env is not the one that the database has."""


def psql(role, program="psql"):
    """Return the shell command that runs psql in the postgres container as `role`, with the arguments of the shell.

    `program` may be another client of Postgres. The password is in the environment of the container, so it need not be
    on a command line.
    """
    return f'PGPASSWORD="${ROLES[role][0]}" exec {program} --host 127.0.0.1 "$@"'


def change(values):
    """Return the SQL that gives every role its new password; `values` maps the names of .env to passwords.

    It gets what it keeps of each, not the password itself: whoever may see what others run sees statements too.
    """
    statements = [f"ALTER ROLE {role} PASSWORD '{verifier(values[name])}';" for role, (name, _) in ROLES.items()]
    return "\n".join(["BEGIN;", *statements, "COMMIT;", ""])


def verifier(password):
    """Return what Postgres keeps of a password of ASCII characters to check it: SCRAM-SHA-256, RFC 5803."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt, stored, server = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return f"SCRAM-SHA-256${ITERATIONS}:{salt}${stored}:{server}"


def script_input(model):
    """Return what SCRIPT reads: the roles, their databases and the passwords of .env."""
    return "".join(f"{role} {database}\n{secret(model, name)}\n" for role, (name, database) in ROLES.items())


def check(answers):
    """Return whether the database has answered for every role; `answers` is what SCRIPT printed.

    Raises Changed when it refuses a password.
    """
    # Docker's own messages come the same way, for example that the container is not up yet.
    said = dict(re.findall(r"^(\w+) (accepted|refused|unanswered)$", answers, flags=re.M))
    names = [name for role, (name, _) in ROLES.items() if said.get(role) == "refused"]
    if names:
        plural = len(names) > 1
        raise Changed(
            f"{' and '.join(names)} in .env {'are' if plural else 'is'} not what the database was created with: "
            f"put the old {'values' if plural else 'value'} back."
        )
    return all(said.get(role) == "accepted" for role in ROLES)
