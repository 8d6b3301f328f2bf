"""What `invoke restore` does: all of it beside what is there, then one swap.

Until the swap nothing that was there is touched. The swap begins with the files, whose old ones are kept, and the
databases decide: once they are replaced, which takes one transaction, the restore has happened; before, it has not, and
the files go back. So the next restore, or `invoke up`, can put in order what one that was broken off has left.
"""

import time

from rich.filesize import decimal as human_size

from . import archive, backup, console, database, process, stack, stores
from .failure import Failure
from .process import compose, quietly

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


def run(c, path, started, yes):
    """Restore the backup at `path`, and print a table that compares what is there with its manifest.

    `started` is called once the backup is known to be whole, and starts the toolbox if it does not run.
    Raises Failure, with everything as it was, when the backup is not whole or does not fit, when there are data and
    not `yes`, or when something goes wrong.
    """
    with archive.Archive(path) as source:
        with console.progress() as shown:
            sizes = {name: member["size"] for name, member in source.manifest["members"].items()}
            tasks = {name: shown.add_task(f"checking {name}", total=size) for name, size in sizes.items()}
            source.check(lambda name, size: shown.update(tasks[name], completed=size))
        started()
        with backup.tidy():
            rows, lacks = over(c, source, yes)
    console.table(rows)
    for line in lacks:
        print(line)


def over(c, source, yes):
    """Restore a checked backup over what the running toolbox has; return what `beside` does."""
    revisions = check_versions(source)
    states = {name: stores.does(name, "state") for name in stores.STORES}
    if database.has_remains(database.databases()):
        settle()
        states = {name: stores.does(name, "state") for name in stores.STORES}
    if not source.manifest["rows"]["datasets"] and "datasets" in database.databases():
        print(f"The backup has no tables of the database datasets, which has {len(database.rows('datasets'))} now.")
    if has_data(states) and not yes:
        raise Failure(
            f"{stack.settings(c)['name']} has data, and nothing was changed: add --yes to replace its databases, its "
            "artifacts and the home of its notebook."
        )
    check_room(source.manifest, states)
    for name, state in states.items():
        # Without a database beside, no restore has left it.
        if state["has_remains"]:
            stores.does(name, "forget")
    compared = replace(c, source, revisions)
    stack.bring_up(c)
    settle()
    return compared


# --- What is checked before anything is touched ---


def check_versions(source):
    """Return the revisions of MLflow's tables that the server knows, the present one first.

    Raises Failure when the backup was made by a newer MLflow or Postgres.
    """
    manifest = source.manifest
    version, revisions = backup.mlflow(stores.apart)
    if manifest["schema"] not in revisions:
        raise Failure(
            f"{source.path} was made by MLflow {manifest['mlflow']}, whose tables this server, {version}, lacks: "
            f'set mlflow=={manifest["mlflow"]} in ml-flow-docker/requirements.in, then "./run lock" and "./run up".'
        )
    present = database.version()
    if archive.major(manifest["postgres"]) > archive.major(present):
        raise Failure(
            f"{source.path} was made by Postgres {manifest['postgres']}, newer than this server, {present}: "
            f"set POSTGRES_BASE_IMAGE in .env to Postgres {archive.major(manifest['postgres'])}."
        )
    return revisions


def has_data(states):
    """Return whether there is anything that a new toolbox does not have, apart from settings in hidden files.

    `states` is the state of each store, as volume.state returns it.
    """
    names = database.databases()
    if not set(archive.DATABASES) <= names:
        return True
    used = [name for name, count in database.rows("mlflow").items() if count and name not in new_tables()]
    return bool(used or database.rows("datasets") or any(state["has_files"] for state in states.values()))


def new_tables():
    """Return the names of the tables that have a row in a new database of MLflow."""
    return {f"public.{name}" for name in FILLED}


def check_room(manifest, states):
    """Raise Failure when a disk has too little room for what a backup unpacks to; volumes may share one."""
    device, space = database.place()
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
    return tables + min(tables, LOG_ROOM) + database.RESERVE


