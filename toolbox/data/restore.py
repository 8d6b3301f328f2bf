"""What `invoke restore` does: all of it beside what is there, then one swap.

Until the swap nothing that was there is touched. The swap begins with the files, whose old ones are kept, and the
databases decide: once they are replaced, which takes one transaction, the restore has happened; before, it has not, and
the files go back. So the next restore, or `invoke up`, can put in order what one that was broken off has left.
"""

import os
import time
from pathlib import Path

from rich.filesize import decimal as human_size

from .. import console, services
from ..errors import Failure
from . import archive, backup, postgres, volumes

# The tables and indexes that a dump becomes, against its size: those of MLflow's metrics are three times as large.
DATABASE_ROOM = 4
# The log that Postgres writes on the way has as many bytes again, and at most about these: its max_wal_size.
LOG_ROOM = 1 << 30
# What a file takes more than it has, in bytes: a disk gives whole blocks.
BLOCK = 4096
# Tables of MLflow that have a row from the beginning.
FILLED = ("alembic_version", "experiments", "workspaces")
SERVER = "postgresql+psycopg2://mlflow@postgres:5432/{}"
WRITERS = ("notebook", "mlflow")


def run(toolbox, path, started, yes):
    """Restore the backup at `path`, and print a table that compares what is there with its manifest.

    `started` is called with the toolbox once the backup is known to be whole, and starts it if it does not run.
    Raises Failure, with everything as it was, when the backup is not whole or does not fit, when there are data and
    not `yes`, or when something goes wrong.
    """
    with archive.Archive(Path(os.path.expanduser(path)).absolute()) as source:
        with console.progress() as shown:
            sizes = {name: member["size"] for name, member in source.manifest["members"].items()}
            tasks = {name: shown.add_task(f"checking {name}", total=size) for name, size in sizes.items()}
            source.check(lambda name, size: shown.update(tasks[name], completed=size))
        started(toolbox)
        with backup.tidy():
            rows, lacks = over(toolbox, source, yes)
    console.table(rows)
    for line in lacks:
        print(line)


def over(toolbox, source, yes):
    """Restore a checked backup over what the running toolbox has; return what `beside` does."""
    revisions = check_versions(toolbox, source)
    states = {name: volumes.does(toolbox, name, "state") for name in volumes.STORES}
    if postgres.has_remains(postgres.databases(toolbox)):
        settle(toolbox)
        states = {name: volumes.does(toolbox, name, "state") for name in volumes.STORES}
    if not source.manifest["rows"]["datasets"] and "datasets" in postgres.databases(toolbox):
        there = len(postgres.rows(toolbox, "datasets"))
        print(f"The backup has no tables of the database datasets, which has {there} now.")
    if has_data(toolbox, states) and not yes:
        raise Failure(
            f"{toolbox.project} has data, and nothing was changed: add --yes to replace its databases, its "
            "artifacts and the home of its notebook."
        )
    check_room(toolbox, source.manifest, states)
    for name, state in states.items():
        # Without a database beside, no restore has left it.
        if state["has_remains"]:
            volumes.does(toolbox, name, "forget")
    compared = replace(toolbox, source, revisions)
    services.bring_up(toolbox)
    settle(toolbox)
    return compared


# --- What is checked before anything is touched ---


def check_versions(toolbox, source):
    """Return the revisions of MLflow's tables that the server knows, the present one first.

    Raises Failure when the backup was made by a newer MLflow or Postgres.
    """
    manifest = source.manifest
    version, revisions = backup.mlflow(toolbox, volumes.apart)
    if manifest["schema"] not in revisions:
        raise Failure(
            f"{source.path} was made by MLflow {manifest['mlflow']}, whose tables this server, {version}, lacks: "
            f'set mlflow=={manifest["mlflow"]} in ml-flow-docker/requirements.in, then "./run lock" and "./run up".'
        )
    present = postgres.version(toolbox)
    if archive.major(manifest["postgres"]) > archive.major(present):
        raise Failure(
            f"{source.path} was made by Postgres {manifest['postgres']}, newer than this server, {present}: "
            f"set POSTGRES_BASE_IMAGE in .env to Postgres {archive.major(manifest['postgres'])}."
        )
    return revisions


def has_data(toolbox, states):
    """Return whether there is anything that a new toolbox does not have, apart from settings in hidden files.

    `states` is the state of each store, as volume.state returns it.
    """
    names = postgres.databases(toolbox)
    if not set(archive.DATABASES) <= names:
        return True
    used = [name for name, count in postgres.rows(toolbox, "mlflow").items() if count and name not in new_tables()]
    return bool(used or postgres.rows(toolbox, "datasets") or any(state["has_files"] for state in states.values()))


def new_tables():
    """Return the names of the tables that have a row in a new database of MLflow."""
    return {f"public.{name}" for name in FILLED}


def check_room(toolbox, manifest, states):
    """Raise Failure when a disk has too little room for what a backup unpacks to; volumes may share one."""
    device, space = postgres.place(toolbox)
    free = {device: space}
    needed = {device: database_room(manifest)}
    for name, state in states.items():
        free[state["device"]] = state["free"]
        needed[state["device"]] = needed.get(state["device"], 0) + store_room(manifest, name)
    for place, size in needed.items():
        if size > free[place]:
            raise Failure(
                f"the backup needs about {human_size(size)} beside the present data, {human_size(free[place])} are "
                "free: make room on the disk of Docker's volumes."
            )


