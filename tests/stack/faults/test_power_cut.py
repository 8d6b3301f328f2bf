"""Files survive a power cut, simulated by a file system that drops everything not yet on disk."""

import fcntl
import os
import struct
import subprocess

import pytest

from tests.support.layers import fake_toolbox, use_clone
from tests.unit.images.test_make_secrets import Secrets
from toolbox import dotenv, side_by_side
from toolbox.data import archive

pytestmark = [
    # These need no engine, but Linux and root.
    pytest.mark.stack,
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can mount a disk"),
]

# The ioctl EXT4_IOC_SHUTDOWN, _IOR('X', 125, __u32), and its flag for not writing the journal.
SHUTDOWN = 0x8004587D
WITHOUT_JOURNAL = 2


class Disk:
    """A small disk in the folder `root`."""

    def __init__(self, folder):
        self.image, self.root = folder / "image", folder / "root"
        self.root.mkdir()
        with self.image.open("wb") as image:
            image.truncate(16 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.image], check=True)
        self.mount()

    def mount(self):
        subprocess.run(["mount", "-o", "loop", self.image, self.root], check=True)

    def unmount(self):
        subprocess.run(["umount", self.root], check=True)

    def lose_power(self):
        """Drop what is not on disk, and mount the file system again."""
        descriptor = os.open(self.root, os.O_RDONLY)
        fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", WITHOUT_JOURNAL))
        os.close(descriptor)
        self.unmount()
        self.mount()


@pytest.fixture
def disk(tmp_path):
    disk = Disk(tmp_path)
    yield disk
    disk.unmount()


def test_a_file_that_was_not_synced_is_lost_in_this_power_cut(disk):
    (disk.root / "file").write_text("old")
    os.sync()
    (disk.root / "file.part").write_text("new")
    (disk.root / "file.part").replace(disk.root / "file")
    disk.lose_power()
    assert (disk.root / "file").read_text() == "old"


@pytest.mark.parametrize("before", [None, "A=1\n"], ids=["the first", "another"])
def test_a_written_env_survives_a_power_cut(disk, before):
    env = disk.root / ".env"
    if before:
        env.write_text(before)
        os.sync()
    dotenv.write(env, "A=2\n")
    disk.lose_power()
    assert env.read_text() == "A=2\n"
    assert [path.name for path in disk.root.glob(".env*")] == [".env"]


def test_the_settings_of_a_new_toolbox_survive_a_power_cut(disk, monkeypatch):
    use_clone(disk.root, monkeypatch)
    toolbox = fake_toolbox(name="alice")
    side_by_side.create(toolbox)
    written = toolbox.env.read_text()
    disk.lose_power()
    assert toolbox.env.read_text() == written


def test_a_finished_backup_survives_a_power_cut(disk):
    path = disk.root / "backup.zip"
    with archive.create(path) as writer:
        writer.add("mlflow.dump.zst", [os.urandom(1 << 20)])
        writer.finish({"project": "box"})
    disk.lose_power()
    # Checks every checksum of the zip.
    checked = subprocess.run(["python3", "-m", "zipfile", "-t", path], capture_output=True, text=True, check=True)
    assert "failed" not in checked.stdout + checked.stderr
    assert [found.name for found in disk.root.glob("backup*")] == ["backup.zip"]


def test_created_secrets_survive_a_power_cut(disk):
    secrets = Secrets(disk.root)
    os.sync()
    for arguments in ([], ["--new"]):
        secrets.run(*arguments)
        files = {path: path.read_text() for path in disk.root.glob("*/*") if path.is_file()}
        disk.lose_power()
        assert {path: path.read_text() for path in disk.root.glob("*/*") if path.is_file()} == files
        assert len(files) == 6
