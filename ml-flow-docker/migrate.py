"""Bring MLflow's tables to the version of the server, before it starts: make them, or change them after a dump.

Usage: migrate.py                 brings them to this version
       migrate.py --without-dump  the same with no dump before
       migrate.py --back DUMP     puts the tables back as they are in one of the dumps, for an older MLflow
Reads MLFLOW_BACKEND_STORE_URI and, through libpq, the password in PGSERVICEFILE. All changes are one transaction, so a
migration that was broken off has changed nothing and is begun again by the next start. Then it makes the indexes that
the tables lack.

Who reads a table keeps it from being changed until their transaction ends, and who comes later waits behind the change.
So no lock is waited for longer than LOCK_SECONDS at a time, and none longer than PATIENCE_SECONDS in all: then the
migration ends, with a message that says who holds what.
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
# The newest runs of an experiment, as MLflow's API asks for them, and as its pages do: without an index every request
# for some of them sorts all. There is none on the values of metrics, since it would change with each that is logged.
INDEXES = {
    "data_toolbox_runs_newest": "runs (experiment_id, start_time DESC, run_uuid)",
    "data_toolbox_runs_newest_in_ui": (
        "runs (experiment_id, (CASE WHEN start_time IS NULL THEN 1 ELSE 0 END), start_time DESC, run_uuid)"
    ),
}
LOCK_SECONDS = 3
PATIENCE_SECONDS = 30
PAUSE_SECONDS = 1
# pg_dump has a limit of its own for locks, which is one for statements.
IS_LOCKED = re.compile("due to (lock|statement) timeout")
# Who else holds tables, which all roles may see.
HOLDERS = """
    SELECT usename, pid, application_name, array_agg(DISTINCT relname::text)
    FROM pg_locks JOIN pg_stat_activity USING (pid) JOIN pg_class ON pg_class.oid = relation
    WHERE granted AND pid <> pg_backend_pid() AND relkind = 'r' AND relnamespace = 'public'::regnamespace
        AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    GROUP BY usename, pid, application_name ORDER BY pid
"""
# As many sessions, and tables of each.
NAMED = 3
# Waits for what a migration needs, and lets it go again.
ALL_TABLES = """
    DO $$ BEGIN EXECUTE (
        SELECT 'LOCK TABLE ' || string_agg(format('public.%I', relname), ', ') || ' IN ACCESS EXCLUSIVE MODE'
        FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relowner = current_user::regrole
    ); END $$
