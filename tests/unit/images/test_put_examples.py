"""jupyter-notebook-docker/put_examples.py: copying the examples to a home, new, old or changed."""

import errno
import getpass
import hashlib
import json
import os
import subprocess
import sys

import pytest

from tests.support.layers import ROOT, program

NAME = "1-try.ipynb"
OLD, NEW, MINE = b"of an older image", b"of this image", b"changed by the user"
LEFT = "examples: not all could be copied to {folder} ({error}): fix that, and the next start copies them.\n"


@pytest.fixture
def examples():
    return program("jupyter-notebook-docker/put_examples.py")


@pytest.fixture
def shipped(tmp_path):
    """The examples of the image."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    (folder / NAME).write_bytes(NEW)
    return folder


@pytest.fixture
def home(tmp_path):
    """The folder of the examples in a home, which does not exist yet."""
    return tmp_path / "examples"


def record(home):
    return json.loads((home / ".shipped.json").read_bytes())


def digest(content):
    return hashlib.sha256(content).hexdigest()


def with_old(home, present=OLD, recorded=OLD):
    """Create the folder as an older start left it, with a file and with the record of the copied file."""
    home.mkdir()
    if present is not None:
        (home / NAME).write_bytes(present)
    if recorded is not None:
        (home / ".shipped.json").write_text(json.dumps({NAME: digest(recorded)}))


def contents(home):
    """Return the files in the folder except the record, by name."""
    return {path.name: path.read_bytes() for path in home.iterdir() if path.name != ".shipped.json"}


# --- Which files are written ---


@pytest.mark.parametrize(
    ("present", "recorded", "then"),
    [
        pytest.param(None, None, {NAME: NEW}, id="a missing one without a record is copied"),
        pytest.param(None, OLD, {NAME: NEW}, id="a deleted one is copied in the newer version"),
        pytest.param(None, NEW, {NAME: NEW}, id="a deleted one is copied again"),
        pytest.param(OLD, OLD, {NAME: NEW}, id="an unchanged one is updated"),
        pytest.param(NEW, NEW, {NAME: NEW}, id="a current one is kept"),
        pytest.param(MINE, NEW, {NAME: MINE}, id="a changed one is kept while the image has no newer one"),
        pytest.param(b"", NEW, {NAME: b""}, id="an emptied one is kept"),
        pytest.param(NEW, OLD, {NAME: NEW}, id="one that is already the newer one is kept"),
        pytest.param(NEW, None, {NAME: NEW}, id="a current one without a record is kept"),
        pytest.param(MINE, OLD, {NAME: NEW, "1-try.yours.ipynb": MINE}, id="a changed one is renamed"),
        pytest.param(MINE, None, {NAME: NEW, "1-try.yours.ipynb": MINE}, id="one without a record is renamed"),
    ],
)
def test_an_example_is_copied_updated_kept_or_renamed(examples, shipped, home, present, recorded, then):
    with_old(home, present, recorded)
    lines = examples.put(shipped, home)
    assert contents(home) == then
    newer = "1-try.ipynb was updated, and your changed version is now 1-try.yours.ipynb."
    assert lines == ([newer] if "1-try.yours.ipynb" in then else [])
    assert record(home) == {NAME: digest(NEW)}
    # The next start has nothing to do and prints nothing.
    assert examples.put(shipped, home) == []
    assert contents(home) == then


def test_the_users_file_is_renamed_to_an_unused_name(examples, shipped, home, tmp_path):
    with_old(home, MINE, OLD)
    (home / "1-try.yours.ipynb").write_bytes(b"an earlier one")
    # A broken link also occupies its name.
    (home / "1-try.yours-2.ipynb").symlink_to(tmp_path / "nowhere")
    [line] = examples.put(shipped, home)
    assert line.endswith("your changed version is now 1-try.yours-3.ipynb.")
    assert (home / "1-try.yours.ipynb").read_bytes() == b"an earlier one"
    assert (home / "1-try.yours-2.ipynb").is_symlink()
    assert (home / "1-try.yours-3.ipynb").read_bytes() == MINE


def test_other_files_of_the_user_are_kept(examples, shipped, home):
    with_old(home)
    (home / "mine.ipynb").write_bytes(MINE)
    examples.put(shipped, home)
    assert contents(home) == {NAME: NEW, "mine.ipynb": MINE}


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "\udcff"], ids=repr)
def test_nothing_is_lost_with_a_broken_record(examples, shipped, home, text):
    with_old(home, MINE)
    (home / ".shipped.json").write_bytes(text.encode(errors="surrogateescape"))
    examples.put(shipped, home)
    assert contents(home) == {NAME: NEW, "1-try.yours.ipynb": MINE}
    assert record(home) == {NAME: digest(NEW)}


def test_files_of_an_interrupted_start_are_removed(examples, shipped, home):
    with_old(home)
    (home / f"{NAME}.part").write_bytes(NEW[:3])
    examples.put(shipped, home)
    assert contents(home) == {NAME: NEW}


# --- Files of the user in their place ---


@pytest.mark.parametrize("kind", ["a link", "a broken link", "a file"])
def test_a_file_or_link_in_place_of_the_folder_is_kept(examples, shipped, home, tmp_path, kind):
    theirs = tmp_path / "theirs"
    if kind == "a link":
        theirs.mkdir()
    if kind == "a file":
        home.write_bytes(MINE)
    else:
        home.symlink_to(theirs)
    assert examples.put(shipped, home) == [f"{home} is not a folder of this toolbox, so no examples are copied there."]
    assert home.read_bytes() == MINE if kind == "a file" else home.is_symlink()
    assert not theirs.exists() or list(theirs.iterdir()) == []


@pytest.mark.parametrize("kind", ["a link", "a broken link", "a folder"])
def test_a_folder_or_link_in_place_of_a_file_is_kept_and_the_others_are_copied(examples, shipped, home, tmp_path, kind):
    (shipped / "2-other.ipynb").write_bytes(NEW)
    theirs = tmp_path / "theirs.ipynb"
    with_old(home, present=None)
    if kind == "a link":
        theirs.write_bytes(OLD)
    if kind == "a folder":
        (home / NAME).mkdir()
    else:
        (home / NAME).symlink_to(theirs)
    assert examples.put(shipped, home) == [f"{home / NAME} is not a file of this toolbox, so it is kept."]
    assert (home / "2-other.ipynb").read_bytes() == NEW
    assert (home / NAME).is_dir() if kind == "a folder" else (home / NAME).is_symlink()
    assert not theirs.exists() or theirs.read_bytes() == OLD


# --- Never half written, and never preventing the start of Jupyter ---


@pytest.fixture
def main(examples, shipped, home, monkeypatch, capsys):
    """A function that runs the program as a container does, for a user who is not root; returns what it logs."""

    def run():
        monkeypatch.setattr(examples, "SHIPPED", shipped)
        monkeypatch.setenv("HOME", str(home.parent))
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        before = os.umask(0o077)
        try:
            examples.main()
        finally:
            os.umask(before)
        printed = capsys.readouterr()
        assert printed.out == ""
        return printed.err

    return run


def refusing(monkeypatch, name, number):
    """Make a function of the system fail with an error number."""

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, name, refuse)


def test_the_group_of_the_home_can_change_the_examples(main, home):
    assert main() == ""
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in (home, *home.iterdir())} == {
        "examples": "0o775",
        ".shipped.json": "0o664",
        NAME: "0o664",
    }


@pytest.mark.parametrize(("present", "recorded"), [(None, None), (OLD, OLD), (MINE, OLD)])
def test_a_full_disk_changes_nothing_and_is_reported_in_one_line(main, home, monkeypatch, present, recorded):
    with_old(home, present, recorded)
    before = contents(home)
    with monkeypatch.context() as full:
        refusing(full, "fsync", errno.ENOSPC)
        logged = main()
    assert logged == LEFT.format(folder=home, error="No space left on device")
    assert contents(home) == before
    main()
    assert contents(home)[NAME] == NEW


def test_a_home_that_cannot_be_written_is_reported_in_one_line(main, home, monkeypatch):
    refusing(monkeypatch, "mkdir", errno.EROFS)
    assert main() == LEFT.format(folder=home, error="Read-only file system")
    assert not home.exists()


def test_the_program_can_be_run_as_a_hook(tmp_path):
    path = ROOT / "jupyter-notebook-docker" / "put_examples.py"
    assert path.read_text().startswith("#!/usr/bin/env python\n")
    user = {"NB_USER": getpass.getuser(), "NB_UID": str(os.getuid()), "NB_GID": str(os.getgid())}
    command, environment = [sys.executable, path], {"HOME": str(tmp_path)} | user
    # It exits with 0 even without examples, so that Jupyter starts.
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout == ""
    assert ran.stderr == LEFT.format(folder=tmp_path / "examples", error="No such file or directory")
