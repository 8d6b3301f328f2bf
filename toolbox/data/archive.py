"""The format of a backup: one zip file, whose members are compressed with zstd and whose last member describes them.

Zip, because it can be written in one go with members of unknown size, each can be read without the others, the table of
contents at its end shows whether the file is whole, and every system can open one. The members are stored: zstd packs
tighter than zip's own method, at several times the speed. They are

    mlflow.dump.zst, datasets.dump.zst    the databases, in pg_dump's custom format
    artifacts.tar.zst, home.tar.zst       the files of the volumes artifact-store and file-store
    manifest.json                         what there is to know about the others; see `described`

Writing and reading take a fixed amount of memory, whatever the size.
"""

import contextlib
import hashlib
import json
import os
import re
import struct
import tarfile
import zipfile

try:
    from compression import zstd
except ImportError:
    # Python before 3.14.
    from backports import zstd

from ..dotenv import sync_folder
from ..errors import Failure
from ..inside import volume_files

FORMAT = 1
SUFFIX = ".zip"
MANIFEST = "manifest.json"
DATABASES = ("mlflow", "datasets")
STORES = ("artifacts", "home")
MEMBERS = (*(f"{name}.dump.zst" for name in DATABASES), *(f"{name}.tar.zst" for name in STORES))
CHUNK = 1 << 20
# In bytes; one of 10,000 tables has less than a tenth of it.
LONGEST_MANIFEST = 16 << 20
# How pg_dump's custom format begins.
DUMP_MAGIC = b"PGDMP"
# zstd's own default; a second thread does not help, because reading is what takes the time.
LEVEL = 3
# What zipfile and zstd raise on bytes that are not what they should be.
BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    struct.error,
    ValueError,
    EOFError,
    LookupError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
)


# --- Write ---


