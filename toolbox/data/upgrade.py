"""The part of the task `upgrade` that migrates to another major version of Postgres.

A major version cannot read the files of another one, so the databases are dumped with the old Postgres and restored
into a new volume. .env names the old volume until everything is restored and compared, so a failed or interrupted
upgrade changes nothing.
"""

import contextlib
import re
import tempfile
from pathlib import Path

from .. import compose, console, health, images, services
from ..errors import Failure
from . import archive, backup, postgres, restore

VERSIONS = 'cat "$PGDATA/PG_VERSION" 2>/dev/null; postgres --version'
# The databases of every server.
SYSTEM_DATABASES = {"postgres", "template0", "template1"}


def migrate_databases(toolbox, old_base):
    """Migrate the databases to a new volume if the current one has an older major version than the image.

    `old_base` is the base image that can read it; if empty, the current base image with the other version number.
    Raises Failure, and leaves the current volume unchanged, if that fails.
    """
    toolbox.own_containers()
    images.build(toolbox)
    volume = toolbox.config["volumes"]["db-store"]["name"]
    if not toolbox.has("volume", volume):
        return
    current, wanted = versions(toolbox)
    if current in (None, wanted):
        return
    if current > wanted:
        raise Failure(
            f"{volume} has a database of Postgres {current}, newer than Postgres {wanted}, which cannot read it: "
            f"set POSTGRES_BASE_IMAGE in .env to Postgres {current} or later."
        )
    old_base = old_base or older(compose.base_image(toolbox.config, "postgres"), current)
    ensure_base(toolbox, old_base)
    store = unused_name(wanted, toolbox.volumes(), toolbox.project)
    with backup.exit_on_signals(), dump_folder(toolbox) as folder:
        toolbox.compose("stop")
        try:
            rows, others = dump(toolbox.with_settings(POSTGRES_BASE_IMAGE=old_base), folder)
            compared, incomplete = fill(toolbox.with_settings(DB_STORE=store), folder, rows)
        except BaseException:
            toolbox.compose("rm", "--stop", "--force", "postgres")
            toolbox.run("docker", "volume", "rm", f"{toolbox.project}_{store}")
            raise
        toolbox.set(DB_STORE=store)
    console.table(compared)
    for line in incomplete:
        print(line)
    if others:
        print(f"Not migrated, because the toolbox did not create them: the databases {', '.join(sorted(others))}.")
    print(f'The old volume is unchanged. When everything works, delete it with "docker volume rm {volume}".')


# --- Versions and names ---


def versions(toolbox):
    """Return the major versions of Postgres of the volume (None if it is empty) and of the image."""
    command = ("docker", "compose", "run", "--rm", "--no-deps", "--no-TTY", "--entrypoint", "sh", "postgres")
    printed = toolbox.run(*command, "-c", VERSIONS).stdout
    numbers = re.fullmatch(r"(?:(\d+)\n)?postgres \(PostgreSQL\) (\d+).*\n", printed)
    if not numbers:
        raise Failure('cannot determine the version of the database: see what "docker compose run postgres" prints.')
    return numbers[1] and int(numbers[1]), int(numbers[2])


def older(image, version):
    """Return the name of a base image with another major version in its tag.

    Raises Failure if its tag does not begin with a version.
    """
    name, _, tag = image.rpartition(":")
    if "/" in tag or "@" in image or not re.match(r"\d", tag):
        raise Failure(f"{image} has no version in its tag: give --old-base, an image of Postgres {version}.")
    return f"{name}:{re.sub(r'^[0-9.]+', str(version), tag)}"


def ensure_base(toolbox, image):
    """Build or pull the base image that can read the old volume, if necessary. Raises Failure if that fails."""
    if toolbox.has("image", image):
        return
    if image == images.OLD_POSTGRES.image:
        if not toolbox.show("bare-machine/build-bases", images.OLD_POSTGRES.name):
            raise Failure(f"{image} could not be built: the message of the build is above.")
        return
    pulled, answer = images.puller(toolbox)(image)
    if not pulled:
        reason = images.explain("postgres", image, answer).rpartition(": ")[0]
        raise Failure(f"{reason}, and it is needed to read the old volume: give another one with --old-base.")


def unused_name(version, taken, project):
    """Return a name for the new volume, without the project's prefix, that is not among the volumes `taken`."""
    name = first = f"db-store-{version}"
    number = 1
    while f"{project}_{name}" in taken:
        number += 1
        name = f"{first}-{number}"
    return name


# --- Migration ---


@contextlib.contextmanager
def dump_folder(toolbox):
    """Yield the path of a temporary directory for the dumps. Raises Failure if the disk is full."""
    backup.make_folder(toolbox)
    try:
        with tempfile.TemporaryDirectory(dir=backup.folder(toolbox), prefix="upgrade-") as folder:
            yield Path(folder)
    except OSError as error:
        raise Failure(f"{backup.folder(toolbox)} cannot be written ({error.strerror}): make room there.") from error


def start_postgres(toolbox):
    """Build and start only postgres, with the toolbox's settings. Raises Failure if it does not become healthy."""
    if not toolbox.compose("build", "postgres"):
        raise Failure("the image of postgres could not be built: the message of the build is above.")
    services.start_database(toolbox)
    if not health.is_healthy(toolbox.containers().get("postgres")):
        toolbox.compose("logs", "--no-log-prefix", "--tail", str(services.LOG_LINES), "postgres")
        image = compose.base_image(toolbox.config, "postgres")
        raise Failure(f"postgres of {image} does not answer: the end of its log is above.")


def dump(toolbox, folder):
    """Dump each database into `folder`; return their numbers of rows by table, and the names of other databases."""
    start_postgres(toolbox)
    rows = {}
    for name in archive.DATABASES:
        with (
            postgres.snapshot(toolbox, name) as (snapshot, counts, _),
            archive.zstd.open(folder / name, "wb") as packed,
        ):
            for chunk in console.counted(f"dumping {name}", postgres.dump(toolbox, name, snapshot)):
                packed.write(chunk)
        rows[name] = counts
    others = postgres.databases(toolbox) - SYSTEM_DATABASES - set(archive.DATABASES)
    # A clean shutdown, so that the old volume stays usable.
    toolbox.compose("stop", "postgres")
    return rows, others


def fill(toolbox, folder, rows):
    """Create the new volume and restore the dumps into it.

    Return the rows of a table that compares old and new databases, and lines that name what was not migrated.
    Raises Failure if the numbers of rows differ.
    """
    start_postgres(toolbox)
    table, incomplete = [("MIGRATED", "BEFORE", "NOW")], []
    for name in archive.DATABASES:
        with archive.zstd.open(folder / name) as packed:
            chunks = iter(lambda packed=packed: packed.read(archive.CHUNK), b"")
            errors = postgres.restore(toolbox, name, console.counted(f"restoring {name}", chunks))
        found = postgres.rows(toolbox, postgres.RESTORED.format(name))
        table.append((name, restore.count_tables(rows[name]), restore.count_tables(found)))
        if found != rows[name] and not postgres.may_lack_rows(name, errors):
            raise Failure(f"{name} has {table[-1][2]}, but had {table[-1][1]}: nothing was changed.")
        if missing := postgres.missing(rows[name], found, errors):
            incomplete.append(f"Not migrated in the database {name}: {missing}.")
    postgres.analyze(toolbox)
    postgres.swap(toolbox)
    postgres.drop_remains(toolbox)
    return table, incomplete
