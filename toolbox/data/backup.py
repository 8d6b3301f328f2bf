"""What `invoke backup` and `invoke backups` do."""

import contextlib
import os
import shutil
import signal
import time
from datetime import datetime, timezone
from pathlib import Path

from rich.filesize import decimal as human_size

from .. import console, health
from ..errors import Failure
from ..process import ROOT
from . import archive, postgres, volumes

# Less than what a backup needs at the very least: zstd makes models and pictures hardly smaller, but text.
LEAST_PART = 10

# Prints the version of MLflow and every revision that its tables can have, the present one first. Run from here,
# because an older image does not have it.
MLFLOW = (ROOT / "ml-flow-docker" / "revisions.py").read_text()


# --- An end whatever happens ---


@contextlib.contextmanager
def tidy():
    """Have the block cleaned up behind also when the process is told to end, or its terminal is closed."""

    def end(number, _):
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# --- Backup ---


def folder(toolbox):
    """Return where backups are kept: those of a toolbox with a name apart, so that no other one's are deleted."""
    return toolbox.root / "backups" / toolbox.name


def make(toolbox, to):
    """Write a backup to the file `to`, or one in the folder when that is empty; print what it has and lacks.

    Raises Failure when the toolbox is not healthy, or the file cannot be written.
    """
    begin = time.monotonic()
    check_healthy(toolbox)
    project, now = toolbox.project, datetime.now(timezone.utc)
    path = Path(os.path.expanduser(to)).absolute() if to else default_path(toolbox, project, now)
    with tidy():
        if not to:
            make_folder(toolbox)
        check_folder(path)
        measured = {name: volumes.measured(toolbox, name) for name in volumes.STORES}
        check_room(path.parent, measured)
        lacks, left_out = {}, {}
        with archive.written(path) as writer:
            description = {
                "project": project,
                "date": f"{now:%Y-%m-%dT%H:%M:%SZ}",
                "mlflow": mlflow(toolbox, volumes.running)[0],
                "schema": postgres.schema(toolbox),
                "postgres": postgres.version(toolbox),
                "rows": {},
            }
            # The databases first: whatever file a row points at is in the volume by then.
            for name in archive.DATABASES:
                member = f"{name}.dump.zst"
                with dumped(toolbox, name) as (rows, unread, chunks):
                    writer.add(member, console.counted(member, chunks))
                description["rows"][name], lacks[name] = proven(toolbox, name, writer.chunks(member), rows, unread)
            for name in archive.STORES:
                contents, member = {}, f"{name}.tar.zst"
                writer.add(
                    member, console.counted(member, volumes.pack(toolbox, name, contents), measured[name]["bytes"])
                )
                left_out[name] = contents.pop("left_out")
                writer.members[member] |= contents
            writer.finish(description)
    for name, words in lacks.items():
        if words:
            print(f"What a restore would lack of the database {name}: {words}.")
    for name, reasons in left_out.items():
        tell_left_out(name, reasons)
    print(f"{path}  {human_size(path.stat().st_size)}  {time.monotonic() - begin:.0f} s")


@contextlib.contextmanager
def dumped(toolbox, name):
    """Give what postgres.dumped does; if `datasets` cannot be dumped, an empty dump of it with the reason.

    Whatever users have there, MLflow's data must still be backed up. Raises Failure if those cannot be dumped.
    """
    with contextlib.ExitStack() as opened:
        try:
            found = opened.enter_context(postgres.dumped(toolbox, name))
        except Failure as failure:
            if name != "datasets":
                raise
            why = postgres.Unread(None, failure.message.removeprefix("FAIL: "))
            found = {}, {"all of it": why}, postgres.nothing(toolbox)
        yield found


def proven(toolbox, name, chunks, rows, unread):
    """Try whether the dump of a database in a backup can be restored with all of its `rows`, which were counted.

    `chunks` are those of the dump, `unread` are the tables that it lacks, as postgres.snapshot gives them. Return the
    rows that a restore will have, and in words what it will lack. The rows of MLflow's own tables obey rules that
    Postgres itself has seen to: of them the tables alone are tried, which takes a second instead of minutes.
    Raises Failure when a table of MLflow's cannot be read.
    """
    lacks = [f"{table} ({archive.printable(why.reason)})" for table, why in unread.items()]
    if name != "datasets":
        if lacks:
            raise Failure(
                f"{lacks[0]} in the database {name} cannot be read: try again when whatever changes it has ended."
            )
        _, passed_over = postgres.tried(toolbox, name, chunks, "--schema-only")
        return rows, postgres.lacking(rows, rows, passed_over)
    (_, free), size = postgres.place(toolbox), postgres.size(toolbox, name)
    # Its tables and as much of the log, and both once more: it is no disk to fill while people work.
    needed = 4 * size + postgres.RESERVE
    if needed > free:
        lacks.append(f"what is not known, as a trial needs {human_size(needed)}, and {human_size(free)} are free")
        return with_empty(rows, unread), postgres.lacking(rows, rows, lacks)
    try:
        found, passed_over = postgres.tried(toolbox, name, chunks)
    except Failure as failure:
        lacks.append(f"what is not known, as a trial failed ({failure.message.removeprefix('FAIL: ')})")
        return with_empty(rows, unread), postgres.lacking(rows, rows, lacks)
    return found, postgres.lacking(rows, found, [*lacks, *passed_over])


