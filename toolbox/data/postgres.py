"""SQL for backups and restores, run in the postgres container, whose own user may log in as any role."""

import contextlib
import itertools
import json
import re
import subprocess
from typing import NamedTuple

from ..errors import Failure, one_line
from .archive import DATABASES, printable

# The role with all privileges in a database. It does not own `datasets`, as it could then drop or close it.
USERS = {"mlflow": "mlflow", "datasets": "analyst"}
# The role that logs in for a restore and then switches to that role, as analyst may have no free connection.
RESTORERS = {"mlflow": "mlflow", "datasets": "restorer"}
OWNERS = {"mlflow": "mlflow", "datasets": "postgres"}
# Override what a role has set for itself or its database. search_path: only Postgres' own functions, so that the
# superuser runs no user's function of the same name.
SESSION_SETTINGS = "PGOPTIONS=" + " ".join(
    f"--{name}={value}"
    for name, value in {
        "search_path": "pg_catalog",
        "statement_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
        "idle_session_timeout": "0",
        "default_transaction_read_only": "off",
        "local_preload_libraries": "",
    }.items()
)
# The names of a database while it is restored, and of the one that it has replaced.
RESTORED = "{}_restored"
REPLACED = "{}_replaced"
# The name of the database in which a backup is verified, and the time limit: a function of a table may never end.
TRIED = "{}_tried"
TRIAL_SECONDS = 600
# The SQL file of the image with the privileges in a database.
RIGHTS = "/etc/data-toolbox/{}.sql"
# How many missing tables and errors are named.
MAX_NAMED = 5
# How long to wait for locked tables: pg_dump for all of them, and before that `snapshot` for each.
LOCK_SECONDS = 60
EACH_LOCK_SECONDS = 2

DISK = 'stat -c %d "$PGDATA" && df -Pk "$PGDATA"'
NAMES = "SELECT datname FROM pg_database;"
TABLES = """
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relkind IN ('r', 'p') AND nspname <> 'information_schema' AND nspname !~ '^pg_'
"""
# Prints a JSON list for each table: its name and number of rows.
ROWS = f"""
SELECT format('SELECT json_build_array(%L, count(*)) FROM %I.%I', format('%I.%I', nspname, relname), nspname,
    relname) {TABLES} {{}} ORDER BY 1 \\gexec
"""
# Locks each table, so that it can be read until the end of the transaction, and reads those of users, whose rows may be
# too large or damaged. Collects the ones that fail as a JSON object: name, and [code, reason].
READ = f"""
SET LOCAL lock_timeout = '{EACH_LOCK_SECONDS}s';
DO $$
DECLARE
    one record;
    unread jsonb := '{{}}';
BEGIN
    FOR one IN SELECT nspname, relname, relkind {TABLES} ORDER BY 1, 2 LOOP
        BEGIN
            EXECUTE format('LOCK TABLE ONLY %I.%I IN ACCESS SHARE MODE', one.nspname, one.relname);
            IF one.relkind = 'r' AND current_database() = 'datasets' THEN
                EXECUTE format('COPY %I.%I TO ''/dev/null''', one.nspname, one.relname);
            END IF;
        EXCEPTION WHEN OTHERS THEN
            unread := unread || jsonb_build_object(format('%I.%I', one.nspname, one.relname), ARRAY[SQLSTATE, SQLERRM]);
        END;
    END LOOP;
    PERFORM set_config('data_toolbox.unread', unread::text, false);
END $$;
"""
UNREAD = "current_setting('data_toolbox.unread')"
# Postgres' code for a lock timeout.
LOCK_NOT_AVAILABLE = "55P03"
# pg_restore continues after errors and exits with 1. Accept that, unless the disk is full or the server is gone.
RESTORE_SCRIPT = """
limit=$1
shift
printed=$(${limit:+timeout "$limit"} pg_restore "$@" 2>&1)
code=$?
# With --schema-only it does not read the rows; the sender needs a reader until the end.
cat >/dev/null
[ $code != 0 ] || exit 0
case $printed in
*"No space left on device"* | *"could not extend file"* | *"could not write"*) ;;
*"connection to the server"* | *"server closed the connection"* | *"terminating connection"*) ;;
*"errors ignored on restore"*)
    echo "$printed"
    exit
    ;;
esac
echo "$printed" >&2
exit $code
"""

# Replaces the databases by the restored ones, all or none. A database with connections cannot be renamed; new
# connections wait for the lock.
SWAP = "\n".join(
    [
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN ('mlflow', 'datasets');",
        "BEGIN;",
        *(f"ALTER DATABASE {name} RENAME TO {REPLACED.format(name)};" for name in DATABASES),
        *(f"ALTER DATABASE {RESTORED.format(name)} RENAME TO {name};" for name in DATABASES),
        "COMMIT;",
    ]
)
SWAP_ATTEMPTS = 5

