"""Bring MLflow's tables to the version of the server, before it starts: make them, or change them after a dump.

Usage: migrate.py                 brings them to this version
       migrate.py --without-dump  the same with no dump before
       migrate.py --back DUMP     puts the tables back as they are in one of the dumps, for an older MLflow
Reads MLFLOW_BACKEND_STORE_URI and, through libpq, PGPASSWORD. All changes are one transaction, so a migration that was
broken off has changed nothing and is begun again by the next start. Then it makes the indexes that the tables lack.
"""

import contextlib
import os
import re
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import psycopg2
from start import libpq_uri, wait

# Made with the image: the version of MLflow, and the revisions that its tables can have, the present one first.
KNOWN = Path("/opt/mlflow/revisions")
DUMPS = Path("/mlflow/dumps")
KEPT = 3
# What the server does on an empty database. `mlflow db upgrade` does it too, but not in every version.
CREATE = """
import sys
from mlflow.store.db import utils
utils._initialize_tables(utils.create_sqlalchemy_engine_with_retry(sys.argv[1]))
"""
# Any number, the same for all that migrate.
LOCK = 20261123
# The newest runs of an experiment, as MLflow's API asks for them, and as its pages do: without an index every request
# for some of them sorts all. There is none on the values of metrics, since it would change with each that is logged.
INDEXES = {
    "data_toolbox_runs_newest": "runs (experiment_id, start_time DESC, run_uuid)",
    "data_toolbox_runs_newest_in_ui": (
        "runs (experiment_id, (CASE WHEN start_time IS NULL THEN 1 ELSE 0 END), start_time DESC, run_uuid)"
    ),
}
# How long to wait for a transaction that writes runs: whoever else wants to write them waits behind.
INDEX_LOCK_SECONDS = 5


def main(uri, with_dump=True):
    """Bring the tables in the Postgres database at `uri` (SQLAlchemy's spelling) to the present revision.

    Raises SystemExit with a message, and the tables as before, when they are newer than this MLflow or a step fails.
    """
    version, *revisions = KNOWN.read_text().split()
    wait(uri)
    connection = psycopg2.connect(libpq_uri(uri))
    connection.autocommit = True
    cursor = connection.cursor()
    # Where two are started at once, the second one finds nothing to do.
    cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
    revision, used_by = found(cursor)
    if revision and revision not in revisions:
        sys.exit(newer(revision, used_by, version))
    if revision != revisions[0]:
        if revision and with_dump:
            dump(uri, re.sub(r"[^\w.]+", "-", used_by or revision))
        print(f"MLflow {version}: bringing its tables from {revision or 'nothing'} to {revisions[0]}.", flush=True)
        command = ["mlflow", "db", "upgrade", uri] if revision else [sys.executable, "-c", CREATE, uri]
        if subprocess.run(command, check=False).returncode:
            sys.exit(
                f"FAIL: the tables could not be changed and are as before: see why above, or go back{to(used_by)}."
            )
    add_indexes(cursor)
    if used_by != f"MLflow {version}":
        # For the message of an older MLflow that finds these tables.
        cursor.execute(f"COMMENT ON TABLE alembic_version IS 'MLflow {version}'")
    print(f"MLflow {version}: its tables are at revision {revisions[0]}.")


def found(cursor):
    """Return the revision of the tables and what was noted of the MLflow that used them; None for what is not there."""
    cursor.execute("SELECT to_regclass('public.alembic_version')")
    if cursor.fetchone() == (None,):
        return None, None
    cursor.execute("SELECT max(version_num), obj_description('public.alembic_version'::regclass) FROM alembic_version")
    return cursor.fetchone()


def add_indexes(cursor):
    """Make those of INDEXES that the tables lack; where that cannot be done, say so: the next start tries again."""
    cursor.execute("SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND indexname = ANY(%s)", [[*INDEXES]])
    there = {name for (name,) in cursor.fetchall()}
    for name in [name for name in INDEXES if name not in there]:
        print(f"Making the index {name}: where there are millions of runs it takes some seconds.", flush=True)
        try:
            # One transaction, and the setting ends with it.
            limit = f"SET LOCAL lock_timeout = '{INDEX_LOCK_SECONDS}s'"
            cursor.execute(f"{limit}; CREATE INDEX IF NOT EXISTS {name} ON {INDEXES[name]}")
        except psycopg2.Error as error:
            print(f"It was not made, lists of many runs stay slow: {' '.join(str(error).split())}", flush=True)


def newer(revision, used_by, version):
    """Return the message for tables that are newer than this MLflow."""
    needed = (used_by or "").removeprefix("MLflow ")
    remedy = f"set mlflow=={needed}" if needed else "set the version that they are from"
    return (
        f"FAIL: the tables are from {used_by or 'a newer MLflow'} (revision {revision}), and this is MLflow {version}: "
        f'{remedy} in ml-flow-docker/requirements.in, then "invoke lock" and "invoke up".'
    )


def to(used_by):
    """Return the words that name the version to go back to, if it is known."""
    return f" to {used_by}" if used_by else ""


def dump(uri, name):
    """Write a dump of the database into DUMPS, from where pg_restore can read it; keep the newest KEPT.

    Raises SystemExit with a message when it cannot be made.
    """
    for part in DUMPS.glob("*.part"):
        part.unlink()
    path = DUMPS / f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}-{name}.dump"
    part = path.with_suffix(".part")
    print(f"Writing a dump of the database to {path} before its tables are changed.", flush=True)
    # Who may read the tables is a setting of the database, and some rights in it are not MLflow's to give.
    options = ["--format=custom", "--compress=zstd", "--no-privileges", "--lock-wait-timeout=60s"]
    command = ["pg_dump", *options, f"--file={part}", f"--dbname={libpq_uri(uri)}"]
    result = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        with contextlib.suppress(OSError):
            part.unlink()
        sys.exit(
            f"FAIL: no dump could be made, so nothing was changed ({' '.join(result.stderr.split())}): mend that, or "
            'after a backup with the MLflow before, "docker compose run --rm migrate python /opt/mlflow/migrate.py '
            '--without-dump".'
        )
    os.sync()
    part.rename(path)
    for old in sorted(DUMPS.glob("*.dump"))[:-KEPT]:
        old.unlink()


def back(uri, name):
    """Replace all tables of the database by those of a dump in DUMPS.

    Raises SystemExit with a message when there is no such dump, or it cannot be read; run it again if it is broken off.
    """
    path = DUMPS / name
    if not path.exists():
        kept = ", ".join(sorted(dump.name for dump in DUMPS.glob("*.dump"))) or "none"
        sys.exit(f"FAIL: there is no dump {name}: choose one of those that there are ({kept}).")
    if subprocess.run(["pg_restore", "--list", path], stdout=subprocess.DEVNULL, check=False).returncode:
        sys.exit(f"FAIL: {name} cannot be read, nothing was changed: choose another one.")
    wait(uri)
    connection = psycopg2.connect(libpq_uri(uri))
    # Tables that a newer MLflow has added may refer to those of the dump.
    connection.cursor().execute(
        "DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC"
    )
    connection.commit()
    command = ["pg_restore", "--single-transaction", "--no-owner", f"--dbname={libpq_uri(uri)}", path]
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"FAIL: {name} could not be put back: see why above, and run this again.")
    print(f"The tables are those of {name}.")


if __name__ == "__main__":
    database = os.environ["MLFLOW_BACKEND_STORE_URI"]
    if sys.argv[1:2] == ["--back"]:
        back(database, "".join(sys.argv[2:3]))
    else:
        main(database, with_dump="--without-dump" not in sys.argv[1:])
