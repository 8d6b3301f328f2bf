"""toolbox/data/archive.py: what a backup writes can be read; damaged and forged archives are refused."""

import errno
import hashlib
import io
import json
import os
import resource
import tarfile
import zipfile

import pytest

from tests.support.layers import error_line
from toolbox.data import archive
from toolbox.data.archive import zstd
from toolbox.errors import Failure
from toolbox.inside import volume_files

DESCRIPTION = {
    "project": "box",
    "date": "2026-11-23T16:03:00Z",
    "mlflow": "3.17.2",
    "schema": "dc11669786a5",
    "postgres": "17.6",
    "rows": {"mlflow": {"public.runs": 2}, "datasets": {}},
}
DUMP = b"PGDMP\x01\x10" + bytes(1000)


def tar(*members):
    """Return a tar of members: (name, content), a directory if content is None; or headers."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as written:
        for member in members:
            header, content = member if isinstance(member, tuple) else (member, None)
            if isinstance(header, str):
                header = tarfile.TarInfo(header)
                header.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
                header.size = len(content or b"")
            written.addfile(header, io.BytesIO(content or b""))
    return buffer.getvalue()


def header(name, kind, target=""):
    """Return the header of a member that is not a file."""
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made


GOOD = {
    "mlflow.dump.zst": DUMP,
    "datasets.dump.zst": DUMP,
    "artifacts.tar.zst": tar(("1", None), ("1/model.pkl", b"weights" * 99)),
    "home.tar.zst": tar(("é.ipynb", b"{}"), header("link", tarfile.SYMTYPE, "é.ipynb")),
}
COUNTS = {"artifacts.tar.zst": (1, 693), "home.tar.zst": (1, 2)}


def forged(path, contents=None, packed=None, drop=(), extra=None, entries=None, change=lambda manifest: None):
    """Write an archive with a matching manifest, and return its path.

    `contents` replaces members, `packed` their compressed bytes, `entries` parts of their entries in the manifest;
    `drop` names members to leave out, `extra` adds others, and `change` changes the manifest.
    """
    manifest = {"format": 1, **json.loads(json.dumps(DESCRIPTION)), "members": {}}
    with zipfile.ZipFile(path, "w") as written:
        for name, content in (GOOD | (contents or {})).items():
            stored = (packed or {}).get(name, zstd.compress(content))
            entry = {"size": len(stored), "sha256": hashlib.sha256(stored).hexdigest(), "unpacked": len(content)}
            if name in COUNTS:
                entry |= dict(zip(("files", "bytes"), COUNTS[name], strict=True))
            manifest["members"][name] = entry | (entries or {}).get(name, {})
            if name not in drop:
                written.writestr(name, stored)
        change(manifest)
        for name, content in (extra or {}).items():
            written.writestr(name, content)
        if archive.MANIFEST not in drop:
            written.writestr(archive.MANIFEST, json.dumps(manifest))
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "box.zip"


def refusal(path):
    """Return the error message with which an archive is refused."""
    with pytest.raises(Failure) as raised, archive.Archive(path) as opened:
        opened.check()
    return error_line(raised)


def write(path):
    """Write an archive like a backup does."""
    with archive.create(path) as writer:
        for name, content in GOOD.items():
            writer.add(name, [content[:10], content[10:]])
            if name in COUNTS:
                writer.members[name] |= dict(zip(("files", "bytes"), COUNTS[name], strict=True))
        writer.finish(DESCRIPTION)


# --- What a backup writes ---


def test_a_written_archive_is_read_back(path):
    write(path)
    with archive.Archive(path) as opened:
        opened.check()
        assert {name: b"".join(opened.contents(name).chunks()) for name in archive.MEMBERS} == GOOD
        assert {name: opened.manifest[name] for name in DESCRIPTION} == DESCRIPTION


def test_the_manifest_is_the_last_member(path):
    write(path)
    assert zipfile.ZipFile(path).namelist() == [*archive.MEMBERS, "manifest.json"]


def test_an_archive_is_a_valid_zip_file(path):
    write(path)
    assert zipfile.ZipFile(path).testzip() is None


def test_an_archive_is_readable_only_by_its_owner(path):
    before = os.umask(0)
    try:
        write(path)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_archive_has_its_final_name_only_when_it_is_complete(path):
    with archive.create(path) as writer:
        assert [file.name for file in path.parent.iterdir()] == ["box.zip.part"]
        writer.finish(DESCRIPTION)
    assert [file.name for file in path.parent.iterdir()] == ["box.zip"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, Failure("no"), OSError(errno.ENOSPC, "No space")])
def test_a_failed_backup_leaves_no_file(path, error):
    def chunks():
        yield b"some"
        raise error

    with pytest.raises((KeyboardInterrupt, SystemExit, Failure)), archive.create(path) as writer:
        writer.add("mlflow.dump.zst", chunks())
    assert list(path.parent.iterdir()) == []


def test_a_full_disk_is_reported_in_one_line(path):
    with pytest.raises(Failure) as raised, archive.create(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert "No space left on device" in error_line(raised)


def test_a_new_backup_overwrites_the_partial_file_of_a_killed_one(path):
    path.with_name("box.zip.part").write_bytes(b"half")
    write(path)
    with archive.Archive(path) as opened:
        opened.check()


def test_writing_an_archive_never_overwrites_an_existing_file(path):
    path.write_bytes(b"mine")
    with pytest.raises(Failure) as raised:
        write(path)
    assert "already exists" in error_line(raised)
    assert path.read_bytes() == b"mine"


def test_memory_does_not_grow_with_the_size_of_an_archive(path):
    size, piece = 256 << 20, os.urandom(1 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with archive.create(path) as writer:
        writer.add("mlflow.dump.zst", (piece for _ in range(size >> 20)))
        writer.finish(DESCRIPTION)
    # In kB; macOS returns bytes.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64_000


# --- Damaged and forged archives ---


def test_the_helper_for_forged_archives_can_write_a_valid_one(path):
    with archive.Archive(forged(path)) as opened:
        opened.check()


@pytest.mark.parametrize("content", [b"", b"no archive", bytes(100_000)], ids=["empty", "text", "zeros"])
def test_a_file_that_is_not_an_archive_is_refused(path, content):
    path.write_bytes(content)
    assert "is not a backup" in refusal(path)


def test_another_zip_file_is_refused(path):
    with zipfile.ZipFile(path, "w") as other:
        other.writestr("a.txt", "text")
    assert "not a backup" in refusal(path)


@pytest.mark.parametrize("place", ["missing", "a directory"])
def test_a_path_that_cannot_be_read_is_refused(path, place):
    if place == "a directory":
        path.mkdir()
    assert "cannot be read" in refusal(path)


def test_a_truncated_archive_is_refused(path):
    whole = forged(path).read_bytes()
    for length in {1, 4, 100, len(whole) // 2, len(whole) - 1000, len(whole) - 22, len(whole) - 1}:
        path.write_bytes(whole[:length])
        refusal(path)
    path.write_bytes(whole[: len(whole) // 2])
    assert "truncated" in refusal(path)


def test_a_flipped_bit_is_refused_or_changes_nothing_that_is_read(path):
    """For example, a bit of the date of a member changes nothing."""
    whole = forged(path).read_bytes()
    manifest = archive.Archive(path).manifest
    refused = 0
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :])
        try:
            with archive.Archive(path) as opened:
                opened.check()
                read = {name: b"".join(opened.contents(name).chunks()) for name in archive.MEMBERS}
                assert (read, opened.manifest) == (GOOD, manifest)
        except Failure:
            refused += 1
    assert refused > len(whole) * 0.7


@pytest.mark.parametrize("number", [2, 99])
def test_a_newer_format_is_refused_whatever_it_contains(path, number):
    forged(path, change=lambda manifest: manifest.update(format=number, more={}), extra={"more.zst": b""})
    assert f"format {number}, newer than this toolbox" in refusal(path)


@pytest.mark.parametrize("name", archive.MEMBERS)
def test_a_missing_member_is_named(path, name):
    assert f"{name} is missing" in refusal(forged(path, drop=[name]))


@pytest.mark.parametrize("name", ["extra.sql", "../evil", "/etc/passwd", "mlflow.dump"])
def test_an_unexpected_member_is_refused(path, name):
    assert "unexpected members" in refusal(forged(path, extra={name: b"x"}))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", [archive.MANIFEST, "home.tar.zst"])
def test_a_duplicate_member_is_refused(path, name):
    assert "damaged" in refusal(forged(path, extra={name: b"{}"}))


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.pop("rows"),
        lambda manifest: manifest.update(format="1"),
        lambda manifest: manifest.update(format=True),
        lambda manifest: manifest.update(mlflow="\x1b[2J"),
        lambda manifest: manifest.update(date="yesterday"),
        lambda manifest: manifest.update(postgres="new"),
        lambda manifest: manifest["rows"]["mlflow"].update(runs=-1),
        lambda manifest: manifest["rows"].update(postgres={}),
        lambda manifest: manifest["members"].pop("home.tar.zst"),
        lambda manifest: manifest["members"]["home.tar.zst"].pop("files"),
        lambda manifest: manifest["members"]["home.tar.zst"].update(size=-1),
    ],
)
def test_an_invalid_manifest_is_refused(path, change):
    assert "manifest.json is not valid" in refusal(forged(path, change=change))


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 100_000], ids=repr)
def test_a_manifest_that_is_not_a_json_object_is_refused(path, content):
    forged(path, drop=[archive.MANIFEST], extra={archive.MANIFEST: content})
    assert "damaged" in refusal(path)


@pytest.mark.parametrize("name", archive.MEMBERS)
@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"size": 3}, "size differs"),
        ({"sha256": "0" * 64}, "checksum differs"),
        ({"unpacked": 100}, "unpacks to more"),
        ({"unpacked": 1 << 40}, "unpacks to less"),
    ],
    ids=["size", "sha256", "less", "more"],
)
def test_a_member_that_does_not_match_the_manifest_is_refused(path, name, entry, reason):
    line = refusal(forged(path, entries={name: entry}))
    assert name in line
    assert reason in line


@pytest.mark.parametrize("entry", [{"files": 2}, {"bytes": 3}], ids=["files", "bytes"])
def test_files_that_do_not_match_the_manifest_are_refused(path, entry):
    assert "files differ" in refusal(forged(path, entries={"home.tar.zst": entry}))


@pytest.mark.parametrize("name", archive.MEMBERS)
def test_a_member_that_changes_after_the_check_is_refused_when_it_is_read(path, name):
    # Larger than the buffers of a file that is read.
    noise = os.urandom(1 << 20)
    contents = {member: tar(("a", noise)) if "tar" in member else DUMP + noise for member in GOOD}
    entries = {member: {"files": 1, "bytes": len(noise)} for member in COUNTS}
    with archive.Archive(forged(path, contents=contents, entries=entries)) as opened:
        opened.check()
        place = opened.zipped.getinfo(name).header_offset + len(noise) // 2
        with path.open("r+b") as file:
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ 1]))
        with pytest.raises(Failure) as raised:
            list(opened.chunks(name))
    assert f"damaged ({name}: " in error_line(raised)


def test_a_checked_archive_is_read(path):
    with archive.Archive(forged(path)) as opened:
        opened.check()
        assert {name: b"".join(opened.chunks(name)) for name in archive.MEMBERS} == GOOD
        assert opened.files["artifacts.tar.zst"][:2] == [1, 693]


def test_an_uncompressed_member_is_refused(path):
    assert "mlflow.dump.zst: " in refusal(forged(path, packed={"mlflow.dump.zst": DUMP}))


def test_a_member_that_is_not_a_dump_is_refused(path):
    assert "not a database dump" in refusal(forged(path, contents={"mlflow.dump.zst": b"DROP DATABASE mlflow;"}))


def test_a_member_that_is_not_a_tar_is_refused(path):
    assert "home.tar.zst" in refusal(forged(path, contents={"home.tar.zst": b"no tar" * 1000}))


def test_a_decompression_bomb_is_stopped_at_the_size_in_the_manifest(path):
    """4 GB of zeros in 400 kB."""
    bomb = zstd.compress(DUMP) + zstd.compress(bytes(64 << 20)) * 64
    forged(path, packed={"mlflow.dump.zst": bomb})
    with archive.Archive(path) as opened:
        chunks = opened.contents("mlflow.dump.zst").chunks()
        with pytest.raises(archive.DamageError):
            next(chunks)
    assert "unpacks to more" in refusal(path)


def long_name():
    """A tar whose first member is the next one's name, 300 MB long."""
    name = tarfile.TarInfo("././@LongLink")
    name.type, name.size = tarfile.GNUTYPE_LONGNAME, 300 << 20
    return name.tobuf(tarfile.GNU_FORMAT)