# The bytes kept free for Postgres while a restore could fill its disk: some WAL segments, and what it writes before it
# can drop a database.
RESERVE = 64 << 20
# Reserved by an unlinked file, so that they are freed whichever process is killed.
HOLD = f"""
file=$PGDATA/.data-toolbox-reserve
exec 3>"$file" && rm "$file" && head -c {RESERVE} /dev/zero >&3 && echo held && exec cat
"""


def inside(program, *arguments):
    """Return the command that runs a client program of Postgres in the postgres container."""
    return ["docker", "compose", "exec", "--no-TTY", "--env", SESSION_SETTINGS, "postgres", program, *arguments]


def psql(database):
    """Return the command that runs the SQL on its standard input as the superuser and prints only values."""
    return [
        *inside("psql", "--username", "postgres"),
        *("--dbname", database, "--no-psqlrc", "--quiet", "--tuples-only", "--no-align"),
        *("--set", "ON_ERROR_STOP=1"),
    ]


def sql(toolbox, statements, database="postgres"):
    """Run SQL as the superuser; return the lines of its output. Raises Failure if a statement fails."""
    what = "a statement failed in Postgres: see its message, and try again"
    return toolbox.output(psql(database), what, [statements.encode()]).splitlines()


def databases(toolbox):
    """Return the names of all databases."""
    return set(sql(toolbox, NAMES))


def rows(toolbox, database):
    """Return the number of rows of each table of a database."""
    return dict(map(json.loads, sql(toolbox, ROWS.format(""), database)))


def version(toolbox):
    """Return the version of Postgres."""
    return sql(toolbox, "SHOW server_version;")[0].split()[0]


def schema(toolbox, database="mlflow"):
    """Return the Alembic revision of MLflow's tables in a database. Raises Failure if there is none."""
    return sql(toolbox, "SELECT version_num FROM public.alembic_version;", database)[0]


def size(toolbox, database):
    """Return the size of a database on the disk, in bytes."""
    return int(sql(toolbox, f"SELECT pg_database_size('{database}');")[0])


def disk(toolbox):
    """Return the number of the device with the databases, and the bytes free there."""
    what = "cannot determine the free space of the database: see its log"
    lines = toolbox.output(inside("sh", "-c", DISK), what).splitlines()
    # The last line is like "/dev/sda1 264212084 30121012 76269900 29% /var/lib/postgresql/data", in kB.
    return int(lines[0]), int(lines[-1].split()[3]) * 1024


# --- Backup ---


@contextlib.contextmanager
def snapshot(toolbox, database):
    """Yield (name, rows, unread) of a snapshot of a database, which lasts as long as the block.

    `name` is for pg_dump; `rows` is the number of rows by readable table; `unread` is an Unread by table that is not.
    """
    begin = f"""
        BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
        SELECT pg_export_snapshot();
        {READ}
        SELECT {UNREAD};
        {ROWS.format(f"AND NOT {UNREAD}::jsonb ? format('%I.%I', nspname, relname)")}
        \\echo
    """
    what = f"cannot count the rows of the database {database}: see the message of Postgres"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with toolbox.popen(psql(database), what, **pipes) as session:
        session.stdin.write(begin.encode())
        session.stdin.flush()
        lines = []
        while (line := session.stdout.readline().decode()) not in ("\n", ""):
            lines.append(line.strip())
        # No empty line: psql has failed, and popen raises the Failure at the end of the block.
        if line:
            name, unread, *counts = lines
            unread = {table: Unread(*why) for table, why in json.loads(unread).items()}
            yield name, dict(map(json.loads, counts)), unread


class Unread(NamedTuple):
    """Why a table cannot be read: Postgres' error code and message. The code is None if it concerns all tables."""

    code: str
    reason: str


def dump(toolbox, database, snapshot_name, unread=None):
    """Yield a database at a snapshot in pg_dump's custom format, uncompressed, as zstd compresses it later.

    `unread` is as `snapshot` yields it: locked tables are left out, others are dumped without rows.
    """
    options = [f"--lock-wait-timeout={LOCK_SECONDS}s", f"--snapshot={snapshot_name}"]
    for table, (code, _) in (unread or {}).items():
        options.append(f"--exclude-table{'' if code == LOCK_NOT_AVAILABLE else '-data'}={table}")
    return pg_dump(toolbox, database, *options)


def pg_dump(toolbox, database, *options):
    """Yield a database in pg_dump's custom format, uncompressed. Raises Failure if pg_dump fails."""
    options = ["--format=custom", "--compress=0", *options]
    what = f"the database {database} cannot be dumped: see the message of pg_dump"
    return toolbox.stream(inside("pg_dump", "--username", "postgres", "--dbname", database, *options), what)


@contextlib.contextmanager
def dumped(toolbox, database):
    """Yield (rows, unread, chunks) of a database, see `snapshot` and `dump`. Raises Failure if it cannot be dumped."""
    with snapshot(toolbox, database) as (name, rows, unread):
        chunks = dump(toolbox, database, name, unread)
        # By then pg_dump has locked all tables and read the catalog.
        first = next(chunks)
        yield rows, unread, itertools.chain([first], chunks)