@contextlib.contextmanager
def written(path):
    """Give a Writer for a backup at `path`, which is there once the block is done; before, and if it fails, it is not.

    Raises Failure when `path` exists, its folder does not or cannot be written, or the disk is full.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        if path.exists():
            raise Failure(f"{path} exists already: give another name, or delete it.")
        part.unlink(missing_ok=True)
        # Readable by its owner alone: the tables and the notebooks of everyone are in it.
        with open(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as zipped:
                yield Writer(zipped)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
        sync_folder(path.parent)
    except OSError as error:
        raise Failure(f"{path} cannot be written ({error.strerror}): give another place with --to.") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


class Writer:
    """Writes the members of a backup, and remembers what the manifest has to say about each."""

    def __init__(self, zipped):
        self.zipped = zipped
        self.members = {}

    def add(self, name, chunks):
        """Add a member with the bytes that `chunks` yields, compressed."""
        unpacked = 0
        with self.zipped.open(name, "w", force_zip64=True) as member:
            hashed = Hashed(member)
            with zstd.ZstdFile(hashed, "w", options={zstd.CompressionParameter.compression_level: LEVEL}) as packed:
                for chunk in chunks:
                    unpacked += len(chunk)
                    packed.write(chunk)
        self.members[name] = {"size": hashed.size, "sha256": hashed.sha256.hexdigest(), "unpacked": unpacked}

    def chunks(self, name):
        """Yield a member that was added, decompressed."""
        yield from Limited(self.zipped.open(name), self.members[name]["unpacked"]).chunks()

    def finish(self, description):
        """Add the manifest: `description`, which has what `described` asks for but the format and the members."""
        manifest = {"format": FORMAT, **description, "members": self.members}
        self.zipped.writestr(MANIFEST, json.dumps(manifest, indent=1))


class Hashed:
    """Counts the bytes that pass to or from a file, and makes their SHA-256; `watch` is called with the count."""

    def __init__(self, file, watch=lambda size: None):
        self.file = file
        self.watch = watch
        self.sha256 = hashlib.sha256()
        self.size = 0

    def seen(self, data):
        """Count `data`, and return it."""
        self.sha256.update(data)
        self.size += len(data)
        self.watch(self.size)
        return data

    def write(self, data):
        """Write `data`; return how many bytes that were."""
        self.seen(data)
        return self.file.write(data)

    def read(self, size=-1):
        """Return up to `size` bytes."""
        return self.seen(self.file.read(size))


# --- Read ---


class DamageError(ValueError):
    """What is in the archive is not what its manifest says."""


class Limited:
    """A compressed member, read decompressed; raises DamageError as soon as more comes out than its manifest says."""

    def __init__(self, member, limit):
        self.packed = zstd.ZstdFile(member, "r")
        self.left = limit

    def read(self, size):
        """Return up to `size` bytes, fewer than that at the end alone."""
        parts = []
        while size and (data := self.packed.read(min(size, CHUNK))):
            self.left -= len(data)
            if self.left < 0:
                raise DamageError("unpacks to more than the manifest says")
            parts.append(data)
            size -= len(data)
        return b"".join(parts)

    def chunks(self):
        """Yield all that is left of it."""
        while data := self.read(CHUNK):
            yield data


class Archive:
    """A backup that is open for reading. `manifest` is checked for its form; `check` reads all the rest.

    `files` is then, for each tar, the number of its files, their bytes, and a checksum of them; see
    volume_files.Contents.
    """

    def __init__(self, path):
        """Open the backup at `path`. Raises Failure when it cannot be read, or is not a whole backup of this format."""
        self.path = path
        self.files = {}
        try:
            self.file = path.open("rb")
        except OSError as error:
            raise Failure(f"{path} cannot be read ({error.strerror}): give the path of a backup.") from None
        try:
            self.manifest = self._opened()
        except BaseException:
            self.file.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def _opened(self):
        try:
            begins = self.file.read(4)
            self.zipped = zipfile.ZipFile(self.file)
            names = sorted(self.zipped.namelist())
            stored = all(
                entry.compress_type == zipfile.ZIP_STORED and entry.compress_size == entry.file_size
                for entry in self.zipped.infolist()
            )
            if MANIFEST not in names:
                raise Failure(f'{self.path} is a zip file but no backup: give one that "invoke backup" made.')
            if not stored or self.zipped.getinfo(MANIFEST).file_size > LONGEST_MANIFEST:
                raise DamageError(f"{MANIFEST} is too long, or a member is compressed")
            manifest = json.loads(self.zipped.read(MANIFEST).decode())
        except OSError as error:
            raise Failure(f"{self.path} cannot be read ({error.strerror}): look at the disk that it is on.") from None
        except BROKEN as error:
            if begins == b"PK\3\4":
                raise self.damage("it is cut off, or was changed") from error
            raise Failure(f'{self.path} is no backup: give a file that "invoke backup" made.') from error
        if isinstance(manifest, dict) and isinstance(number := manifest.get("format"), int) and number > FORMAT:
            raise Failure(
                f"{self.path} has format {number}, newer than this toolbox, which reads {FORMAT}: update the toolbox."
            )
        if missing := sorted({*MEMBERS, MANIFEST} - set(names)):
            raise self.damage(f"{', '.join(missing)} is missing")
        if names != sorted((*MEMBERS, MANIFEST)):
            raise self.damage("it has members that no backup has")
        if not described(manifest):
            raise self.damage(f"{MANIFEST} does not say what it should")
        return manifest

    def damage(self, reason):
        """Return the Failure that says that the archive is not as it was made."""
        return Failure(f"{self.path} is damaged ({reason}): take another backup, or copy it here again.")

    def contents(self, name):
        """Return a member to be read decompressed, which breaks off where the manifest says that it ends."""
        return Limited(self.zipped.open(name), self.manifest["members"][name]["unpacked"])

    def chunks(self, name):
        """Yield a member decompressed, as `check` has found it. Raises Failure where it is not that any more."""
        with self._told(name), self._opened_member(name) as content:
            yield from content.chunks()

    def check(self, progress=lambda name, size: None):
        """Read all of it. Raises Failure where something is not as the manifest says, or must not be unpacked.

        `progress` is called with the name of a member and how many bytes of it have been read.
        """
        for name in MEMBERS:
            with self._told(name), self._opened_member(name, progress) as content:
                self._check(name, content)

    @contextlib.contextmanager
    def _told(self, name):
        """Have what goes wrong in the block, with a member, told in one line."""
        try:
            yield
        except OSError as error:
            raise Failure(f"{self.path} cannot be read ({error}): look at the disk that it is on.") from None
        except (*BROKEN, zstd.ZstdError) as error:
            raise self.damage(f"{name}: {printable(error)}") from error

    @contextlib.contextmanager
    def _opened_member(self, name, progress=lambda name, size: None):
        """Give a member to be read decompressed; what the block leaves of it is read too, and all of it is compared."""
        said = self.manifest["members"][name]
        if self.zipped.getinfo(name).file_size != said["size"]:
            raise DamageError("has another size than the manifest says")
        hashed = Hashed(self.zipped.open(name), lambda size: progress(name, size))
        content = Limited(hashed, said["unpacked"])
        yield content
        for _ in content.chunks():
            pass
        if content.left:
            raise DamageError("unpacks to less than the manifest says")
        if hashed.size != said["size"] or hashed.sha256.hexdigest() != said["sha256"]:
            raise DamageError("is not what the manifest says")

    def _check(self, name, content):
        said = self.manifest["members"][name]
        if name.endswith(".tar.zst"):
            self.files[name] = volume_files.in_tar(content)
            if self.files[name][:2] != [said["files"], said["bytes"]]:
                raise DamageError("has other files than the manifest says")
        elif content.read(len(DUMP_MAGIC)) != DUMP_MAGIC:
            raise DamageError("is no dump of a database")


def printable(text):
    """Return `text`, which may come from an archive that someone forged, as one line that a terminal can show."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in str(text)[:200]).split())


