"""SQL for backups and restores, run in the postgres container, which lets its own user in as any of the roles."""

import contextlib
import itertools
import json
import re
import subprocess
from typing import NamedTuple

from ..errors import Failure, one_line
from .archive import DATABASES, printable

# Who has everything in a database, and whose it is: its owner can delete it, or let nobody in.
USERS = {"mlflow": "mlflow", "datasets": "analyst"}
# Who logs in to restore a dump as that role: analyst may have no connection left.
RESTORERS = {"mlflow": "mlflow", "datasets": "restorer"}
OWNERS = {"mlflow": "mlflow", "datasets": "postgres"}
# Whatever a role has set for itself or for its database. Names mean what Postgres defines: who makes functions in
# a database could have made one of the same name there, for the superuser to run.
OWN_SETTINGS = "PGOPTIONS=" + " ".join(
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
# Where a database is while it is restored, and where the one is that it has replaced.
RESTORED = "{}_restored"
REPLACED = "{}_replaced"
# Where a backup tries whether it can be restored, and how long it takes at most: a function of a table may never end.
TRIED = "{}_tried"
TRIAL_SECONDS = 600
# Where the image has the rights in a database.
RIGHTS = "/etc/data-toolbox/{}.sql"
# As much that a restored database lacks is named.
NAMED = 5
# How long to wait for tables that someone has locked: for all that a dump needs, and before that for each.
LOCK_SECONDS = 60
EACH_LOCK_SECONDS = 2

PLACE = 'stat -c %d "$PGDATA" && df -Pk "$PGDATA"'
NAMES = "SELECT datname FROM pg_database;"
TABLES = """
FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE relkind IN ('r', 'p') AND nspname <> 'information_schema' AND nspname !~ '^pg_'
"""
# Prints a JSON list for each table: its name and how many rows it has.
ROWS = f"""
SELECT format('SELECT json_build_array(%L, count(*)) FROM %I.%I', format('%I.%I', nspname, relname), nspname,
    relname) {TABLES} {{}} ORDER BY 1 \\gexec
"""
# Locks each table, so that it can be read until the end of the transaction, and tries that with those of people, whose
# rows may be too large, or damaged. Those with which it does not succeed are a JSON object then: name, code and reason.
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
# The code of Postgres for a lock that was not had in time.
IS_LOCKED = "55P03"
# pg_restore passes over what does not succeed, and says so, which is no end to accept where the disk is full or the
# server has ended.
TOLERANT = """
limit=$1
shift
said=$(${limit:+timeout "$limit"} pg_restore "$@" 2>&1)
code=$?
# With --schema-only it leaves the rows, and whoever sends them sees no end.
cat >/dev/null
[ $code != 0 ] || exit 0
case $said in
*"No space left on device"* | *"could not extend file"* | *"could not write"*) ;;
*"connection to the server"* | *"server closed the connection"* | *"terminating connection"*) ;;
*"errors ignored on restore"*)
    echo "$said"
    exit
    ;;
esac
echo "$said" >&2
exit $code
"""

# Puts the restored databases in the place of those that were there, all of them or none. A database that someone is
# connected to cannot be renamed; whoever connects again meanwhile waits for the lock.
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

# How many bytes are kept free for Postgres while a restore could fill its disk: some segments of its log, and what it
# has to write before it can delete a database.
RESERVE = 64 << 20
# A file without a name takes them: they are free as soon as nobody holds it, whatever is killed.
HOLD = f"""
file=$PGDATA/.data-toolbox-reserve
exec 3>"$file" && rm "$file" && head -c {RESERVE} /dev/zero >&3 && echo held && exec cat
"""


def inside(program, *arguments):
    """Return the command that runs a client program of Postgres in the postgres container."""
    return ["docker", "compose", "exec", "--no-TTY", "--env", OWN_SETTINGS, "postgres", program, *arguments]


def psql(database):
    """Return the command that runs the SQL of its input as the superuser and prints the bare values."""
    return [
        *inside("psql", "--username", "postgres"),
        *("--dbname", database, "--no-psqlrc", "--quiet", "--tuples-only", "--no-align"),
        *("--set", "ON_ERROR_STOP=1"),
    ]


def sql(toolbox, statements, database="postgres"):
    """Run SQL as the superuser; return the lines that it prints. Raises Failure when a statement fails."""
    what = "Postgres refused a statement: see what it says, and try again"
    return toolbox.output(psql(database), what, [statements.encode()]).splitlines()


def databases(toolbox):
    """Return the names of the databases that there are."""
    return set(sql(toolbox, NAMES))


def rows(toolbox, database):
    """Return the number of rows of each table of a database."""
    return dict(map(json.loads, sql(toolbox, ROWS.format(""), database)))


def version(toolbox):
    """Return the version of Postgres."""
    return sql(toolbox, "SHOW server_version;")[0].split()[0]


def schema(toolbox, database="mlflow"):
    """Return the revision of MLflow's tables in a database. Raises Failure when it has none."""
    return sql(toolbox, "SELECT version_num FROM public.alembic_version;", database)[0]


def size(toolbox, database):
    """Return how many bytes of the disk a database takes."""
    return int(sql(toolbox, f"SELECT pg_database_size('{database}');")[0])


def place(toolbox):
    """Return the number of the device that the databases are on, and how many bytes are free there."""
    what = "the free space of the database cannot be asked: see its log"
    lines = toolbox.output(inside("sh", "-c", PLACE), what).splitlines()
    # The last line is like "/dev/sda1 264212084 30121012 76269900 29% /var/lib/postgresql/data", in kB.
    return int(lines[0]), int(lines[-1].split()[3]) * 1024


# --- Backup ---


@contextlib.contextmanager
def snapshot(toolbox, database):
    """Give (name, rows, unread) of a state of a database that stays as it is for the block, whatever is written.

    `rows` is the number of rows of each table that can be read, and `unread` says why others cannot, as Unread, by the
    name of the table; the name is for pg_dump.
    """
    begin = f"""
        BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
        SELECT pg_export_snapshot();
        {READ}
        SELECT {UNREAD};
        {ROWS.format(f"AND NOT {UNREAD}::jsonb ? format('%I.%I', nspname, relname)")}
        \\echo
    """
    what = f"the rows of the database {database} cannot be counted: see what Postgres says"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with toolbox.popen(psql(database), what, **pipes) as session:
        session.stdin.write(begin.encode())
        session.stdin.flush()
        lines = []
        while (line := session.stdout.readline().decode()) not in ("\n", ""):
            lines.append(line.strip())
        # Without the empty line it has ended before its time, and why is told when the block is left.
        if line:
            name, unread, *counts = lines
            unread = {table: Unread(*why) for table, why in json.loads(unread).items()}
            yield name, dict(map(json.loads, counts)), unread


class Unread(NamedTuple):
    """Why a table, or with no code (None) all of them, cannot be read: Postgres' code for it, and what it says."""

    code: str
    reason: str


def dump(toolbox, database, snapshot_name, unread=None):
    """Yield a database in pg_dump's custom format, as it was at a snapshot; not compressed, which zstd does outside.

    `unread` are tables that cannot be read, as `snapshot` gives them: locked ones are left out, others are empty.
    """
    options = [f"--lock-wait-timeout={LOCK_SECONDS}s", f"--snapshot={snapshot_name}"]
    for table, (code, _) in (unread or {}).items():
        options.append(f"--exclude-table{'' if code == IS_LOCKED else '-data'}={table}")
    return pg_dump(toolbox, database, *options)


def pg_dump(toolbox, database, *options):
    """Yield what pg_dump prints of a database in its custom format, not compressed. Raises Failure when it fails."""
    options = ["--format=custom", "--compress=0", *options]
    what = f"the database {database} cannot be dumped: see what pg_dump says"
    return toolbox.stream(inside("pg_dump", "--username", "postgres", "--dbname", database, *options), what)


@contextlib.contextmanager
def dumped(toolbox, database):
    """Give (rows, unread, chunks) of a database for the block, as `snapshot` and `dump` do.

    Raises Failure when it cannot be dumped.
    """
    with snapshot(toolbox, database) as (name, rows, unread):
        chunks = dump(toolbox, database, name, unread)
        # Before that pg_dump has locked all tables, and read what they are.
        first = next(chunks)
        yield rows, unread, itertools.chain([first], chunks)


def nothing(toolbox):
    """Yield the dump of a database without tables."""
    return pg_dump(toolbox, "template1")


def tried(toolbox, database, chunks, *options):
    """Restore a dump into a database that is deleted again, with options of pg_restore.

    Return the number of rows of each table that it has then, and what did not succeed, as `restore` does.
    Raises Failure when it does not end in TRIAL_SECONDS, or its disk is full.
    """
    drop(toolbox, TRIED.format(database))
    try:
        passed_over = restore(toolbox, database, chunks, TRIED, str(TRIAL_SECONDS), *options)
        return rows(toolbox, TRIED.format(database)), passed_over
    finally:
        drop(toolbox, TRIED.format(database))


def lacking(said, found, passed_over):
    """Return in words what a restored database lacks: tables with fewer rows, and what did not succeed."""
    fewer = [
        f"{table} ({found.get(table, 0)} of {count} rows)" for table, count in said.items() if found.get(table) != count
    ]
    return one_line("; ".join((*fewer[:NAMED], *passed_over[:NAMED])))


# --- Restore ---


@contextlib.contextmanager
def reserve(toolbox):
    """Take RESERVE bytes of the disk with the databases for the block, so that it cannot be filled to the last byte.

    With no room at all Postgres could neither delete what was restored nor, if it has ended, start again.
    Raises Failure when there is less.
    """
    command = ["docker", "compose", "exec", "--no-TTY", "postgres", "sh", "-c", HOLD]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with toolbox.popen(command, "the database has too little room: make some", **pipes) as holder:
        if holder.stdout.readline():
            try:
                yield
            finally:
                holder.stdin.close()
                holder.wait()


def restore(toolbox, database, chunks, beside=RESTORED, limit="", *more):
    """Make a new database `beside` another one, with the same rights, and fill it with a dump.

    Return what did not succeed, in words, as Postgres says it: a table of one person is not to stand in the way of the
    rest. The statements of the dump are run as the user of the database, whose rights end there: a dump can be forged.
    So the user has everything in it, whoever had it before.
    Raises Failure when the dump cannot be read, the disk is full, or `limit`, in seconds, is over.
    """
    name = beside.format(database)
    sql(toolbox, f"CREATE DATABASE {name} OWNER {OWNERS[database]} TEMPLATE template0;")
    sql(toolbox, f"\\i {RIGHTS.format(database)}", name)
    options = ["--username", RESTORERS[database], "--role", USERS[database], "--dbname", name]
    options += ["--no-owner", "--no-privileges", *more]
    what = f"the database {database} cannot be restored: make room if its disk is full, else take another backup"
    said = toolbox.output(inside("sh", "-c", TOLERANT, "-", limit, *options), what, chunks)
    causes = re.findall(r"^pg_restore: error: (?:could not execute query: )?(?:ERROR: +)?(.*)$", said, flags=re.M)
    return [printable(cause) for cause in dict.fromkeys(causes)]


def may_lack(database, passed_over):
    """Return whether a restored database may have fewer rows than what was dumped: that of people, for a reason.

    `passed_over` is what `restore` returned.
    """
    return database == "datasets" and bool(passed_over)


def drop(toolbox, name):
    """Delete a database, if it is there, whoever is connected to it."""
    sql(toolbox, f"DROP DATABASE IF EXISTS {name} WITH (FORCE);")


def swap(toolbox):
    """Put the restored databases in the place of those that were there; people are kept out for that moment.

    Raises Failure when someone else connects again and again.
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
        # Where this is not reached, the next start of postgres does it.
        sql(toolbox, "ALTER ROLE analyst LOGIN;")


def analyze(toolbox):
    """Have Postgres look at the restored databases, without which it would plan queries badly at first."""
    for name in DATABASES:
        sql(toolbox, "ANALYZE;", RESTORED.format(name))


def is_swapped(names):
    """Return whether the databases that there are, `names`, show that a restore came as far as replacing them."""
    return any(REPLACED.format(name) in names for name in DATABASES)


def has_remains(names):
    """Return whether the databases that there are, `names`, show that a restore did not end."""
    return is_swapped(names) or any(RESTORED.format(name) in names for name in DATABASES)


def drop_remains(toolbox):
    """Delete the databases that restores left: what was to replace others, and what was replaced."""
    for name in sorted(form.format(name) for form in (RESTORED, REPLACED, TRIED) for name in DATABASES):
        drop(toolbox, name)
