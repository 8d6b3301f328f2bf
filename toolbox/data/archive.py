"""The format of a backup: a zip file of members compressed with zstd; the last one is a manifest.

A zip file can be written as a stream with members of unknown size, each member can be read without the others, the
directory at its end shows that the file is complete, and every system can open it. Its members are stored, as zstd
compresses better than zip's own method and several times faster. They are

    mlflow.dump.zst, datasets.dump.zst    the databases, in pg_dump's custom format
    artifacts.tar.zst, home.tar.zst       the files of the volumes artifact-store and file-store
    manifest.json                         versions, numbers of rows, sizes, checksums; see `is_valid_manifest`

Memory use does not depend on the size. A tar with a manifest was considered instead. Existing backups must stay
readable, so the reader, about 200 of these 350 lines, would stay, and a second one would be added.
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
# In bytes; the manifest of 10,000 tables has less than a tenth of it.
MAX_MANIFEST = 16 << 20
# The first bytes of pg_dump's custom format.
DUMP_MAGIC = b"PGDMP"
# zstd's default; a second thread does not help, as reading takes most of the time.
LEVEL = 3
# What zipfile, tarfile and zstd raise for invalid data.
INVALID_DATA = (
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
def create(path):
    """Yield a Writer for a backup at `path`, which appears only when the block has succeeded.

    Raises Failure if `path` exists, its directory does not exist or cannot be written, or the disk is full.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        if path.exists():
            raise Failure(f"{path} already exists: give another name, or delete it.")
        part.unlink(missing_ok=True)
        # Only for its owner: it contains everyone's tables and notebooks.
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
    """Writes the members of a backup; `members` are their entries for the manifest, by name."""

    def __init__(self, zipped):
        self.zipped = zipped
        self.members = {}

    def add(self, name, chunks):
        """Add a member: the bytes that `chunks` yields, compressed."""
        unpacked = 0
        with self.zipped.open(name, "w", force_zip64=True) as member:
            hashed = Hashed(member)
            with zstd.ZstdFile(hashed, "w", options={zstd.CompressionParameter.compression_level: LEVEL}) as packed:
                for chunk in chunks:
                    unpacked += len(chunk)
                    packed.write(chunk)
        self.members[name] = {"size": hashed.size, "sha256": hashed.sha256.hexdigest(), "unpacked": unpacked}

    def chunks(self, name):
        """Yield the decompressed bytes of a member that was added."""
        yield from Limited(self.zipped.open(name), self.members[name]["unpacked"]).chunks()

    def finish(self, description):
        """Add the manifest: `description`, see `is_valid_manifest`, with the format and the members."""
        manifest = {"format": FORMAT, **description, "members": self.members}
        self.zipped.writestr(MANIFEST, json.dumps(manifest, indent=1))


class Hashed:
    """Counts and hashes (SHA-256) the bytes written to or read from a file; calls `progress` with their number."""

    def __init__(self, file, progress=lambda size: None):
        self.file = file
        self.progress = progress
        self.sha256 = hashlib.sha256()
        self.size = 0

    def count(self, data):
        """Count and hash `data`; return it."""
        self.sha256.update(data)
        self.size += len(data)
        self.progress(self.size)
        return data

    def write(self, data):
        """Write `data`; return the number of bytes."""
        self.count(data)
        return self.file.write(data)

    def read(self, size=-1):
        """Return up to `size` bytes."""
        return self.count(self.file.read(size))


# --- Read ---


class DamageError(ValueError):
    """The content of an archive does not match its manifest."""


class Limited:
    """Decompresses a member; raises DamageError as soon as it yields more bytes than the manifest says."""

    def __init__(self, member, limit):
        self.packed = zstd.ZstdFile(member, "r")
        self.left = limit

    def read(self, size):
        """Return `size` bytes, or fewer at the end."""
        parts = []
        while size and (data := self.packed.read(min(size, CHUNK))):
            self.left -= len(data)
            if self.left < 0:
                raise DamageError("it unpacks to more than the manifest says")
            parts.append(data)
            size -= len(data)
        return b"".join(parts)

    def chunks(self):
        """Yield the rest of the bytes."""
        while data := self.read(CHUNK):
            yield data


