"""Start the MLflow server as soon as its database answers and its artifacts are complete.

Reads MLFLOW_BACKEND_STORE_URI, MLFLOW_ARTIFACTS_DESTINATION and, through libpq, the password in PGSERVICEFILE. Waits,
and says what for, while the database is unreachable, or while an interrupted restore has left artifacts that do not
match the database. Exits with code 1 if there is no password or the database rejects it. Deletes partial uploads.

A restore replaces the notebook's home after the artifacts and reverts it before them, and Compose starts the notebook
when this server is healthy, so the notebook waits for its home as well.
"""

import contextlib
import os
import re
import sys
import time

import psycopg2
from guard import STAGING

PAUSE_SECONDS = 1
REMINDER_SECONDS = 10
# MLflow's prefix for files of uploads in progress.
UNFINISHED = ".artifact.uploading."
# Where a restore keeps the replaced artifacts, and its new database. Artifacts are swapped first; as long as the
# database still has this name, the replaced artifacts are the valid ones.
REPLACED_ARTIFACTS = f"{STAGING}/old"
RESTORED_DATABASE = "mlflow_restored"


def libpq_uri(uri):
    """Return SQLAlchemy's URI of a Postgres database in libpq's form."""
    return uri.replace("+psycopg2", "", 1)


def wait(uri, artifacts=None):
    """Return as soon as the Postgres database at `uri` (SQLAlchemy's form) and the folder `artifacts` can be used.

    Raises SystemExit with a message if the password is missing or rejected, as waiting would not help.
    """
    if not has_password(os.environ.get("PGSERVICEFILE")):
        sys.exit('FAIL: the volume mlflow-secrets has no password for the database: "docker compose up" creates one.')
    last_printed = float("-inf")
    while reason := obstacle(libpq_uri(uri), artifacts):
        if time.monotonic() - last_printed >= REMINDER_SECONDS:
            print(f"Waiting for {reason}", flush=True)
            last_printed = time.monotonic()
        time.sleep(PAUSE_SECONDS)


def has_password(service_file):
    """Return whether a service file of libpq has a password; True if there is no file (None)."""
    if service_file is None:
        return True
    try:
        with open(service_file, encoding="utf-8") as lines:
            return any(re.match("password=.", line) for line in lines)
    except FileNotFoundError:
        return False


def obstacle(uri, artifacts):
    """Return what to wait for, or None. Raises SystemExit if the database rejects the password."""
    try:
        with contextlib.closing(psycopg2.connect(uri, connect_timeout=5)) as connection:
            swapped = artifacts and os.path.lexists(os.path.join(artifacts, REPLACED_ARTIFACTS))
            # Users can create a folder of that name, but not the database.
            if swapped and has_restored(connection):
                return '"invoke up": it reverts a restore that was interrupted while it replaced files'
    except psycopg2.OperationalError as error:
        reason = " ".join(str(error).split())
        if "authentication failed" in reason:
            sys.exit(
                f"FAIL: the database rejects the password: restart it, so that it reads the current one ({reason})."
            )
        return f"the database: {reason}"
    return None


def has_restored(connection):
    """Return whether a restore has not yet swapped in its database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [RESTORED_DATABASE])
        return cursor.fetchone() is not None


def remove_unfinished(folder):
    """Delete partial uploads below `folder`. There are no uploads before the server has started."""
    for place, _, names in os.walk(folder):
        for name in names:
            if name.startswith(UNFINISHED):
                os.unlink(os.path.join(place, name))


if __name__ == "__main__":
    import serve

    backend = os.environ.get("MLFLOW_BACKEND_STORE_URI", "")
    destination = os.environ.get("MLFLOW_ARTIFACTS_DESTINATION", "")
    if not backend:
        sys.exit("FAIL: MLFLOW_BACKEND_STORE_URI is not set: give the address of the database, without its password.")
    workers = os.environ.get("MLFLOW_WORKERS", "1")
    if not re.fullmatch("0*[1-9][0-9]*", workers):
        sys.exit(f"FAIL: MLFLOW_WORKERS is {workers!r}: set it to a whole number from 1.")
    if backend.startswith("postgresql"):
        wait(backend, destination)
    remove_unfinished(destination)
    if serve.is_left_to_mlflow(os.environ):
        # MLflow finds the application by the entry point in data_toolbox.dist-info, next to this file.
        packages = {"PYTHONPATH": os.path.dirname(os.path.abspath(__file__))}
        os.execvpe("mlflow", ["mlflow", "server", "--app-name", "data-toolbox"], os.environ | packages)
    serve.main()