def with_empty(rows, unread):
    """Return the numbers of rows with those of the tables that are in a dump without any."""
    return rows | {table: 0 for table, why in unread.items() if why.code not in (None, postgres.IS_LOCKED)}


def check_healthy(toolbox):
    """Raise Failure unless all services are healthy."""
    service = health.first_unhealthy(toolbox.containers())
    if service:
        raise Failure(f'{service} is not running, or not healthy: start the toolbox with "invoke up".')


def default_path(toolbox, project, now):
    """Return where a backup is put that is made at the time `now` (UTC)."""
    return folder(toolbox) / f"{project}-{now:%Y%m%dT%H%M%SZ}{archive.SUFFIX}"


def make_folder(toolbox):
    """Make the folder, for its owner alone, and delete what killed backups left in it: nobody else writes now."""
    try:
        folder(toolbox).mkdir(mode=0o700, parents=True, exist_ok=True)
        for part in folder(toolbox).glob(f"*{archive.SUFFIX}.part"):
            part.unlink()
    except OSError as error:
        raise Failure(
            f"{folder(toolbox)} cannot be used ({error.strerror}): mend it, or give a file with --to."
        ) from None


def check_folder(path):
    """Raise Failure unless a file can be made at `path`, and is not there."""
    if path.exists():
        raise Failure(f"{path} exists already: give another name, or delete it.")
    if not path.parent.is_dir():
        raise Failure(f"the folder {path.parent} does not exist: make it, or give another place with --to.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise Failure(f"the folder {path.parent} cannot be written to: give another place with --to.")


def check_room(place, measured):
    """Raise Failure when a folder has so little room that the files of the stores do not fit in, however packed.

    `measured` is, by store, what volume.measure says of it.
    """
    free, size = shutil.disk_usage(place).free, sum(found["bytes"] for found in measured.values())
    if free < size / LEAST_PART:
        (largest, name), store = max((found["largest"], store) for store, found in measured.items())
        raise Failure(
            f"{place} has {human_size(free)} free, too little for {human_size(size)} of files, even packed; the "
            f"largest is {archive.printable(name)} in {store}, {human_size(largest)}: make room, or give another place "
            "with --to."
        )


def mlflow(toolbox, where):
    """Return the server's version of MLflow and all revisions of its tables that it knows, the present one first.

    It is asked in the container that runs or in a new one: `where` is volumes.running or volumes.apart.
    """
    command = where("artifacts", "python", "-c", MLFLOW)
    what = 'the version of MLflow cannot be asked: build it with "invoke up"'
    version, *revisions = toolbox.output(command, what).split()
    return version, revisions


def tell_left_out(name, reasons):
    """Say which files of a store are not in the backup, and why: `reasons` is a volume.LeftOut."""
    for reason, (count, paths) in reasons.items():
        more = [f"and {count - len(paths)} more"] if count > len(paths) else []
        print(f"Left out of {name}, because {reason}: {', '.join([*map(archive.printable, paths), *more])}")


# --- Those that there are ---


def kept(toolbox):
    """Return the backups in the folder, the newest first, as (manifest, path). What is not whole is passed over."""
    found = []
    for path in folder(toolbox).glob(f"*{archive.SUFFIX}"):
        with contextlib.suppress(Failure), archive.Archive(path) as backup:
            found.append((backup.manifest, path))
    return sorted(found, key=lambda entry: (entry[0]["date"], entry[1].name), reverse=True)


def number(text):
    """Return what was given to --keep as a number. Raises Failure when it is none, or less than 1."""
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise Failure(f"--keep {text} keeps no backup: give a whole number from 1.")
    return int(text)


def prune(toolbox, count):
    """Delete the backups in the folder but the newest `count`; return the paths that were deleted."""
    paths = [path for _, path in kept(toolbox)[count:]]
    for path in paths:
        path.unlink()
    return paths


def show(toolbox, keep):
    """Print a table of the backups, or how to make one; `keep`, if it is not empty, is how many are not deleted before.

    Raises Failure when that is no number.
    """
    if keep:
        for path in prune(toolbox, number(keep)):
            print(f"Deleted {path.name}")
    backups = kept(toolbox)
    if not backups:
        toolbox.say('There is no backup yet: "invoke backup" makes one.')
        return
    rows = [("DATE (UTC)", "SIZE", "MLFLOW", "FILE")]
    for manifest, path in backups:
        date = manifest["date"].replace("T", " ").rstrip("Z")
        rows.append((date, human_size(path.stat().st_size), manifest["mlflow"], str(path.relative_to(toolbox.root))))
    console.table(rows)
