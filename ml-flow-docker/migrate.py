"""Create MLflow's tables, or dump and migrate them, before the server starts.

Usage: migrate.py                 migrates to the version of this image
       migrate.py --without-dump  the same without a dump
       migrate.py --back DUMP     restores the tables from a dump, for an older MLflow
Reads MLFLOW_BACKEND_STORE_URI and, through libpq, the password in PGSERVICEFILE. A migration is one transaction, so an
interrupted one has changed nothing and is repeated at the next start. Missing indexes are created afterwards.

A reader's lock blocks the migration until its transaction ends, and later readers queue behind the migration. So it
waits at most LOCK_SECONDS at a time and PATIENCE_SECONDS in all, then exits with a message that names who holds what.
"""

import contextlib
import fcntl
import os
import re
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

import psycopg2
from start import libpq_uri, wait

# Written by revisions.py when the image is built.
KNOWN = Path("/opt/mlflow/revisions")
DUMPS = Path("/mlflow/dumps")
KEPT = 3
# What the server does on an empty database; `mlflow db upgrade` does not do it in every version.
CREATE = """
import sys
from mlflow.store.db import utils
utils._initialize_tables(utils.create_sqlalchemy_engine_with_retry(sys.argv[1]))
"""
# For the newest runs of an experiment, as queried by MLflow's API and by its pages, which would otherwise sort all
# runs. There is no index on the values of metrics, as every logged metric would have to update it.
INDEXES = {
    "data_toolbox_runs_newest": "runs (experiment_id, start_time DESC, run_uuid)",
    "data_toolbox_runs_newest_in_ui": (
        "runs (experiment_id, (CASE WHEN start_time IS NULL THEN 1 ELSE 0 END), start_time DESC, run_uuid)"
    ),
}
LOCK_SECONDS = 3
PATIENCE_SECONDS = 30
PAUSE_SECONDS = 1
# pg_dump's own lock timeout is a statement timeout.
IS_LOCKED = re.compile("due to (lock|statement) timeout")
# Sessions that hold locks on tables; every role may see them.
HOLDERS = """
    SELECT usename, pid, application_name, array_agg(DISTINCT relname::text)
    FROM pg_locks JOIN pg_stat_activity USING (pid) JOIN pg_class ON pg_class.oid = relation
    WHERE granted AND pid <> pg_backend_pid() AND relkind = 'r' AND relnamespace = 'public'::regnamespace
        AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    GROUP BY usename, pid, application_name ORDER BY pid
"""
# How many sessions, and tables of each, a message names.
NAMED = 3
# Acquires and releases the locks that a migration needs.
ALL_TABLES = """
    DO $$ BEGIN EXECUTE (
        SELECT 'LOCK TABLE ' || string_agg(format('public.%I', relname), ', ') || ' IN ACCESS EXCLUSIVE MODE'
        FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relowner = current_user::regrole
    ); END $$
"""


def main(uri, with_dump=True):
    """Bring the tables in the Postgres database at `uri` (SQLAlchemy's form) to the current revision.

    Raises SystemExit with a message if they are newer than this MLflow or a step fails; the tables are then unchanged.
    """
    version, *revisions = KNOWN.read_text().split()
    wait(uri)
    cursor = connected(uri)
    revision, used_by = patiently(cursor, lambda: found(cursor))
    if revision and revision not in revisions:
        sys.exit(newer(revision, used_by, version))
    if revision != revisions[0]:
        if revision:
            # Fail before writing a dump and starting MLflow, which takes many seconds.
            patiently(cursor, lambda: ask(cursor, ALL_TABLES))
        if revision and with_dump:
            dump(cursor, uri, re.sub(r"[^\w.]+", "-", used_by or revision))
        print(f"MLflow {version}: migrating its tables from {revision or 'nothing'} to {revisions[0]}.", flush=True)
        command = ["mlflow", "db", "upgrade", uri] if revision else [sys.executable, "-c", CREATE, uri]
        result = patiently(cursor, lambda: run(command))
        print(result.stdout, end="", flush=True)
        if result.returncode:
            sys.exit(f"FAIL: the tables could not be migrated and are unchanged: see above, or go back{to(used_by)}.")
    add_indexes(cursor)
    if used_by != f"MLflow {version}":
        # An older MLflow names this version in its error.
        patiently(cursor, lambda: ask(cursor, f"COMMENT ON TABLE alembic_version IS 'MLflow {version}'"))
    print(f"MLflow {version}: its tables are at revision {revisions[0]}.")


