"""The tasks `backup` and `backups`."""

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

# The highest compression ratio to expect: that of text; models and images hardly get smaller.
MAX_RATIO = 10

# Prints the version of MLflow and all revisions of its tables, the newest first. Passed to the container, as an older
# image does not contain it.
REVISIONS = (ROOT / "ml-flow-docker" / "revisions.py").read_text()


# --- Signals ---


@contextlib.contextmanager
def exit_on_signals():
    """Turn SIGTERM and SIGHUP into SystemExit during the block, so that its cleanup runs."""

    def leave(number, _):
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# --- Backup ---


def folder(toolbox):
    """Return the directory of the backups; a named toolbox has its own, so that others' are not deleted."""
    return toolbox.root / "backups" / toolbox.name


def make(toolbox, to):
    """Write a backup to the file `to`, by default in the directory of backups; print what it lacks, path and size.

    Raises Failure if the toolbox is not healthy, or the file cannot be written.
    """
    begin = time.monotonic()
    check_healthy(toolbox)
    project, now = toolbox.project, datetime.now(timezone.utc)
    path = Path(os.path.expanduser(to)).absolute() if to else default_path(toolbox, project, now)
    with exit_on_signals():
        if not to:
            make_folder(toolbox)
        check_folder(path)
        measured = {name: volumes.measure(toolbox, name) for name in volumes.STORES}
        check_space(path.parent, measured)
        missing, left_out = {}, {}
        with archive.create(path) as writer:
            description = {
                "project": project,
                "date": f"{now:%Y-%m-%dT%H:%M:%SZ}",
                "mlflow": mlflow_revisions(toolbox, volumes.exec_command)[0],
                "schema": postgres.schema(toolbox),
                "postgres": postgres.version(toolbox),
                "rows": {},
            }
            # The databases first, as a file is stored before the row that refers to it.
            for name in archive.DATABASES:
                member = f"{name}.dump.zst"
                with dumped(toolbox, name) as (rows, unread, chunks):
                    writer.add(member, console.counted(member, chunks))
                description["rows"][name], missing[name] = verify(toolbox, name, writer.chunks(member), rows, unread)
            for name in archive.STORES:
                contents, member = {}, f"{name}.tar.zst"
                writer.add(
                    member, console.counted(member, volumes.pack(toolbox, name, contents), measured[name]["bytes"])
                )
                left_out[name] = contents.pop("left_out")
                writer.members[member] |= contents
            writer.finish(description)
    for name, text in missing.items():
        if text:
            print(f"A restore would lack, in the database {name}: {text}.")
    for name, reasons in left_out.items():
        print_left_out(name, reasons)
    print(f"{path}  {human_size(path.stat().st_size)}  {time.monotonic() - begin:.0f} s")


@contextlib.contextmanager
def dumped(toolbox, name):
    """Yield what postgres.dumped yields; if `datasets` cannot be dumped, an empty dump with the reason.

    Nothing that users do in `datasets` may prevent a backup of MLflow's data. Raises Failure if that cannot be dumped.
    """
    with contextlib.ExitStack() as opened:
        try:
            result = opened.enter_context(postgres.dumped(toolbox, name))
        except Failure as failure:
            if name != "datasets":
                raise
            why = postgres.Unread(None, failure.message.removeprefix("FAIL: "))
            result = {}, {"all of it": why}, postgres.empty_dump(toolbox)
        yield result


def verify(toolbox, name, chunks, rows, unread):
    """Restore a database's dump, the bytes that `chunks` yields, into a temporary database.

    `rows` and `unread` are as postgres.snapshot yields them. Return the number of rows of each table after a restore,
    and a text of what it will lack. For MLflow's tables only the schema is restored, which takes a second instead of
    minutes: Postgres has already enforced the constraints on their rows.
    Raises Failure if one of MLflow's tables cannot be read.
    """
    missing = [f"{table} ({archive.printable(why.reason)})" for table, why in unread.items()]
    if name != "datasets":
        if missing:
            raise Failure(
                f"{missing[0]} in the database {name} cannot be read: try again when nothing else changes that table."
            )
        _, errors = postgres.try_restore(toolbox, name, chunks, "--schema-only")
        return rows, postgres.missing(rows, rows, errors)
    (_, free), size = postgres.disk(toolbox), postgres.size(toolbox, name)
    # Tables and as much log, twice, as people go on working on this disk.
    needed = 4 * size + postgres.RESERVE
    if needed > free:
        missing.append(f"unknown, as verifying needs {human_size(needed)}, and {human_size(free)} are free")
        return with_empty(rows, unread), postgres.missing(rows, rows, missing)
    try:
        found, errors = postgres.try_restore(toolbox, name, chunks)
    except Failure as failure:
        missing.append(f"unknown, as verifying failed ({failure.message.removeprefix('FAIL: ')})")
        return with_empty(rows, unread), postgres.missing(rows, rows, missing)
    return found, postgres.missing(rows, found, [*missing, *errors])


