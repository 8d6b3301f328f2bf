"""toolbox/inside/volume_files.py: packed files are restored unchanged, and a swap can be rolled back at any point."""

import errno
import io
import json
import os
import subprocess
import sys
import tarfile
import threading

import pytest

from tests.support.layers import ROOT
from toolbox.inside import volume_files


@pytest.fixture
def home(tmp_path):
    """A home with files of every kind."""
    folder = tmp_path / "home"
    (folder / "work" / "empty").mkdir(parents=True)
    (folder / "work" / "é \n\udcff.ipynb").write_text("notebook")
    (folder / "work" / "data.csv").symlink_to("../data.csv")
    (folder / "data.csv").write_bytes(os.urandom(3_000_000))
    (folder / "run").write_text("#!/bin/sh")
    (folder / "run").chmod(0o755)
    (folder / ".ssh").mkdir(mode=0o700)
    (folder / ".ssh" / "key").write_text("secret")
    (folder / ".ssh" / "key").chmod(0o600)
    (folder / "fixed").mkdir()
    (folder / "fixed" / "file").write_text("fixed")
    (folder / "fixed").chmod(0o555)
    (folder / ("long" * 50)).write_text("a long name")
    yield folder
    for path in tmp_path.rglob("fixed"):
        path.chmod(0o755)


def packed(folder, without_caches=False):
    """Return the tar of a directory, and the result of `pack`."""
    out = io.BytesIO()
    contents = volume_files.pack(folder, out, without_caches)
    out.seek(0)
    return out, contents


def names(tar):
    """Return the names of the members of a tar."""
    with tarfile.open(fileobj=tar) as opened:
        return opened.getnames()