"""


def main(uri, with_dump=True):
    """Bring the tables in the Postgres database at `uri` (SQLAlchemy's spelling) to the present revision.

    Raises SystemExit with a message, and the tables as before, when they are newer than this MLflow or a step fails.
    """
    version, *revisions = KNOWN.read_text().split()
    wait(uri)
    cursor = connected(uri)
    revision, used_by = patiently(cursor, lambda: found(cursor))
    if revision and revision not in revisions:
        sys.exit(newer(revision, used_by, version))
    if revision != revisions[0]:
        if revision:
            # At once, as MLflow takes many seconds to begin, and no dump is made in vain.
            patiently(cursor, lambda: ask(cursor, ALL_TABLES))
        if revision and with_dump:
            dump(cursor, uri, re.sub(r"[^\w.]+", "-", used_by or revision))
        print(f"MLflow {version}: bringing its tables from {revision or 'nothing'} to {revisions[0]}.", flush=True)
        command = ["mlflow", "db", "upgrade", uri] if revision else [sys.executable, "-c", CREATE, uri]
        result = patiently(cursor, lambda: run(command))
        print(result.stdout, end="", flush=True)
        if result.returncode:
            sys.exit(
                f"FAIL: the tables could not be changed and are as before: see why above, or go back{to(used_by)}."
            )
    add_indexes(cursor)
    if used_by != f"MLflow {version}":
        # For the message of an older MLflow that finds these tables.
        patiently(cursor, lambda: ask(cursor, f"COMMENT ON TABLE alembic_version IS 'MLflow {version}'"))
    print(f"MLflow {version}: its tables are at revision {revisions[0]}.")


@contextlib.contextmanager
def alone():
    """Have no other migration at the same time: the second one waits, and finds nothing to do.

    The lock is one on the folder of the dumps, which no role of the database can take.
    """
    descriptor = os.open(DUMPS, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another migration, which runs.", flush=True)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def connected(uri):
    """Return a cursor whose statements are transactions of their own and wait LOCK_SECONDS for a lock."""
    connection = psycopg2.connect(libpq_uri(uri))
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
    return cursor


def patiently(cursor, attempt):
    """Return what the function `attempt` returns as soon as that is not None, its word for a lock in its way.

    Raises SystemExit, with a message that says who has the lock, after PATIENCE_SECONDS.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    while (result := attempt()) is None:
        who = holders(cursor)
        if time.monotonic() >= end:
            sys.exit(
                f"FAIL: MLflow's tables are in use, nothing was changed: {who}: end that program, in a notebook by a "
                "restart of its kernel, and try again."
            )
        print(f"Waiting for MLflow's tables: {who}", flush=True)
        time.sleep(PAUSE_SECONDS)
    return result


def ask(cursor, statement, parameters=None):
    """Execute a statement; return its rows, or None where a lock is in its way."""
    try:
        cursor.execute(statement, parameters)
    except psycopg2.errors.LockNotAvailable:
        return None
    return cursor.fetchall() if cursor.description else []


def run(command):
    """Run a command that uses the database; return the result, with all that it printed, or None, as ask does."""
    limited = os.environ | {"PGOPTIONS": f"-c lock_timeout={LOCK_SECONDS}s"}
    result = subprocess.run(
        command, env=limited, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return None if result.returncode and IS_LOCKED.search(result.stdout) else result


def holders(cursor):
    """Return in words who holds locks that a migration needs."""
    cursor.execute(HOLDERS)
    return "; ".join(session(*row) for row in cursor.fetchmany(NAMED)) or "whoever had a lock has just ended"


def session(role, pid, program, tables):
    """Return in words who holds a lock: the role, the process of the server, the program's name or "", the tables."""
    what = ", ".join(tables[:NAMED]) + (" and others" if len(tables) > NAMED else "")
    return f"role {role} holds a lock on {what} ({', '.join(filter(None, (f'process {pid}', program)))})"


def found(cursor):
    """Return the revision of the tables and what was noted of the MLflow that used them; None for what is not there.

    Returns None alone where a lock is in the way.
    """
    if ask(cursor, "SELECT to_regclass('public.alembic_version')") == [(None,)]:
        return None, None
    noted = "obj_description('public.alembic_version'::regclass)"
    rows = ask(cursor, f"SELECT max(version_num), {noted} FROM alembic_version")
    return rows and rows[0]


def add_indexes(cursor):
    """Make those of INDEXES that the tables lack; where that cannot be done, say so: the next start tries again."""
    cursor.execute("SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND indexname = ANY(%s)", [[*INDEXES]])
    there = {name for (name,) in cursor.fetchall()}
    for name in [name for name in INDEXES if name not in there]:
        print(f"Making the index {name}: where there are millions of runs it takes some seconds.", flush=True)
        try:
            cursor.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {INDEXES[name]}")
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


def dump(cursor, uri, name):
    """Write a dump of the database into DUMPS, from where pg_restore can read it; keep the newest KEPT.

    Raises SystemExit with a message when it cannot be made.
    """
    for part in DUMPS.glob("*.part"):
        part.unlink()
    path = DUMPS / f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}-{name}.dump"
    part = path.with_suffix(".part")
    print(f"Writing a dump of the database to {path} before its tables are changed.", flush=True)
    # Who may read the tables is a setting of the database, and some rights in it are not MLflow's to give.
    options = ["--format=custom", "--compress=zstd", "--no-privileges", f"--lock-wait-timeout={LOCK_SECONDS}s"]
    command = ["pg_dump", *options, f"--file={part}", f"--dbname={libpq_uri(uri)}"]
    result = patiently(cursor, lambda: run(command))
    if result.returncode:
        with contextlib.suppress(OSError):
            part.unlink()
        sys.exit(
            f"FAIL: no dump could be made, so nothing was changed ({' '.join(result.stdout.split())}): mend that, or "
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
    cursor = connected(uri)
    # Tables that a newer MLflow has added may refer to those of the dump. All of it is one transaction.
    emptied = "DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC"
    patiently(cursor, lambda: ask(cursor, emptied))
    command = ["pg_restore", "--single-transaction", "--no-owner", f"--dbname={libpq_uri(uri)}", path]
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"FAIL: {name} could not be put back: see why above, and run this again.")
    print(f"The tables are those of {name}.")


if __name__ == "__main__":
    database = os.environ["MLFLOW_BACKEND_STORE_URI"]
    with alone():
        if sys.argv[1:2] == ["--back"]:
            back(database, "".join(sys.argv[2:3]))
        else:
            main(database, with_dump="--without-dump" not in sys.argv[1:])
