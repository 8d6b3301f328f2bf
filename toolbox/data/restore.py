"""The task `restore`: stage everything next to the current data, then swap it in.

Nothing is changed before the swap. It starts with the files, and keeps the old ones. Then one transaction replaces the
databases, which commits the restore: before, an interrupted restore is rolled back, afterwards it is completed, by
`invoke up` or the next restore.

A restore that only rolls forward was considered. It would save at most 30 lines (`roll_back` here and in
volume_files.py, the direction in `recover`, restarting the services in `replace`). This way any failure before the
databases are replaced leaves everything as it was.
"""

import os
import time
from pathlib import Path

from rich.filesize import decimal as human_size

from .. import console, services
from ..errors import Failure
from . import archive, backup, postgres, volumes

# The size of tables and indexes relative to the dump; for MLflow's metrics it is 3.
DATABASE_FACTOR = 4
# The WAL takes as many bytes again, but at most about max_wal_size, which is this.
MAX_WAL = 1 << 30
# What a file can take in addition to its size, in bytes, as disks allocate whole blocks.
BLOCK = 4096
# The tables that have rows in a new database of MLflow.
INITIAL_TABLES = ("alembic_version", "experiments", "workspaces")
SERVER = "postgresql+psycopg2://mlflow@postgres:5432/{}"
WRITERS = ("notebook", "mlflow")


def run(toolbox, path, ensure_running, yes):
    """Restore the backup at `path`, and print a table that compares the restored data with its manifest.

    `ensure_running` is called with the toolbox after the backup is verified, and starts it if necessary.
    Raises Failure, and leaves everything as it was, if the backup is damaged or does not fit on the disk, if there are
    data but not `yes`, or if a step fails.
    """
    with archive.Archive(Path(os.path.expanduser(path)).absolute()) as source:
        with console.progress() as shown:
            sizes = {name: member["size"] for name, member in source.manifest["members"].items()}
            tasks = {name: shown.add_task(f"checking {name}", total=size) for name, size in sizes.items()}
            source.check(lambda name, size: shown.update(tasks[name], completed=size))
        ensure_running(toolbox)
        with backup.exit_on_signals():
            rows, incomplete = restore_archive(toolbox, source, yes)
    console.table(rows)
    for line in incomplete:
        print(line)


def restore_archive(toolbox, source, yes):
    """Restore a verified backup into the running toolbox; return what `stage` returns."""
    revisions = check_versions(toolbox, source)
    states = {name: volumes.run(toolbox, name, "state") for name in volumes.STORES}
    if postgres.has_remains(postgres.databases(toolbox)):
        recover(toolbox)
        states = {name: volumes.run(toolbox, name, "state") for name in volumes.STORES}
    if not source.manifest["rows"]["datasets"] and "datasets" in postgres.databases(toolbox):
        count = len(postgres.rows(toolbox, "datasets"))
        print(f"The backup has no tables of the database datasets, which has {count} now.")
    if has_data(toolbox, states) and not yes:
        raise Failure(
            f"{toolbox.project} has data, and nothing was changed: add --yes to replace its databases, its "
            "artifacts and the home of its notebook."
        )
    check_space(toolbox, source.manifest, states)
    for name, state in states.items():
        # Not from a restore, as there is no restored database.
        if state["has_remains"]:
            volumes.run(toolbox, name, "discard")
    compared = replace(toolbox, source, revisions)
    services.bring_up(toolbox)
    recover(toolbox)
    return compared


# --- Checks ---


def check_versions(toolbox, source):
    """Return the revisions of MLflow's tables that the server knows, the newest first.

    Raises Failure if the backup was made by a newer MLflow or Postgres.
    """
    manifest = source.manifest
    version, revisions = backup.mlflow_revisions(toolbox, volumes.run_command)
    if manifest["schema"] not in revisions:
        raise Failure(
            f"{source.path} was made by MLflow {manifest['mlflow']}, newer than this server, {version}: "
            f'set mlflow=={manifest["mlflow"]} in ml-flow-docker/requirements.in, then "./run lock" and "./run up".'
        )
    current = postgres.version(toolbox)
    if archive.major(manifest["postgres"]) > archive.major(current):
        raise Failure(
            f"{source.path} was made by Postgres {manifest['postgres']}, newer than this server, {current}: "
            f"set POSTGRES_BASE_IMAGE in .env to Postgres {archive.major(manifest['postgres'])}."
        )
    return revisions


def has_data(toolbox, states):
    """Return whether the toolbox has any data that a new one does not have, apart from hidden files in the home.

    `states` is the result of volume_files.state, by store.
    """
    names = postgres.databases(toolbox)
    if not set(archive.DATABASES) <= names:
        return True
    used = [name for name, count in postgres.rows(toolbox, "mlflow").items() if count and name not in initial_tables()]
    return bool(used or postgres.rows(toolbox, "datasets") or any(state["has_files"] for state in states.values()))


def initial_tables():
    """Return the qualified names of INITIAL_TABLES."""
    return {f"public.{name}" for name in INITIAL_TABLES}


def check_space(toolbox, manifest, states):
    """Raise Failure if a disk has too little space for the unpacked backup; volumes may share a disk."""
    device, space = postgres.disk(toolbox)
    free = {device: space}
    needed = {device: database_space(manifest)}
    for name, state in states.items():
        free[state["device"]] = state["free"]
        needed[state["device"]] = needed.get(state["device"], 0) + store_space(manifest, name)
    for device, size in needed.items():
        if size > free[device]:
            raise Failure(
                f"the backup needs about {human_size(size)} next to the current data, {human_size(free[device])} are "
                "free: make room on the disk of Docker's volumes."
            )