def tree(folder):
    """Return everything below a directory, by path: whether it is a symbolic link, its mode, its content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[os.fsencode(path.relative_to(folder))] = (path.is_symlink(), path.lstat().st_mode, content)
    return found


def test_packed_files_are_restored_with_their_modes(home, tmp_path):
    before = tree(home)
    out, contents = packed(home)
    target = tmp_path / "target"
    target.mkdir()
    assert volume_files.unpack(target, out)[:2] == [contents["files"], contents["bytes"]]
    volume_files.swap(target)
    volume_files.discard(target)
    assert tree(target) == before
    assert contents["left_out"] == {}


def test_the_time_of_a_file_is_restored(home, tmp_path):
    os.utime(home / "run", (1e9, 1e9))
    out, _ = packed(home)
    volume_files.unpack(tmp_path, out)
    volume_files.swap(tmp_path)
    assert (tmp_path / "run").stat().st_mtime == 1e9


@pytest.mark.parametrize(
    "cache",
    [".cache/x", ".local/share/Trash/x", ".local/share/jupyter/runtime/x", "a/.ipynb_checkpoints/x", "a/__pycache__/x"],
)
def test_caches_are_left_out_of_the_home_but_not_of_the_artifacts(tmp_path, cache):
    (tmp_path / cache).parent.mkdir(parents=True)
    (tmp_path / cache).write_text("x")
    assert cache not in names(packed(tmp_path, without_caches=True)[0])
    assert cache in names(packed(tmp_path)[0])
    assert volume_files.measure(tmp_path, without_caches=True) == {"bytes": 0, "largest": (0, "")}
    assert volume_files.measure(tmp_path, without_caches=False) == {"bytes": 1, "largest": (1, cache)}


def test_the_staging_directory_of_a_restore_is_not_packed(home):
    volume_files.unpack(home, packed(home)[0])
    assert [name for name in names(packed(home)[0]) if volume_files.STAGING in name] == []


def test_a_directory_mounted_in_the_home_is_neither_packed_nor_measured(home, monkeypatch):
    monkeypatch.setattr(volume_files, "mount_points", lambda: {str(home / "work")})
    before = volume_files.measure(home, without_caches=True)
    (home / "work" / "big").write_bytes(bytes(1000))
    found = names(packed(home)[0])
    assert "work" in found
    assert [name for name in found if name.startswith("work/")] == []
    assert volume_files.measure(home, without_caches=True) == before


def test_mount_points_are_found_whatever_their_names(tmp_path, monkeypatch):
    table = "36 35 98:0 /mnt1 /home/jovyan/my\\040work rw,noatime master:1 - ext3 /dev/root rw\n"
    (tmp_path / "mountinfo").write_text(table)
    monkeypatch.setattr("builtins.open", lambda path, **options: (tmp_path / path.rpartition("/")[2]).open(**options))
    assert volume_files.mount_points() == {"/home/jovyan/my work"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, False),
        ({".bashrc": "x"}, False),
        ({"examples/1.ipynb": "shipped", "examples/.shipped.json": "{}"}, False),
        ({"examples/1.ipynb": "changed"}, True),
        ({"examples/2.ipynb": "shipped"}, True),
        ({"1.ipynb": "shipped"}, True),
        ({"work/data.csv": "x"}, True),
    ],
    ids=str,
)
def test_a_home_has_files_if_the_user_added_or_changed_one(tmp_path, monkeypatch, files, expected):
    home, image = tmp_path / "home", tmp_path / "image"
    there = {image / "examples" / "1.ipynb": "shipped"} | {home / name: text for name, text in files.items()}
    for path, text in there.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    home.mkdir(exist_ok=True)
    monkeypatch.setattr(volume_files, "IMAGE", str(image))
    assert volume_files.state(home)["has_files"] is expected


def test_pipes_and_sockets_are_left_out_without_waiting_for_them(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    out, contents = packed(tmp_path)
    assert names(out) == []
    assert contents == {"files": 0, "bytes": 0, "left_out": {}}


@pytest.mark.parametrize("target", ["/opt/conda/bin/python", "../x", "a/../../x", "."])
def test_a_link_that_a_restore_would_refuse_is_left_out_and_named(tmp_path, target):
    (tmp_path / "link").symlink_to(target)
    out, contents = packed(tmp_path)
    assert contents["left_out"] == {"it leads out of the directory": (1, ["link"])}
    assert list(volume_files.members(out)) == []


def test_files_that_grow_shrink_or_vanish_do_not_break_a_backup(tmp_path):
    """Each changes right after its size was read."""
    for name in ("grows", "shrinks", "vanishes"):
        (tmp_path / name).write_bytes(b"1" * 1000)
    fstat = os.fstat

    def changing(descriptor):
        status = fstat(descriptor)
        path = tmp_path / os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}"))
        if path.name == "grows":
            path.write_bytes(b"1" * 5000)
        if path.name == "shrinks":
            path.write_bytes(b"1" * 10)
        if path.name == "vanishes":
            path.unlink()
        return status

    os.fstat = changing
    try:
        out, contents = packed(tmp_path)
    finally:
        os.fstat = fstat
    with tarfile.open(fileobj=out) as tar:
        found = {name: tar.extractfile(name).read() for name in tar.getnames()}
    assert found == {"grows": b"1" * 1000, "shrinks": b"1" * 10 + bytes(990), "vanishes": b"1" * 1000}
    assert (contents["files"], contents["bytes"]) == (3, 3000)


def test_files_that_are_created_and_deleted_all_the_time_do_not_break_a_backup(tmp_path):
    end = threading.Event()

    def work():
        while not end.is_set():
            for number in range(50):
                (tmp_path / str(number)).write_bytes(os.urandom(number * 1000))
            for number in range(50):
                (tmp_path / str(number)).unlink()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(30):
            assert packed(tmp_path)[1]["left_out"] == {}
    finally:
        end.set()
        thread.join()


# --- Sparse files, and files that cannot be packed ---


def with_holes(path, size, **parts):
    """Write a sparse file of `size` bytes, with data at offsets given as `_OFFSET=BYTES`."""
    with path.open("wb") as file:
        for offset, content in parts.items():
            file.seek(int(offset[1:]))
            file.write(content)
        file.truncate(size)
    assert path.stat().st_blocks * 512 < size - volume_files.MIN_HOLE, "this file system does not support holes"


LAYOUTS = {
    "nothing": {},
    "the beginning": {"_0": b"1" * 5000},
    "the end": {f"_{(1 << 40) - 5}": b"12345"},
    "the middle": {f"_{1 << 30}": os.urandom(3_000_000), f"_{1 << 35}": b"x" * 9999},
    "a small hole": {"_0": b"1", "_20000": b"2"},
}


@pytest.mark.parametrize("parts", LAYOUTS.values(), ids=LAYOUTS)
def test_only_the_data_of_a_sparse_file_are_packed_and_it_is_restored_with_its_holes(tmp_path, parts):
    folder, target = tmp_path / "folder", tmp_path / "target"
    folder.mkdir()
    target.mkdir()
    (folder / "after").write_text("after")
    with_holes(folder / "é.img", 1 << 40, **parts)
    out, contents = packed(folder)
    # The parts, in whole blocks, and the headers.
    assert len(out.getvalue()) < sum(map(len, parts.values())) + 100_000
    assert contents["bytes"] <= volume_files.measure(folder, False)["bytes"] + volume_files.MIN_HOLE
    found = volume_files.in_tar(out)
    assert found[:2] == [2, contents["bytes"]]
    out.seek(0)
    assert volume_files.unpack(target, out) == found
    volume_files.swap(target)
    status = (target / "é.img").stat()
    assert (status.st_size, status.st_blocks * 512 < 4_000_000) == (1 << 40, True)
    with (target / "é.img").open("rb") as file:
        for offset, content in parts.items():
            file.seek(int(offset[1:]))
            assert file.read(len(content)) == content
        file.seek(1 << 34)
        assert file.read(1000) == bytes(1000)
    assert (target / "after").read_text() == "after"


@pytest.mark.parametrize("parts", LAYOUTS.values(), ids=LAYOUTS)
def test_tarfile_and_gnu_tar_can_read_a_packed_sparse_file(tmp_path, parts):
    (tmp_path / "folder").mkdir()
    with_holes(tmp_path / "folder" / "disk.img", 50 << 20, **{k: v for k, v in parts.items() if int(k[1:]) < 1 << 25})
    content = (tmp_path / "folder" / "disk.img").read_bytes()
    out, _ = packed(tmp_path / "folder")
    with tarfile.open(fileobj=out) as tar:
        assert tar.extractfile("disk.img").read() == content
    if sys.platform == "linux":
        subprocess.run(["tar", "-x", "-C", tmp_path], input=out.getvalue(), check=True)
        assert (tmp_path / "disk.img").read_bytes() == content


def test_the_member_after_a_sparse_file_with_more_than_8_gb_of_data_is_found():
    """tarfile's own reader looks for it at the wrong offset."""

    class Sought(io.RawIOBase):
        """A tar whose second member begins after more bytes than a test can read."""

        def __init__(self, first, second, place):
            self.parts, self.place, self.at = (first, second), place, 0

        def tell(self):
            return self.at

        def seek(self, place):
            self.at = place

        def read(self, size):
            part, start = (self.parts[1], self.place) if self.at >= self.place else (self.parts[0], 0)
            data = part[self.at - start :][:size] or bytes(size)
            self.at += len(data)
            return data

    size = 9 << 30
    stored = volume_files.Stored(None, (size + volume_files.MIN_HOLE, [(volume_files.MIN_HOLE, size)]))
    first, second = tarfile.TarInfo("a"), tarfile.TarInfo("b")
    first.size, first.pax_headers = stored.size, volume_files.sparse_headers("a", size + volume_files.MIN_HOLE)
    begin = first.tobuf(tarfile.PAX_FORMAT) + stored.rest
    source = Sought(begin, second.tobuf(tarfile.PAX_FORMAT), len(begin) + size)
    tar = tarfile.TarFile(fileobj=source, tarinfo=volume_files.Header)
    assert [(member.name, member.size) for member in (tar.next(), tar.next())] == [("a", size), ("b", 0)]


