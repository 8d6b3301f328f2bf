"""Remove what a crash has left of uploads, and start the MLflow server as soon as its database answers.

Reads MLFLOW_ARTIFACTS_DESTINATION, MLFLOW_BACKEND_STORE_URI and, through libpq, PGPASSWORD. Waits as long as the
database cannot be reached, and says what it waits for; ends at once, with exit code 1, when the database answers that
the password is wrong.
"""

import os
import sys
import time

import psycopg2

PAUSE_SECONDS = 1
REMINDER_SECONDS = 10
# What MLflow calls the file that it writes an artifact to until it is complete.
UNFINISHED = ".artifact.uploading."


def remove_unfinished(folder):
    """Delete the files below `folder` of uploads that a crash cut off. Nobody uploads before the server has started."""
    for place, _, names in os.walk(folder):
        for name in names:
            if name.startswith(UNFINISHED):
                os.unlink(os.path.join(place, name))


def libpq_uri(uri):
    """Return SQLAlchemy's spelling of the address of a Postgres database as libpq spells it."""
    return uri.replace("+psycopg2", "", 1)


def wait_for_database(uri):
    """Return when the Postgres database at `uri` (SQLAlchemy's spelling) accepts a connection.

    Raises SystemExit with a message when it refuses the password: waiting would not help.
    """
    last_word = float("-inf")
    while True:
        try:
            psycopg2.connect(libpq_uri(uri), connect_timeout=5).close()
            return
        except psycopg2.OperationalError as error:
            reason = " ".join(str(error).split())
        if "authentication failed" in reason:
            sys.exit(f"FAIL: the database refuses the password in PGPASSWORD: {reason}")
        if time.monotonic() - last_word >= REMINDER_SECONDS:
            print(f"Waiting for the database: {reason}", flush=True)
            last_word = time.monotonic()
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    backend = os.environ.get("MLFLOW_BACKEND_STORE_URI", "")
    if not backend:
        sys.exit("FAIL: MLFLOW_BACKEND_STORE_URI is not set: give the address of the database, without its password.")
    remove_unfinished(os.environ.get("MLFLOW_ARTIFACTS_DESTINATION", ""))
    if backend.startswith("postgresql"):
        wait_for_database(backend)
    # MLflow finds the application to serve as a package does: in data_toolbox.dist-info, beside this file.
    packages = {"PYTHONPATH": os.path.dirname(os.path.abspath(__file__))}
    os.execvpe("mlflow", ["mlflow", "server", "--app-name", "data-toolbox"], os.environ | packages)