def database_room(manifest):
    """Return how many bytes the databases of a backup need while they are restored."""
    tables = DATABASE_ROOM * sum(manifest["members"][f"{name}.dump.zst"]["unpacked"] for name in archive.DATABASES)
    return tables + min(tables, LOG_ROOM) + postgres.RESERVE


def store_room(manifest, name):
    """Return how many bytes the files of a store need while they are restored."""
    member = manifest["members"][f"{name}.tar.zst"]
    return member["unpacked"] + BLOCK * member["files"]


# --- The restore ---


def replace(toolbox, source, revisions):
    """Restore a checked backup beside what is there, and put it in its place; the writers are stopped then.

    Returns what `beside` does. If anything goes wrong, all is as it was.
    """
    stopped = False
    try:
        with postgres.reserve(toolbox):
            compared = beside(toolbox, source, revisions)
        stopped = True
        stop_writers(toolbox)
        for name in volumes.STORES:
            volumes.does(toolbox, name, "swap")
            # Who has started them meanwhile, by Compose alone. From the first swap on they wait until all is in place.
            stop_writers(toolbox)
        postgres.swap(toolbox)
    except BaseException:
        undo(toolbox)
        if stopped:
            toolbox.compose("up", "--detach", "--wait")
        raise
    return compared


def stop_writers(toolbox):
    """Stop the services that write. Raises Failure when that does not succeed."""
    if not toolbox.compose("stop", *WRITERS):
        raise Failure("Docker could not stop MLflow and the notebook: its own message is above.")


def undo(toolbox):
    """Put everything back. If even that fails, the first cause is what to tell, and "invoke up" will do it."""
    end = time.monotonic() + services.DATABASE_SECONDS
    while time.monotonic() < end:
        try:
            return settle(toolbox)
        except Failure:
            # A Postgres whose disk was full has ended, and comes back.
            time.sleep(services.PAUSE_SECONDS)


def beside(toolbox, source, revisions):
    """Restore a checked backup beside what is there.

    Return the rows of a table that compares it with the manifest, and lines that say what is not restored.

    Raises Failure when anything is not as the manifest says, and Postgres has not said why.
    """
    manifest = source.manifest
    rows, lacks = [("RESTORED", "IN THE BACKUP", "NOW")], []
    for name in archive.DATABASES:
        member = f"{name}.dump.zst"
        size = manifest["members"][member]["unpacked"]
        passed_over = postgres.restore(toolbox, name, console.counted(member, source.chunks(member), size))
        said, found = manifest["rows"][name], postgres.rows(toolbox, postgres.RESTORED.format(name))
        rows.append((name, *map(in_tables, (said, found))))
        if found != said and not postgres.may_lack(name, passed_over):
            raise Failure(different(rows))
        if words := postgres.lacking(said, found, passed_over):
            lacks.append(f"What is not restored of the database {name}: {words}.")
    migrate(toolbox, manifest["schema"], revisions)
    postgres.analyze(toolbox)
    for name in archive.STORES:
        member = f"{name}.tar.zst"
        chunks = console.counted(member, source.chunks(member), manifest["members"][member]["unpacked"])
        found = volumes.does(toolbox, name, "unpack", chunks)
        rows.append((name, in_files(*source.files[member]), in_files(*found)))
        if found != source.files[member]:
            raise Failure(different(rows))
    return rows, lacks


def migrate(toolbox, schema, revisions):
    """Bring the restored tables of MLflow from a revision to the server's present one, the first of `revisions`.

    Raises Failure when that does not succeed.
    """
    if schema == revisions[0]:
        return
    uri = SERVER.format(postgres.RESTORED.format("mlflow"))
    what = (
        "the tables of the backup cannot be brought to this version of MLflow: restore it with the version that made it"
    )
    toolbox.output(volumes.apart("artifacts", "mlflow", "db", "upgrade", uri), what, [])
    if postgres.schema(toolbox, postgres.RESTORED.format("mlflow")) != revisions[0]:
        raise Failure(what + ".")


def different(rows):
    """Return the message for the last of the `rows` of the table, where what came out is not what the manifest says."""
    name, said, found = rows[-1]
    return f"{name} has {found} where the backup says {said}: nothing was changed; restore another backup."


def in_tables(counts):
    """Return numbers of rows by table as words."""
    return f"{len(counts)} tables, {sum(counts.values())} rows"


def in_files(count, size, checksum):
    """Return a number of files and of their bytes, and their checksum, as words."""
    return f"{count} files, {size} bytes, checksum {checksum[:16]}"


# --- What a restore leaves that was broken off ---


def settle(toolbox):
    """End a restore that was broken off: forward if it had replaced the databases, else back; delete what it left.

    The artifacts are put in order last: as long as they are not, mlflow does not start, and the notebook waits for it.
    """
    done = postgres.is_swapped(postgres.databases(toolbox))
    for name in reversed(volumes.STORES):
        volumes.does(toolbox, name, "forget" if done else "back")
    postgres.drop_remains(toolbox)


def recover_if_interrupted(toolbox):
    """Do that where it is needed, before the services start; postgres runs, if it can."""
    names = toolbox.run(*postgres.psql("postgres"), stdin=postgres.NAMES).stdout.split()
    if postgres.has_remains(names):
        print("A restore was broken off: putting in order what it left.")
        toolbox.compose("stop", *WRITERS)
        settle(toolbox)