@contextlib.contextmanager
def exclusive_lock():
    """Context manager: hold the exclusive lock of migrations; a second one waits, and then finds nothing to do.

    It is a lock on the folder of the dumps, which no role of the database can take.
    """
    descriptor = os.open(DUMPS, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another migration to finish.", flush=True)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def connected(uri):
    """Return a cursor in autocommit mode that waits LOCK_SECONDS for locks."""
    connection = psycopg2.connect(libpq_uri(uri))
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
    return cursor


def patiently(cursor, attempt):
    """Call `attempt` until it does not return None, which means that a lock blocks it; return its result.

    Raises SystemExit after PATIENCE_SECONDS, with a message that says who holds the lock.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    while (result := attempt()) is None:
        who = holders(cursor)
        if time.monotonic() >= end:
            sys.exit(
                f"FAIL: MLflow's tables are in use, nothing was changed: {who}: end that program, in a notebook by "
                "restarting its kernel, and try again."
            )
        print(f"Waiting for MLflow's tables: {who}", flush=True)
        time.sleep(PAUSE_SECONDS)
    return result


def ask(cursor, statement, parameters=None):
    """Execute a statement; return its rows, or None if a lock blocks it."""
    try:
        cursor.execute(statement, parameters)
    except psycopg2.errors.LockNotAvailable:
        return None
    return cursor.fetchall() if cursor.description else []


def run(command):
    """Run a command that uses the database; return its result with its output, or None if a lock blocks it."""
    limited = os.environ | {"PGOPTIONS": f"-c lock_timeout={LOCK_SECONDS}s"}
    result = subprocess.run(
        command, env=limited, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return None if result.returncode and IS_LOCKED.search(result.stdout) else result


def holders(cursor):
    """Return a description of who holds locks that a migration needs."""
    cursor.execute(HOLDERS)
    return "; ".join(session(*row) for row in cursor.fetchmany(NAMED)) or "the holder of the lock has just ended"


def session(role, pid, program, tables):
    """Return a description of a session that holds locks; `program` is its application name or ""."""
    what = ", ".join(tables[:NAMED]) + (" and others" if len(tables) > NAMED else "")
    return f"role {role} holds a lock on {what} ({', '.join(filter(None, (f'process {pid}', program)))})"


def found(cursor):
    """Return the revision of the tables and the MLflow version that last used them, each None if there is none.

    Returns a single None if a lock blocks the query.
    """
    if ask(cursor, "SELECT to_regclass('public.alembic_version')") == [(None,)]:
        return None, None
    noted = "obj_description('public.alembic_version'::regclass)"
    rows = ask(cursor, f"SELECT max(version_num), {noted} FROM alembic_version")
    return rows and rows[0]


def add_indexes(cursor):
    """Create missing INDEXES; print a message if that fails, as the next start retries."""
    cursor.execute("SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND indexname = ANY(%s)", [[*INDEXES]])
    there = {name for (name,) in cursor.fetchall()}
    for name in [name for name in INDEXES if name not in there]:
        print(f"Creating the index {name}: with millions of runs this takes some seconds.", flush=True)
        try:
            cursor.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {INDEXES[name]}")
        except psycopg2.Error as error:
            print(f"It was not created, lists of many runs stay slow: {' '.join(str(error).split())}", flush=True)


def newer(revision, used_by, version):
    """Return the error message for tables that are newer than this MLflow."""
    needed = (used_by or "").removeprefix("MLflow ")
    remedy = f"set mlflow=={needed}" if needed else "set the version that wrote them"
    return (
        f"FAIL: the tables are from {used_by or 'a newer MLflow'} (revision {revision}), and this is MLflow {version}: "
        f'{remedy} in ml-flow-docker/requirements.in, then "invoke lock" and "invoke up".'
    )


def to(used_by):
    """Return the part of a message that names the version to go back to, "" if it is unknown."""
    return f" to {used_by}" if used_by else ""


def dump(cursor, uri, name):
    """Write a dump of the database to DUMPS in pg_restore's format; keep the newest KEPT.

    Raises SystemExit with a message if that fails.
    """
    for part in DUMPS.glob("*.part"):
        part.unlink()
    path = DUMPS / f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}-{name}.dump"
    part = path.with_suffix(".part")
    print(f"Writing a dump of the database to {path} before its tables are changed.", flush=True)
    # Read access is granted by default privileges, and the role mlflow may not restore all grants.
    options = ["--format=custom", "--compress=zstd", "--no-privileges", f"--lock-wait-timeout={LOCK_SECONDS}s"]
    command = ["pg_dump", *options, f"--file={part}", f"--dbname={libpq_uri(uri)}"]
    result = patiently(cursor, lambda: run(command))
    if result.returncode:
        with contextlib.suppress(OSError):
            part.unlink()
        sys.exit(
            f"FAIL: no dump could be written, so nothing was changed ({' '.join(result.stdout.split())}): fix that, or "
            'after a backup with the previous MLflow, "docker compose run --rm migrate python /opt/mlflow/migrate.py '
            '--without-dump".'
        )
    os.sync()
    part.rename(path)
    for old in sorted(DUMPS.glob("*.dump"))[:-KEPT]:
        old.unlink()


def restore(uri, name):
    """Replace all tables of the database with those of a dump in DUMPS; repeatable after an interruption.

    Raises SystemExit with a message if there is no such dump, or it cannot be read.
    """
    path = DUMPS / name
    if not path.exists():
        kept = ", ".join(sorted(dump.name for dump in DUMPS.glob("*.dump"))) or "none"
        sys.exit(f"FAIL: there is no dump {name}: choose one of the existing ones ({kept}).")
    if subprocess.run(["pg_restore", "--list", path], stdout=subprocess.DEVNULL, check=False).returncode:
        sys.exit(f"FAIL: {name} cannot be read, nothing was changed: choose another one.")
    wait(uri)
    cursor = connected(uri)
    # In one transaction, drop everything: tables added by a newer MLflow may have foreign keys to those of the dump.
    emptied = "DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC"
    patiently(cursor, lambda: ask(cursor, emptied))
    command = ["pg_restore", "--single-transaction", "--no-owner", f"--dbname={libpq_uri(uri)}", path]
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"FAIL: {name} could not be restored: see the reason above, and run this again.")
    print(f"The tables are those of {name}.")


if __name__ == "__main__":
    database = os.environ["MLFLOW_BACKEND_STORE_URI"]
    with exclusive_lock():
        if sys.argv[1:2] == ["--back"]:
            restore(database, "".join(sys.argv[2:3]))
        else:
            main(database, with_dump="--without-dump" not in sys.argv[1:])
