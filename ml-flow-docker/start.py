"""Start the MLflow server as soon as its database answers and its artifacts are whole.

Reads MLFLOW_BACKEND_STORE_URI, MLFLOW_ARTIFACTS_DESTINATION and, through libpq, the password in PGSERVICEFILE. Waits,
and says what for, as long as the database cannot be reached, or a restore that was broken off has left other artifacts
than the database speaks of; ends at once, with exit code 1, when there is no password, or the database answers that it
is wrong. Removes what a crash has left of uploads.

The notebook's home is replaced after the artifacts and put back before them, and Compose starts the notebook when this
server is healthy: so it waits for the home as well.
"""

import contextlib
import os
import re
import sys
import time

import psycopg2

PAUSE_SECONDS = 1
REMINDER_SECONDS = 10
# What MLflow calls the file that it writes an artifact to until it is complete.
UNFINISHED = ".artifact.uploading."
# Where a restore works, and keeps the artifacts that it replaces, and what the database is called that it makes. The
# artifacts are first, the database decides: as long as it has that name, those that were there before belong to it.
WORKSHOP = ".data-toolbox-restore"
REPLACED_ARTIFACTS = f"{WORKSHOP}/old"
RESTORED_DATABASE = "mlflow_restored"


def libpq_uri(uri):
    """Return SQLAlchemy's spelling of the address of a Postgres database as libpq spells it."""
    return uri.replace("+psycopg2", "", 1)


def wait(uri, artifacts=None):
    """Return when the Postgres database at `uri` (SQLAlchemy's spelling) and the folder `artifacts` can be used.

    Raises SystemExit with a message when the password is missing or refused: waiting would not help.
    """
    if not has_password(os.environ.get("PGSERVICEFILE")):
        sys.exit('FAIL: the volume mlflow-secrets has no password for the database: "docker compose up" makes one.')
    last_word = float("-inf")
    while reason := obstacle(libpq_uri(uri), artifacts):
        if time.monotonic() - last_word >= REMINDER_SECONDS:
            print(f"Waiting for {reason}", flush=True)
            last_word = time.monotonic()
        time.sleep(PAUSE_SECONDS)


def has_password(service_file):
    """Return whether a service file of libpq has a password; without one (None), it comes from elsewhere."""
    if service_file is None:
        return True
    try:
        with open(service_file, encoding="utf-8") as lines:
            return any(re.match("password=.", line) for line in lines)
    except FileNotFoundError:
        return False


def obstacle(uri, artifacts):
    """Return what there is to wait for, or None. Raises SystemExit when the database refuses the password."""
    try:
        with contextlib.closing(psycopg2.connect(uri, connect_timeout=5)) as connection:
            half = artifacts and os.path.lexists(os.path.join(artifacts, REPLACED_ARTIFACTS))
            # A folder of that name can be anybody's, the database cannot.
            if half and has_restored(connection):
                return '"invoke up": a restore was broken off while it replaced files, and that puts them in order'
    except psycopg2.OperationalError as error:
        reason = " ".join(str(error).split())
        if "authentication failed" in reason:
            sys.exit(
                f"FAIL: the database refuses the password: restart it, which has it take the present one ({reason})."
            )
        return f"the database: {reason}"
    return None


def has_restored(connection):
    """Return whether a restore has yet to put its database in the place of the one that is there."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [RESTORED_DATABASE])
        return cursor.fetchone() is not None


def remove_unfinished(folder):
    """Delete the files below `folder` of uploads that a crash cut off. Nobody uploads before the server has started."""
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
        # MLflow finds the application to serve as a package does: in data_toolbox.dist-info, beside this file.
        packages = {"PYTHONPATH": os.path.dirname(os.path.abspath(__file__))}
        os.execvpe("mlflow", ["mlflow", "server", "--app-name", "data-toolbox"], os.environ | packages)
    serve.main()
