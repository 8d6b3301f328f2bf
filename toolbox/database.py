"""SQL for backups and restores, run in the postgres container, which lets its own user in as any of the roles."""

import contextlib
import json
import subprocess

from . import streams
from .archive import DATABASES
from .failure import Failure

# Who has everything in a database, and whose it is: its owner can delete it, or let nobody in.
USERS = {"mlflow": "mlflow", "datasets": "analyst"}
OWNERS = {"mlflow": "mlflow", "datasets": "postgres"}
# Whatever a role has set for itself or for its database. Names mean what Postgres itself defines: who makes functions in
# a database could have made one of the same name there, for the superuser to run.
OWN_SETTINGS = "PGOPTIONS=" + " ".join(
    f"--{name}={value}"
    for name, value in {
        "search_path": "pg_catalog",
        "statement_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
        "default_transaction_read_only": "off",
        "local_preload_libraries": "",
    }.items()
)
# Where a database is while it is restored, and where the one is that it has replaced.
RESTORED = "{}_restored"
REPLACED = "{}_replaced"
# Where the image has the rights in a database.
RIGHTS = "/etc/data-toolbox/{}.sql"
# How long to wait for a table that someone has locked.
LOCK_SECONDS = 60

NAMES = "SELECT datname FROM pg_database;"
# Prints a JSON list for each table: its name and how many rows it has.
ROWS = """
SELECT format('SELECT json_build_array(%L, count(*)) FROM %I.%I', format('%I.%I', schemaname, tablename), schemaname,
    tablename) FROM pg_tables WHERE schemaname <> 'information_schema' AND schemaname !~ '^pg_' ORDER BY 1 \\gexec
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


def inside(program, role="postgres"):
    """Return the command that runs a client program of Postgres in the postgres container as `role`."""
    return ["docker", "compose", "exec", "--no-TTY", "--env", OWN_SETTINGS, "postgres", program, "--username", role]


def psql(database):
    """Return the command that runs the SQL of its input as the superuser and prints the bare values."""
    return [
        *inside("psql"),
        *("--dbname", database, "--no-psqlrc", "--quiet", "--tuples-only", "--no-align"),
        *("--set", "ON_ERROR_STOP=1"),
    ]


def sql(statements, database="postgres"):
    """Run SQL as the superuser; return the lines that it prints. Raises Failure when a statement fails."""
    what = "Postgres refused a statement: see what it says, and try again"
    return streams.fed(psql(database), what, [statements.encode()]).splitlines()


def databases():
    """Return the names of the databases that there are."""
    return set(sql(NAMES))


def rows(database):
    """Return the number of rows of each table of a database."""
    return dict(map(json.loads, sql(ROWS, database)))


def version():
    """Return the version of Postgres."""
    return sql("SHOW server_version;")[0].split()[0]


def schema(database="mlflow"):
    """Return the revision of MLflow's tables in a database. Raises Failure when it has none."""
    return sql("SELECT version_num FROM public.alembic_version;", database)[0]


# --- Backup ---


@contextlib.contextmanager
def snapshot(database):
    """Give (name, rows) of a state of a database that stays as it is for the block, whatever is written meanwhile.

    `rows` is the number of rows of each table; the name is for pg_dump.
    """
    begin = f"""
        SET lock_timeout = '{LOCK_SECONDS}s';
        BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
        SELECT pg_export_snapshot();
        {ROWS}
        \\echo
    """
    what = f"the rows of the database {database} cannot be counted: see what Postgres says"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with streams.process(psql(database), what, **pipes) as session:
        session.stdin.write(begin.encode())
        session.stdin.flush()
        lines = []
        while (line := session.stdout.readline().decode()) not in ("\n", ""):
            lines.append(line.strip())
        # Without the empty line it has ended before its time, and why is told when the block is left.
        if line:
            yield lines[0], dict(map(json.loads, lines[1:]))


def dump(database, snapshot_name):
    """Yield a database in pg_dump's custom format, as it was at a snapshot; not compressed, which zstd does outside."""
    options = ["--format=custom", "--compress=0", f"--lock-wait-timeout={LOCK_SECONDS}s"]
    command = [*inside("pg_dump"), "--dbname", database, f"--snapshot={snapshot_name}", *options]
    what = f"the database {database} cannot be dumped: see what pg_dump says"
    return streams.output(command, what)


# --- Restore ---


@contextlib.contextmanager
def reserve():
    """Take RESERVE bytes of the disk with the databases for the block, so that it cannot be filled to the last byte.

    With no room at all Postgres could neither delete what was restored nor, if it has ended, start again.
    Raises Failure when there is less.
    """
    command = ["docker", "compose", "exec", "--no-TTY", "postgres", "sh", "-c", HOLD]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with streams.process(command, "the database has too little room: make some", **pipes) as holder:
        if holder.stdout.readline():
            try:
                yield
            finally:
                holder.stdin.close()
                holder.wait()


def restore(database, chunks):
    """Make a new database beside `database`, with the same rights, and fill it with a dump.

    The statements of the dump are run as its user, whose rights end at that database: a dump can be forged. So the user
    has everything in it, whoever had it before.
    """
    user, name = USERS[database], RESTORED.format(database)
    sql(f"CREATE DATABASE {name} OWNER {OWNERS[database]} TEMPLATE template0;")
    sql(f"\\i {RIGHTS.format(database)}", name)
    options = ["--no-owner", "--no-privileges", "--exit-on-error"]
    command = [*inside("pg_restore", user), "--dbname", name, *options]
    what = f"the database {database} cannot be restored: make room if its disk is full, else take another backup"
    streams.fed(command, what, chunks)


def swap():
    """Put the restored databases in the place of those that were there.

    Raises Failure when someone connects again and again.
    """
    for attempt in range(SWAP_ATTEMPTS):
        try:
            sql(SWAP)
        except Failure:
            if attempt == SWAP_ATTEMPTS - 1:
                raise
        else:
            return


def analyze():
    """Have Postgres look at the restored databases, without which it would plan queries badly at first."""
    for name in DATABASES:
        sql("ANALYZE;", RESTORED.format(name))


def is_swapped(names):
    """Return whether the databases that there are, `names`, show that a restore came as far as replacing them."""
    return any(REPLACED.format(name) in names for name in DATABASES)


def has_remains(names):
    """Return whether the databases that there are, `names`, show that a restore did not end."""
    return is_swapped(names) or any(RESTORED.format(name) in names for name in DATABASES)


def drop_remains():
    """Delete the databases that restores left: what was to replace others, and what was replaced."""
    for name in sorted(databases() & {form.format(name) for form in (RESTORED, REPLACED) for name in DATABASES}):
        sql(f"DROP DATABASE {name} WITH (FORCE);")
