"""What `invoke upgrade` does for another major version of Postgres, which cannot read the files of the one before.

The databases are dumped with the Postgres that wrote them and restored into a new volume. Until all of it is there and
compared, .env names the old volume, and nothing changes that: whatever goes wrong or is broken off, it is what counts.
"""

import contextlib
import re
import tempfile
from pathlib import Path

from .. import compose, console, health, images, services
from ..errors import Failure
from . import archive, backup, postgres, restore

VERSIONS = 'cat "$PGDATA/PG_VERSION" 2>/dev/null; postgres --version'
# What every server has besides the databases of the toolbox.
COMMON = {"postgres", "template0", "template1"}


def take_over(toolbox, old_base):
    """Take the databases over into a new volume, if the present one is of an older major version than the image.

    `old_base` is the base image that can read it; when empty, it is the present base image with the other number.
    Raises Failure, with the present volume as it was, when that cannot be done.
    """
    toolbox.own_containers()
    images.build(toolbox)
    volume = toolbox.config["volumes"]["db-store"]["name"]
    if not toolbox.has("volume", volume):
        return
    present, wanted = versions(toolbox)
    if present in (None, wanted):
        return
    if present > wanted:
        raise Failure(
            f"{volume} has a database of Postgres {present}, newer than Postgres {wanted}, which cannot take it over: "
            f"set POSTGRES_BASE_IMAGE in .env to Postgres {present} or later."
        )
    old_base = old_base or older(compose.base_image(toolbox.config, "postgres"), present)
    get_base(toolbox, old_base)
    store = free_name(wanted, toolbox.volumes(), toolbox.project)
    with backup.tidy(), room(toolbox) as folder:
        toolbox.compose("stop")
        try:
            rows, others = dump(toolbox.having(POSTGRES_BASE_IMAGE=old_base), folder)
            compared, lacks = refill(toolbox.having(DB_STORE=store), folder, rows)
        except BaseException:
            toolbox.compose("rm", "--stop", "--force", "postgres")
            toolbox.run("docker", "volume", "rm", f"{toolbox.project}_{store}")
            raise
        toolbox.set(DB_STORE=store)
    console.table(compared)
    for line in lacks:
        print(line)
    if others:
        print(f"Not taken over, because the toolbox did not make them: the databases {', '.join(sorted(others))}.")
    print(f'The old volume stays as it was. When all is well, delete it with "docker volume rm {volume}".')


# --- What there is ---


def versions(toolbox):
    """Return the major versions of Postgres of the volume and of the image; that of an empty volume is None."""
    command = ("docker", "compose", "run", "--rm", "--no-deps", "--no-TTY", "--entrypoint", "sh", "postgres")
    said = toolbox.run(*command, "-c", VERSIONS).stdout
    numbers = re.fullmatch(r"(?:(\d+)\n)?postgres \(PostgreSQL\) (\d+).*\n", said)
    if not numbers:
        raise Failure('the version of the database cannot be asked: see what "docker compose run postgres" says.')
    return numbers[1] and int(numbers[1]), int(numbers[2])


def older(image, version):
    """Return the name of a base image with another major version at the beginning of its tag.

    Raises Failure when it does not show its version there.
    """
    name, _, tag = image.rpartition(":")
    if "/" in tag or "@" in image or not re.match(r"\d", tag):
        raise Failure(f"{image} does not show its version: give --old-base, an image of Postgres {version}.")
    return f"{name}:{re.sub(r'^[0-9.]+', str(version), tag)}"


def get_base(toolbox, image):
    """Have the base image there that can read the old volume. Raises Failure when it cannot be had."""
    if toolbox.has("image", image):
        return
    if image == images.OLD_POSTGRES.image:
        if not toolbox.show("bare-machine/build-bases", images.OLD_POSTGRES.name):
            raise Failure(f"{image} could not be built: the message of the build is above.")
        return
    pulled, answer = images.puller(toolbox)(image)
    if not pulled:
        reason = images.explained("postgres", image, answer).rpartition(": ")[0]
        raise Failure(f"{reason}, and it has to read the old volume: give another one with --old-base.")


def free_name(version, taken, project):
    """Return a name for the new volume, without the project's, that none of the volumes `taken` has."""
    name = first = f"db-store-{version}"
    number = 1
    while f"{project}_{name}" in taken:
        number += 1
        name = f"{first}-{number}"
    return name


# --- The way over ---


@contextlib.contextmanager
def room(toolbox):
    """Give the path of a folder for the dumps, which is gone afterwards. Raises Failure when the disk is full."""
    backup.make_folder(toolbox)
    try:
        with tempfile.TemporaryDirectory(dir=backup.folder(toolbox), prefix="upgrade-") as folder:
            yield Path(folder)
    except OSError as error:
        raise Failure(f"{backup.folder(toolbox)} cannot be written ({error.strerror}): make room there.") from error


def begin(toolbox):
    """Build and start postgres alone, with the settings of the moment. Raises Failure when it does not answer."""
    if not toolbox.compose("build", "postgres"):
        raise Failure("the image of postgres could not be built: the message of the build is above.")
    services.start_database(toolbox)
    if not health.is_healthy(toolbox.containers().get("postgres")):
        toolbox.compose("logs", "--no-log-prefix", "--tail", str(services.LOG_LINES), "postgres")
        image = compose.base_image(toolbox.config, "postgres")
        raise Failure(f"postgres of {image} does not answer: the end of its log is above.")


def dump(toolbox, folder):
    """Write a dump of each database into `folder`; return its rows by table, and the names of other dataimages."""
    begin(toolbox)
    rows = {}
    for name in archive.DATABASES:
        with (
            postgres.snapshot(toolbox, name) as (snapshot, counts, _),
            archive.zstd.open(folder / name, "wb") as packed,
        ):
            for chunk in console.counted(f"dumping {name}", postgres.dump(toolbox, name, snapshot)):
                packed.write(chunk)
        rows[name] = counts
    others = postgres.databases(toolbox) - COMMON - set(archive.DATABASES)
    # In peace, so that the volume is left as a whole.
    toolbox.compose("stop", "postgres")
    return rows, others


def refill(toolbox, folder, rows):
    """Make the new volume and fill it with the dumps.

    Return the rows of a table that compares it with what was there, and lines that say what is not taken over.
    Raises Failure when the numbers of rows are not the same.
    """
    begin(toolbox)
    table, lacks = [("TAKEN OVER", "BEFORE", "NOW")], []
    for name in archive.DATABASES:
        with archive.zstd.open(folder / name) as packed:
            chunks = iter(lambda packed=packed: packed.read(archive.CHUNK), b"")
            passed_over = postgres.restore(toolbox, name, console.counted(f"restoring {name}", chunks))
        found = postgres.rows(toolbox, postgres.RESTORED.format(name))
        table.append((name, restore.in_tables(rows[name]), restore.in_tables(found)))
        if found != rows[name] and not postgres.may_lack(name, passed_over):
            raise Failure(f"{name} has {table[-1][2]} where there were {table[-1][1]}: nothing was changed.")
        if words := postgres.lacking(rows[name], found, passed_over):
            lacks.append(f"What is not taken over of the database {name}: {words}.")
    postgres.analyze(toolbox)
    postgres.swap(toolbox)
    postgres.drop_remains(toolbox)
    return table, lacks