def database_space(manifest):
    """Return the bytes that the databases of a backup need during a restore."""
    tables = DATABASE_FACTOR * sum(manifest["members"][f"{name}.dump.zst"]["unpacked"] for name in archive.DATABASES)
    return tables + min(tables, MAX_WAL) + postgres.RESERVE


def store_space(manifest, name):
    """Return the bytes that the files of a store need during a restore."""
    member = manifest["members"][f"{name}.tar.zst"]
    return member["unpacked"] + BLOCK * member["files"]


# --- Restore ---


def replace(toolbox, source, revisions):
    """Stage a verified backup, stop the services that write, and swap it in; return what `stage` returns.

    On any exception, everything is rolled back.
    """
    stopped = False
    try:
        with postgres.reserve(toolbox):
            compared = stage(toolbox, source, revisions)
        stopped = True
        stop_writers(toolbox)
        for name in volumes.STORES:
            volumes.run(toolbox, name, "swap")
            # Someone may have started them with Compose. After the first swap they wait until it is complete.
            stop_writers(toolbox)
        postgres.swap(toolbox)
    except BaseException:
        roll_back(toolbox)
        if stopped:
            toolbox.compose("up", "--detach", "--wait")
        raise
    return compared


def stop_writers(toolbox):
    """Stop the services that write. Raises Failure if Docker cannot."""
    if not toolbox.compose("stop", *WRITERS):
        raise Failure("Docker could not stop MLflow and the notebook: its own message is above.")


def roll_back(toolbox):
    """Recover, and retry while Postgres restarts. If that fails too, the next "invoke up" recovers."""
    end = time.monotonic() + services.DATABASE_SECONDS
    while time.monotonic() < end:
        try:
            return recover(toolbox)
        except Failure:
            # Postgres exits when its disk is full, and is restarted.
            time.sleep(services.PAUSE_SECONDS)


def stage(toolbox, source, revisions):
    """Restore a verified backup next to the current data.

    Return the rows of a table that compares it with the manifest, and lines that name what was not restored.
    Raises Failure if anything differs from the manifest without an error of Postgres that explains it.
    """
    manifest = source.manifest
    rows, incomplete = [("RESTORED", "IN THE BACKUP", "NOW")], []
    for name in archive.DATABASES:
        member = f"{name}.dump.zst"
        size = manifest["members"][member]["unpacked"]
        errors = postgres.restore(toolbox, name, console.counted(member, source.chunks(member), size))
        expected, found = manifest["rows"][name], postgres.rows(toolbox, postgres.RESTORED.format(name))
        rows.append((name, *map(count_tables, (expected, found))))
        if found != expected and not postgres.may_lack_rows(name, errors):
            raise Failure(mismatch(rows))
        if missing := postgres.missing(expected, found, errors):
            incomplete.append(f"Not restored in the database {name}: {missing}.")
    migrate(toolbox, manifest["schema"], revisions)
    postgres.analyze(toolbox)
    for name in archive.STORES:
        member = f"{name}.tar.zst"
        chunks = console.counted(member, source.chunks(member), manifest["members"][member]["unpacked"])
        found = volumes.run(toolbox, name, "unpack", chunks)
        rows.append((name, count_files(*source.files[member]), count_files(*found)))
        if found != source.files[member]:
            raise Failure(mismatch(rows))
    return rows, incomplete


def migrate(toolbox, schema, revisions):
    """Migrate MLflow's restored tables from the revision `schema` to the server's, the first of `revisions`.

    Raises Failure if that fails.
    """
    if schema == revisions[0]:
        return
    uri = SERVER.format(postgres.RESTORED.format("mlflow"))
    what = "cannot migrate the tables of the backup to this version of MLflow: restore it with the version that made it"
    toolbox.output(volumes.run_command("artifacts", "mlflow", "db", "upgrade", uri), what, [])
    if postgres.schema(toolbox, postgres.RESTORED.format("mlflow")) != revisions[0]:
        raise Failure(what + ".")


def mismatch(rows):
    """Return the error message for the last of the table's `rows`, which differs from the manifest."""
    name, expected, found = rows[-1]
    return f"{name} has {found}, but {expected} in the manifest: nothing was changed; restore another backup."


def count_tables(counts):
    """Return a summary of numbers of rows by table."""
    return f"{len(counts)} tables, {sum(counts.values())} rows"


def count_files(count, size, checksum):
    """Return a summary of a result of volume_files.Contents, with the start of its checksum."""
    return f"{count} files, {human_size(size)} ({checksum[:8]})"


# --- Recovery from an interrupted restore ---


def recover(toolbox):
    """Complete a restore that has replaced the databases, otherwise roll it back; delete what is left of it.

    The artifacts come last: until then mlflow does not start, and the notebook waits for it.
    """
    is_committed = postgres.is_swapped(postgres.databases(toolbox))
    for name in reversed(volumes.STORES):
        volumes.run(toolbox, name, "discard" if is_committed else "roll_back")
    postgres.drop_remains(toolbox)


def recover_if_interrupted(toolbox):
    """Recover if a restore was interrupted, before the services start. Does nothing if postgres does not run."""
    names = toolbox.run(*postgres.psql("postgres"), stdin=postgres.NAMES).stdout.split()
    if postgres.has_remains(names):
        print("Recovering from an interrupted restore.")
        toolbox.compose("stop", *WRITERS)
        recover(toolbox)