def empty_dump(toolbox):
    """Yield the dump of a database without tables."""
    return pg_dump(toolbox, "template1")


def try_restore(toolbox, database, chunks, *options):
    """Restore a dump into a temporary database, with options of pg_restore.

    Return the number of rows of each restored table, and the errors, as `restore` does.
    Raises Failure if it takes longer than TRIAL_SECONDS, or the disk is full.
    """
    drop(toolbox, TRIED.format(database))
    try:
        errors = restore(toolbox, database, chunks, TRIED, str(TRIAL_SECONDS), *options)
        return rows(toolbox, TRIED.format(database)), errors
    finally:
        drop(toolbox, TRIED.format(database))


def missing(expected, found, errors):
    """Return what a restored database lacks, as a text: tables whose numbers of rows differ, and errors."""
    fewer = [
        f"{table} ({found.get(table, 0)} of {count} rows)"
        for table, count in expected.items()
        if found.get(table) != count
    ]
    return one_line("; ".join((*fewer[:MAX_NAMED], *errors[:MAX_NAMED])))


# --- Restore ---


@contextlib.contextmanager
def reserve(toolbox):
    """Reserve RESERVE bytes on the databases' disk during the block.

    On a full disk, Postgres could neither drop a database nor start again after a crash.
    Raises Failure if there is less space.
    """
    command = ["docker", "compose", "exec", "--no-TTY", "postgres", "sh", "-c", HOLD]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with toolbox.popen(command, "the disk of the database is nearly full: make room", **pipes) as holder:
        if holder.stdout.readline():
            try:
                yield
            finally:
                holder.stdin.close()
                holder.wait()


def restore(toolbox, database, chunks, new_name=RESTORED, limit="", *more):
    """Create a new database with the privileges of another one, and fill it with a dump; return Postgres' errors.

    `chunks` are the bytes of the dump, `new_name` is the pattern of the name, `limit` a number of seconds, `more` are
    options of pg_restore. One user's table must not prevent restoring the others, so most errors are only returned.
    The dump's statements run as the database's user, who has no rights elsewhere, as a dump can be forged; that user
    then owns everything in it.
    Raises Failure if the dump cannot be read, the disk is full, or `limit` is exceeded.
    """
    name = new_name.format(database)
    sql(toolbox, f"CREATE DATABASE {name} OWNER {OWNERS[database]} TEMPLATE template0;")
    sql(toolbox, f"\\i {RIGHTS.format(database)}", name)
    options = ["--username", RESTORERS[database], "--role", USERS[database], "--dbname", name]
    options += ["--no-owner", "--no-privileges", *more]
    what = f"the database {database} cannot be restored: make room if its disk is full, else take another backup"
    printed = toolbox.output(inside("sh", "-c", RESTORE_SCRIPT, "-", limit, *options), what, chunks)
    causes = re.findall(r"^pg_restore: error: (?:could not execute query: )?(?:ERROR: +)?(.*)$", printed, flags=re.M)
    return [printable(cause) for cause in dict.fromkeys(causes)]


def may_lack_rows(database, errors):
    """Return whether a restored database may have fewer rows than its dump: only `datasets`, after errors."""
    return database == "datasets" and bool(errors)


def drop(toolbox, name):
    """Drop a database if it exists, even if someone is connected to it."""
    sql(toolbox, f"DROP DATABASE IF EXISTS {name} WITH (FORCE);")


def swap(toolbox):
    """Replace the databases by the restored ones; `analyst` cannot log in meanwhile.

    Raises Failure if other connections prevent it repeatedly.
    """
    sql(toolbox, "ALTER ROLE analyst NOLOGIN;")
    try:
        for attempt in range(SWAP_ATTEMPTS):
            try:
                sql(toolbox, SWAP)
            except Failure:
                if attempt == SWAP_ATTEMPTS - 1:
                    raise
            else:
                return
    finally:
        # If this is not reached, the next start of postgres does it.
        sql(toolbox, "ALTER ROLE analyst LOGIN;")


def analyze(toolbox):
    """Collect statistics of the restored databases, so that the first queries are planned well."""
    for name in DATABASES:
        sql(toolbox, "ANALYZE;", RESTORED.format(name))


def is_swapped(names):
    """Return whether an interrupted restore had replaced the databases; `names` are those of all databases."""
    return any(REPLACED.format(name) in names for name in DATABASES)


def has_remains(names):
    """Return whether a restore was interrupted; `names` are those of all databases."""
    return is_swapped(names) or any(RESTORED.format(name) in names for name in DATABASES)


def drop_remains(toolbox):
    """Drop the temporary databases that interrupted restores and backups left."""
    for name in sorted(form.format(name) for form in (RESTORED, REPLACED, TRIED) for name in DATABASES):
        drop(toolbox, name)