def described(manifest):
    """Return whether a manifest has the form that it should: a dictionary with

    format      1
    project     the name of the project that was backed up
    date        when the databases were read, such as 2026-11-23T16:03:00Z
    mlflow      the version of MLflow, of the server
    schema      the revision of MLflow's tables (alembic's)
    postgres    the version of Postgres
    rows        by database, the number of rows of each table
    members     by name: `size` and `sha256` as stored, `unpacked` size; of a tar also the number of `files`, and their
                `bytes`
    """

    def is_count(value):
        return type(value) is int and value >= 0

    def is_word(value):
        return isinstance(value, str) and re.fullmatch(r"[\w.+: -]{1,100}", value, flags=re.ASCII) is not None

    def is_member(name, member):
        numbers = ["size", "unpacked", *(["files", "bytes"] if name.endswith(".tar.zst") else [])]
        return (
            isinstance(member, dict)
            and set(member) == {"sha256", *numbers}
            and is_word(member["sha256"])
            and all(is_count(member[number]) for number in numbers)
        )

    words = ("project", "date", "mlflow", "schema", "postgres")
    return (
        isinstance(manifest, dict)
        and set(manifest) == {"format", *words, "rows", "members"}
        and is_count(manifest["format"])
        and all(is_word(manifest[word]) for word in words)
        and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", manifest["date"]) is not None
        and major(manifest["postgres"]) is not None
        and isinstance(manifest["rows"], dict)
        and set(manifest["rows"]) == set(DATABASES)
        and all(isinstance(tables, dict) for tables in manifest["rows"].values())
        and all(is_count(count) for tables in manifest["rows"].values() for count in tables.values())
        and isinstance(manifest["members"], dict)
        and set(manifest["members"]) == set(MEMBERS)
        and all(is_member(name, member) for name, member in manifest["members"].items())
    )


def major(version):
    """Return the first number of a version, or None when it does not begin with one."""
    number = re.match(r"\d{1,4}", version)
    return int(number[0]) if number else None