def store_room(manifest, name):
    """Return how many bytes the files of a store need while they are restored."""
    member = manifest["members"][f"{name}.tar.zst"]
    return member["unpacked"] + BLOCK * member["files"]


# --- The restore ---


def replace(c, source, revisions):
    """Restore a checked backup beside what is there, and put it in its place; the writers are stopped then.

    Returns what `beside` does. If anything goes wrong, all is as it was.
    """
    stopped = False
    try:
        with database.reserve():
            compared = beside(source, revisions)
        stopped = True
        stop_writers(c)
        for name in stores.STORES:
            stores.does(name, "swap")
            # Who has started them meanwhile, by Compose alone. From the first swap on they wait until all is in place.
            stop_writers(c)
        database.swap()
    except BaseException:
        undo()
        if stopped:
            compose(c, "up", "--detach", "--wait")
        raise
    return compared


def stop_writers(c):
    """Stop the services that write. Raises Failure when that does not succeed."""
    if not compose(c, "stop", *WRITERS):
        raise Failure("Docker could not stop MLflow and the notebook: its own message is above.")


def undo():
    """Put everything back. If even that fails, the first cause is what to tell, and "invoke up" will do it."""
    end = time.monotonic() + stack.DATABASE_SECONDS
    while time.monotonic() < end:
        try:
            return settle()
        except Failure:
            # A Postgres whose disk was full has ended, and comes back.
            time.sleep(stack.PAUSE_SECONDS)


def beside(source, revisions):
    """Restore a checked backup beside what is there.

    Return the rows of a table that compares it with the manifest, and lines that say what is not restored.

    Raises Failure when anything is not as the manifest says, and Postgres has not said why.
    """
    manifest = source.manifest
    rows, lacks = [("RESTORED", "IN THE BACKUP", "NOW")], []
    for name in archive.DATABASES:
        member = f"{name}.dump.zst"
        size = manifest["members"][member]["unpacked"]
        passed_over = database.restore(name, console.counted(member, source.chunks(member), size))
        said, found = manifest["rows"][name], database.rows(database.RESTORED.format(name))
        rows.append((name, *map(in_tables, (said, found))))
        if found != said and not database.may_lack(name, passed_over):
            raise Failure(different(rows))
        if words := database.lacking(said, found, passed_over):
            lacks.append(f"What is not restored of the database {name}: {words}.")
    migrate(manifest["schema"], revisions)
    database.analyze()
    for name in archive.STORES:
        member = f"{name}.tar.zst"
        chunks = console.counted(member, source.chunks(member), manifest["members"][member]["unpacked"])
        found = stores.does(name, "unpack", chunks)
        rows.append((name, in_files(*source.files[member]), in_files(*found)))
        if found != source.files[member]:
            raise Failure(different(rows))
    return rows, lacks


def migrate(schema, revisions):
    """Bring the restored tables of MLflow from a revision to the server's present one, the first of `revisions`.

    Raises Failure when that does not succeed.
    """
    if schema == revisions[0]:
        return
    uri = SERVER.format(database.RESTORED.format("mlflow"))
    what = (
        "the tables of the backup cannot be brought to this version of MLflow: restore it with the version that made it"
    )
    process.output(stores.apart("artifacts", "mlflow", "db", "upgrade", uri), what, [])
    if database.schema(database.RESTORED.format("mlflow")) != revisions[0]:
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


def settle():
    """End a restore that was broken off: forward if it had replaced the databases, else back; delete what it left.

    The artifacts are put in order last: as long as they are not, mlflow does not start, and the notebook waits for it.
    """
    done = database.is_swapped(database.databases())
    for name in reversed(stores.STORES):
        stores.does(name, "forget" if done else "back")
    database.drop_remains()


def settle_remains(c):
    """Do that where it is needed, before the services start; postgres runs, if it can."""
    names = quietly(c, database.psql("postgres"), stdin=database.NAMES).stdout.split()
    if database.has_remains(names):
        print("A restore was broken off: putting in order what it left.")
        compose(c, "stop", *WRITERS)
        settle()