def with_empty(rows, unread):
    """Return the numbers of rows by table, with 0 for the tables that are in a dump without their rows."""
    return rows | {table: 0 for table, why in unread.items() if why.code not in (None, postgres.LOCK_NOT_AVAILABLE)}


def check_healthy(toolbox):
    """Raise Failure unless all services are healthy."""
    service = health.first_unhealthy(toolbox.containers())
    if service:
        raise Failure(f'{service} is not running, or not healthy: start the toolbox with "invoke up".')


def default_path(toolbox, project, now):
    """Return the default path of a backup made at the time `now` (UTC)."""
    return folder(toolbox) / f"{project}-{now:%Y%m%dT%H%M%SZ}{archive.SUFFIX}"


def make_folder(toolbox):
    """Create the directory of backups, only for its owner; delete partial files of killed backups in it."""
    try:
        folder(toolbox).mkdir(mode=0o700, parents=True, exist_ok=True)
        for part in folder(toolbox).glob(f"*{archive.SUFFIX}.part"):
            part.unlink()
    except OSError as error:
        raise Failure(
            f"{folder(toolbox)} cannot be used ({error.strerror}): correct that, or give a file with --to."
        ) from None


def check_folder(path):
    """Raise Failure unless a new file can be created at `path`."""
    if path.exists():
        raise Failure(f"{path} already exists: give another name, or delete it.")
    if not path.parent.is_dir():
        raise Failure(f"the folder {path.parent} does not exist: make it, or give another place with --to.")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise Failure(f"the folder {path.parent} cannot be written to: give another place with --to.")


def check_space(place, measured):
    """Raise Failure if the files of the stores cannot fit into the directory `place`, even compressed.

    `measured` is the result of volume_files.measure, by store.
    """
    free, size = shutil.disk_usage(place).free, sum(found["bytes"] for found in measured.values())
    if free < size / MAX_RATIO:
        (largest, name), store = max((found["largest"], store) for store, found in measured.items())
        raise Failure(
            f"{place} has {human_size(free)} free, too little for {human_size(size)} of files, even compressed; the "
            f"largest is {archive.printable(name)} in {store}, {human_size(largest)}: make room, or give another place "
            "with --to."
        )


def mlflow_revisions(toolbox, command_for):
    """Return the server's version of MLflow and a list of all revisions of its tables, the newest first.

    `command_for` is volumes.exec_command or volumes.run_command: in the running container, or in a new one.
    """
    command = command_for("artifacts", "python", "-c", REVISIONS)
    what = 'cannot determine the version of MLflow: build its image with "invoke up"'
    version, *revisions = toolbox.output(command, what).split()
    return version, revisions


def print_left_out(name, reasons):
    """Print which files of a store are not in the backup, and why; `reasons` is a volume_files.LeftOut."""
    for reason, (count, paths) in reasons.items():
        more = [f"and {count - len(paths)} more"] if count > len(paths) else []
        print(f"Left out of {name}, because {reason}: {', '.join([*map(archive.printable, paths), *more])}")


# --- Existing backups ---


def existing(toolbox):
    """Return the complete backups in the directory, the newest first, as (manifest, path)."""
    found = []
    for path in folder(toolbox).glob(f"*{archive.SUFFIX}"):
        with contextlib.suppress(Failure), archive.Archive(path) as backup:
            found.append((backup.manifest, path))
    return sorted(found, key=lambda entry: (entry[0]["date"], entry[1].name), reverse=True)


def parse_keep(text):
    """Return the value of --keep as a number. Raises Failure if it is not a whole number from 1."""
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise Failure(f"--keep {text} is not valid: give a whole number from 1.")
    return int(text)


def prune(toolbox, count):
    """Delete all backups in the directory except the newest `count`; return the deleted paths."""
    paths = [path for _, path in existing(toolbox)[count:]]
    for path in paths:
        path.unlink()
    return paths


def show(toolbox, keep):
    """Print a table of the backups; if `keep` is not empty, first delete all but the newest `keep`.

    Raises Failure if `keep` is not a number.
    """
    if keep:
        for path in prune(toolbox, parse_keep(keep)):
            print(f"Deleted {path.name}")
    backups = existing(toolbox)
    if not backups:
        toolbox.say('No backups yet: "invoke backup" makes one.')
        return
    rows = [("DATE (UTC)", "SIZE", "MLFLOW", "FILE")]
    for manifest, path in backups:
        date = manifest["date"].replace("T", " ").rstrip("Z")
        rows.append((date, human_size(path.stat().st_size), manifest["mlflow"], str(path.relative_to(toolbox.root))))
    console.table(rows)