@pytest.mark.parametrize("change", ["a byte", "a shorter file", "a longer one"])
def test_a_sparse_file_that_differs_from_the_unpacked_one_is_noticed(tmp_path, change):
    with_holes(tmp_path / "a", 1 << 30, _0=b"1" * 9000, _500000000=b"2" * 9000)
    layout = (1 << 30, [(0, 12288), (499998720, 12288), (1 << 30, 0)])
    before = volume_files.in_folder(tmp_path, {"a": layout})
    with (tmp_path / "a").open("r+b") as file:
        if change == "a byte":
            file.seek(500_000_001)
            file.write(b"x")
        else:
            file.truncate((1 << 30) + (5 if change == "a longer one" else -5))
    assert volume_files.in_folder(tmp_path, {"a": layout})[2] != before[2]


def test_a_file_with_too_many_holes_is_left_out_and_named(tmp_path, monkeypatch):
    monkeypatch.setattr(volume_files, "MAX_PARTS", 3)
    scattered = {f"_{number << 20}": b"x" for number in range(5)}
    with_holes(tmp_path / "scattered", 1 << 30, **scattered)
    out, contents = packed(tmp_path)
    assert names(out) == []
    assert contents["left_out"] == {"it cannot be read (a sparse file with too many holes)": (1, ["scattered"])}
    # Holes that are the smaller part of a file are stored as zeros.
    dense = {f"_{number * 200_000}": b"x" * 100_000 for number in range(5)}
    with_holes(tmp_path / "scattered", 1_000_000, **dense)
    assert packed(tmp_path)[1] == {"files": 1, "bytes": 1_000_000, "left_out": {}}