def sparse(text, real, stored=0, kind=tarfile.REGTYPE, **more):
    """A tar with a sparse file: `text` is its map, `real` its real size, `stored` the number of bytes that follow."""
    made = tarfile.TarInfo("huge")
    made.type = kind
    made.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(real), **more}
    content = text.ljust(-len(text) // 512 * -512, b"\0") + b"x" * stored
    made.size = len(content)
    return tar((made, content))


def other_sparse(**headers):
    """A tar with an empty file, and the headers of another format of sparse files."""
    made = tarfile.TarInfo("huge")
    made.pax_headers = {f"GNU.sparse.{name}": value for name, value in headers.items()}
    return tar((made, b""))


def old_sparse():
    """A tar with a sparse file in the old format of GNU tar, with an endless map."""
    block = bytearray(header("huge", tarfile.GNUTYPE_SPARSE).tobuf(tarfile.GNU_FORMAT))
    block[482] = 1
    block[148:156] = b"%06o\0 " % (sum(block[:148] + block[156:512]) + 8 * 32)
    more = bytearray(512)
    more[504] = 1
    return bytes(block) + bytes(more) * 100_000


ATTACKS = {
    "absolute": (tar(("/etc/cron.d/evil", b"x")), "not a path below"),
    "dots": (tar(("../evil", b"x")), "not a path below"),
    "dots inside": (tar(("a/../../evil", b"x")), "not a path below"),
    "the staging directory": (tar((f"{volume_files.STAGING}/old/x", b"x")), "in the staging directory"),
    "absolute link": (tar(header("l", tarfile.SYMTYPE, "/etc/passwd")), "leads out"),
    "link up": (tar(header("l", tarfile.SYMTYPE, "../x")), "leads out"),
    "link up from below": (tar(("a", None), header("a/l", tarfile.SYMTYPE, "../../x")), "leads out"),
    "link up after a directory": (tar(header("l", tarfile.SYMTYPE, "a/../../x")), "leads out"),
    "through a link": (
        tar(("a", None), header("l", tarfile.SYMTYPE, "a"), ("l/evil", b"x")),
        "through a symbolic link",
    ),
    "over a link": (tar(header("l", tarfile.SYMTYPE, "a"), ("l", b"x")), "through a symbolic link"),
    "hard link": (tar(("a", b"x"), header("l", tarfile.LNKTYPE, "a")), "neither a file"),
    "hard link out": (tar(header("l", tarfile.LNKTYPE, "../../etc/passwd")), "neither a file"),
    "device": (tar(header("d", tarfile.BLKTYPE)), "neither a file"),
    "character device": (tar(header("d", tarfile.CHRTYPE)), "neither a file"),
    "pipe": (tar(header("p", tarfile.FIFOTYPE)), "neither a file"),
    "long header": (long_name() + bytes(2048), "too long"),
    "sparse file of 4 EB": (sparse(b"0\n", 1 << 62), "inconsistent map"),
    "sparse file below zero": (sparse(b"0\n", -1), "inconsistent map"),
    "sparse file whose size is not a number": (sparse(b"0\n", "1e9"), "invalid literal"),
    "overlapping parts": (sparse(b"2\n0\n10\n5\n10\n", 100, 20), "inconsistent map"),
    "descending parts": (sparse(b"2\n50\n10\n0\n10\n", 100, 20), "inconsistent map"),
    "a part beyond the end": (sparse(b"1\n95\n10\n", 100, 10), "inconsistent map"),
    "a part of negative length": (sparse(b"1\n95\n-10\n", 100), "without a map"),
    "less data than in the map": (sparse(b"1\n0\n10\n", 100, 9), "inconsistent map"),
    "more data than in the map": (sparse(b"1\n0\n10\n", 100, 11), "inconsistent map"),
    "a gigantic map": (sparse(b"99999999999\n" + b"0\n" * 5_000_000, 100), "too many parts"),
    "a truncated map": (sparse(b"99\n", 100), "without a map"),
    "a number without an end": (sparse(b"9" * 9999, 100), "without a map"),
    "no map": (sparse(b"", 100), "without a map"),
    "a map of a directory": (sparse(b"0\n", 100, kind=tarfile.DIRTYPE), "unexpected map"),
    "a sparse file that leads out": (sparse(b"0\n", 100, **{"GNU.sparse.name": "../x"}), "not a path below"),
    "sparse format 0.0": (other_sparse(size="99", numblocks="1"), "neither a file"),
    "sparse format 0.1": (other_sparse(map="0,99", size="99"), "neither a file"),
    "old sparse format": (old_sparse(), "old format"),
    "a size below zero": (other_sparse(realsize="-1"), "neither a file"),
}


@pytest.mark.parametrize("store", ["artifacts.tar.zst", "home.tar.zst"])
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_malicious_tar_is_refused(path, store, attack):
    content, reason = ATTACKS[attack]
    line = refusal(forged(path, contents={store: content}))
    assert store in line
    assert reason in line


def test_control_characters_in_a_file_name_are_not_printed(path):
    line = refusal(forged(path, contents={"home.tar.zst": tar(("../\x1b[2J\nFAIL", b""))}))
    assert line.isprintable()