class Archive:
    """A backup that is open for reading, with a valid `manifest`.

    `check` verifies the members; `files` is then, for each tar, the result of volume_files.Contents.
    """

    def __init__(self, path):
        """Open the backup at `path`. Raises Failure if it cannot be read, or is not a complete backup."""
        self.path = path
        self.files = {}
        try:
            self.file = path.open("rb")
        except OSError as error:
            raise Failure(f"{path} cannot be read ({error.strerror}): give the path of a backup.") from None
        try:
            self.manifest = self._read_manifest()
        except BaseException:
            self.file.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def _read_manifest(self):
        try:
            magic = self.file.read(4)
            self.zipped = zipfile.ZipFile(self.file)
            names = sorted(self.zipped.namelist())
            stored = all(
                entry.compress_type == zipfile.ZIP_STORED and entry.compress_size == entry.file_size
                for entry in self.zipped.infolist()
            )
            if MANIFEST not in names:
                raise Failure(f'{self.path} is a zip file, but not a backup: give a file that "invoke backup" made.')
            if not stored or self.zipped.getinfo(MANIFEST).file_size > MAX_MANIFEST:
                raise DamageError(f"{MANIFEST} is too large, or a member is compressed by zip")
            manifest = json.loads(self.zipped.read(MANIFEST).decode())
        except OSError as error:
            raise Failure(f"{self.path} cannot be read ({error.strerror}): check the disk that it is on.") from None
        except INVALID_DATA as error:
            if magic == b"PK\3\4":
                raise self.damage("it is truncated, or was changed") from error
            raise Failure(f'{self.path} is not a backup: give a file that "invoke backup" made.') from error
        if isinstance(manifest, dict) and isinstance(number := manifest.get("format"), int) and number > FORMAT:
            raise Failure(
                f"{self.path} has format {number}, newer than this toolbox, which reads {FORMAT}: update the toolbox."
            )
        if missing := sorted({*MEMBERS, MANIFEST} - set(names)):
            raise self.damage(f"{', '.join(missing)} is missing")
        if names != sorted((*MEMBERS, MANIFEST)):
            raise self.damage("it has unexpected members")
        if not is_valid_manifest(manifest):
            raise self.damage(f"{MANIFEST} is not valid")
        return manifest

    def damage(self, reason):
        """Return the Failure for a damaged archive."""
        return Failure(f"{self.path} is damaged ({reason}): take another backup, or copy it here again.")

    def contents(self, name):
        """Return a Limited that decompresses a member."""
        return Limited(self.zipped.open(name), self.manifest["members"][name]["unpacked"])

    def chunks(self, name):
        """Yield the decompressed bytes of a member. Raises Failure if it does not match the manifest."""
        with self._errors_as_failures(name), self._open_member(name) as content:
            yield from content.chunks()

    def check(self, progress=lambda name, size: None):
        """Read all members. Raises Failure if one does not match the manifest, or must not be unpacked.

        `progress` is called with the name of a member and the number of its bytes that have been read.
        """
        for name in MEMBERS:
            with self._errors_as_failures(name), self._open_member(name, progress) as content:
                self._check(name, content)

    @contextlib.contextmanager
    def _errors_as_failures(self, name):
        """Turn exceptions of the block, which reads a member, into Failures."""
        try:
            yield
        except OSError as error:
            raise Failure(f"{self.path} cannot be read ({error}): check the disk that it is on.") from None
        except (*INVALID_DATA, zstd.ZstdError) as error:
            raise self.damage(f"{name}: {printable(error)}") from error

    @contextlib.contextmanager
    def _open_member(self, name, progress=lambda name, size: None):
        """Yield a Limited for a member; read what the block leaves of it, and compare all of it with the manifest."""
        entry = self.manifest["members"][name]
        if self.zipped.getinfo(name).file_size != entry["size"]:
            raise DamageError("its size differs from the manifest")
        hashed = Hashed(self.zipped.open(name), lambda size: progress(name, size))
        content = Limited(hashed, entry["unpacked"])
        yield content
        for _ in content.chunks():
            pass
        if content.left:
            raise DamageError("it unpacks to less than the manifest says")
        if hashed.size != entry["size"] or hashed.sha256.hexdigest() != entry["sha256"]:
            raise DamageError("its checksum differs from the manifest")

    def _check(self, name, content):
        entry = self.manifest["members"][name]
        if name.endswith(".tar.zst"):
            self.files[name] = volume_files.in_tar(content)
            if self.files[name][:2] != [entry["files"], entry["bytes"]]:
                raise DamageError("its files differ from the manifest")
        elif content.read(len(DUMP_MAGIC)) != DUMP_MAGIC:
            raise DamageError("it is not a database dump")


def printable(text):
    """Return `text`, which may come from a forged archive, as one line that is safe to print on a terminal."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in str(text)[:200]).split())


def is_valid_manifest(manifest):
    """Return whether a manifest is valid: a dictionary with

    format      1
    project     the name of the Compose project
    date        when the databases were read, such as 2026-11-23T16:03:00Z
    mlflow      the version of the MLflow server
    schema      the Alembic revision of MLflow's tables
    postgres    the version of Postgres
    rows        the number of rows of each table, by database
    members     by name: `size` in bytes and `sha256` as stored, `unpacked` size; for a tar also the number of `files`
                and their `bytes`
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
    """Return the first number of a version, or None if it does not begin with one."""
    number = re.match(r"\d{1,4}", version)
    return int(number[0]) if number else None