def test_the_unreadable_rest_of_a_file_is_zeros_and_the_error_is_kept():
    class Failing(io.BytesIO):
        def read(self, size):
            if self.tell():
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().read(size)

    size = 3 * volume_files.CHUNK + 5
    stored = volume_files.Stored(Failing(b"1" * size), (size, [(0, size)]))
    assert stored.read(size) == b"1" * volume_files.CHUNK + bytes(size - volume_files.CHUNK)
    assert stored.error.errno == errno.EIO


@pytest.mark.parametrize(
    ("function", "error", "reason"),
    [
        ("layout_of", errno.EIO, "it cannot be read (Input/output error)"),
        ("layout_of", errno.ESTALE, "it cannot be read (Stale file handle)"),
        ("layout_of", errno.EACCES, "it cannot be read (Permission denied)"),
    ],
)
def test_unreadable_files_are_left_out_and_the_first_five_named(tmp_path, monkeypatch, function, error, reason):
    def fails(*_):
        raise OSError(error, os.strerror(error))

    for number in range(7):
        (tmp_path / f"{number}").write_text("x")
    monkeypatch.setattr(volume_files, function, fails)
    out, contents = packed(tmp_path)
    (count, named) = contents["left_out"][reason]
    assert (names(out), count, len(named)) == ([], 7, 5)


def test_a_path_that_a_restore_could_not_create_is_left_out_and_named(tmp_path):
    """It is longer than Linux allows in one system call."""
    before = os.open(".", os.O_RDONLY)
    try:
        os.chdir(tmp_path)
        for _ in range(20):
            os.mkdir("d" * 250)
            os.chdir("d" * 250)
    finally:
        os.fchdir(before)
        os.close(before)
    (tmp_path / "file").write_text("x")
    text = (ROOT / "toolbox" / "inside" / "volume_files.py").read_text()
    packing = subprocess.run([sys.executable, "-c", text, "pack", tmp_path], capture_output=True, check=True)
    [(reason, (count, _))] = json.loads(packing.stderr)["left_out"].items()
    assert (reason, count > 0) == ("it cannot be read (File name too long)", True)
    found = volume_files.in_tar(io.BytesIO(packing.stdout))
    target = tmp_path / "target"
    target.mkdir()
    for action in ("unpack", "swap", "discard"):
        command = [sys.executable, "-c", text, action, target]
        done = subprocess.run(command, input=packing.stdout, capture_output=True, check=True)
        assert action != "unpack" or json.loads(done.stdout) == found
    assert (target / "file").read_text() == "x"


def test_a_file_that_becomes_a_pipe_or_a_directory_does_not_break_a_backup(tmp_path, monkeypatch):
    for name in ("folder", "pipe"):
        (tmp_path / name).write_text("x")
    lstat = os.lstat

    def replaced(path):
        status = lstat(path)
        os.unlink(path)
        if str(path).endswith("pipe"):
            os.mkfifo(path)
        else:
            os.mkdir(path)
        return status

    with monkeypatch.context() as context:
        context.setattr(os, "lstat", replaced)
        out, contents = packed(tmp_path)
    assert names(out) == []
    assert contents["left_out"] == {"it cannot be read (Is a directory)": (1, ["folder"])}


def test_an_error_of_the_output_is_not_blamed_on_a_file(home):
    class Gone(io.BytesIO):
        def write(self, data):
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    with pytest.raises(BrokenPipeError):
        volume_files.pack(home, Gone(), False)


def test_unpacking_a_truncated_tar_fails(home, tmp_path):
    out, _ = packed(home)
    half = io.BytesIO(out.getvalue()[:1_000_000])
    with pytest.raises(tarfile.TarError):
        volume_files.unpack(tmp_path, half)


def test_unpacked_files_are_read_back_and_equal_the_tar_whatever_their_modes(home, tmp_path):
    out, _ = packed(home)
    expected = volume_files.in_tar(out)
    assert expected == volume_files.in_folder(home)
    for mode in (0o000, 0o111, 0o777):
        target = tmp_path / f"target {mode}"
        target.mkdir()
        with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as tar:
            changed = io.BytesIO()
            with tarfile.open(fileobj=changed, mode="w", format=tarfile.PAX_FORMAT) as other:
                for member in tar:
                    member.mode = mode if member.isreg() else member.mode
                    other.addfile(member, tar.extractfile(member) if member.isreg() else None)
        changed.seek(0)
        assert volume_files.unpack(target, changed) == expected
        # Root could read it anyway, the owner of the volume could not.
        assert (target / volume_files.STAGING / "new" / "run").stat().st_mode & 0o777 == mode | 0o400


def test_contents_do_not_depend_on_the_order_of_the_files():
    one, other = volume_files.Contents(), volume_files.Contents()
    one.add("a", [b"1", b"2"])
    one.add_link("b", "a")
    other.add_link("b", "a")
    other.add("a", [b"12"])
    assert one.result() == other.result()
    assert one.result()[:2] == [1, 2]


@pytest.mark.parametrize(
    "change",
    [
        lambda home: (home / "run").write_text("#!/bin/sH"),
        lambda home: (home / "run").rename(home / "ran"),
        lambda home: (home / "run").unlink(),
        lambda home: (home / "new").touch(),
        lambda home: (home / "work" / "data.csv").unlink(),
        lambda home: ((home / "work" / "data.csv").unlink(), (home / "work" / "data.csv").symlink_to("../run")),
        lambda home: ((home / "run").rename(home / "x"), (home / ".ssh" / "key").rename(home / "run")),
    ],
    ids=["a byte", "a name", "one fewer", "an empty one more", "no link", "another link", "swapped names"],
)
def test_different_contents_have_different_checksums(home, change):
    before = volume_files.in_folder(home)
    change(home)
    assert volume_files.in_folder(home)[2] != before[2]


def test_data_that_the_disk_has_lost_are_noticed(home, tmp_path, monkeypatch):
    out, _ = packed(home)
    expected = volume_files.in_tar(out)
    out.seek(0)

    def sync():
        (path,) = tmp_path.glob("target/*/new/run")
        path.write_bytes(bytes(9))

    (tmp_path / "target").mkdir()
    monkeypatch.setattr(os, "sync", sync)
    found = volume_files.unpack(tmp_path / "target", out)
    assert found[:2] == expected[:2]
    assert found[2] != expected[2]


def test_unpacking_never_overwrites_a_file(tmp_path):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for _ in range(2):
            tar.addfile(tarfile.TarInfo("twice"))
    out.seek(0)
    with pytest.raises(FileExistsError):
        volume_files.unpack(tmp_path, out)


# --- The swap, interrupted at every point ---


class PowerFailureError(Exception):
    pass


@pytest.fixture
def power(monkeypatch):
    """A function that sets how many of the next changes succeed; the ones after that fail."""
    left = [10**9]

    def failing(change):
        def tried(*arguments, **options):
            left[0] -= 1
            if left[0] < 0:
                raise PowerFailureError
            return change(*arguments, **options)

        return tried

    for name in ("rename", "mkdir"):
        monkeypatch.setattr(os, name, failing(getattr(os, name)))

    def lasts(changes):
        left[0] = changes

    return lasts


@pytest.fixture
def prepared(home, tmp_path, power):
    """A directory with files, and others in its staging directory."""
    target = tmp_path / "target"
    (target / "1").mkdir(parents=True)
    (target / "1" / "old").write_text("old")
    # With the same names as new ones.
    (target / "data.csv").write_text("old data")
    (target / "fixed").mkdir(mode=0o555)
    volume_files.unpack(target, packed(home)[0])
    return target


def original(target):
    """Return the tree of a directory without the staging directory, and without write permissions, which may change."""
    return {
        name: (is_link, mode | 0o200, content)
        for name, (is_link, mode, content) in tree(target).items()
        if volume_files.STAGING.encode() not in name
    }


def test_a_swap_interrupted_anywhere_can_be_rolled_back_even_if_that_is_interrupted_too(
    prepared, power, home, monkeypatch
):
    before = original(prepared)
    old = prepared / volume_files.STAGING / "old"
    points = 0
    for changes in range(100):
        power(changes)
        try:
            volume_files.swap(prepared)
        except PowerFailureError:
            points += 1
        else:
            break
        for more in range(100):
            power(more)
            try:
                with monkeypatch.context() as context:
                    # Keep the unpacked files for the next iteration.
                    context.setattr(volume_files, "discard", lambda folder: None)
                    volume_files.roll_back(prepared)
                break
            except PowerFailureError:
                continue
        power(10**9)
        assert original(prepared) == before
        if old.exists():
            old.rmdir()
    power(10**9)
    assert points > 10
    assert {name for name in original(prepared) if b"/" not in name} == {
        name for name in tree(home) if b"/" not in name
    }
    volume_files.roll_back(prepared)
    assert original(prepared) == before
    assert not (prepared / volume_files.STAGING).exists()


def test_the_program_needs_no_other_file(home):
    text = (ROOT / "toolbox" / "inside" / "volume_files.py").read_text()
    command = [sys.executable, "-I", "-c", text, "measure", home]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert json.loads(printed)["bytes"] == volume_files.measure(home, False)["bytes"]
