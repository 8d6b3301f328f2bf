"""toolbox.dotenv: reading .env and changing it."""

import json
import os
import subprocess
import sys

import pytest

from tests.support.layers import docker_compose, error_line
from toolbox import dotenv
from toolbox.errors import Failure


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("A=1\nB=2\n", "A=1\nB=9\n", id="set"),
        pytest.param("#B=2\nA=1\n", "B=9\nA=1\n", id="commented out"),
        pytest.param("#B=0\nB=2\n", "#B=0\nB=9\n", id="set below its default"),
        pytest.param("A=1", "A=1\nB=9\n", id="not there, without a final newline"),
        pytest.param("BB=1\nAB=2\n", "BB=1\nAB=2\nB=9\n", id="part of other names"),
        pytest.param("# Set B=2 to see.\n", "# Set B=2 to see.\nB=9\n", id="in a sentence"),
    ],
)
def test_a_value_is_set_in_place(text, expected):
    assert dotenv.with_value(text, "B", "9") == expected


def test_a_value_is_written_verbatim():
    assert dotenv.with_value("B=2\n", "B", r"'\1 \g<0> $x'") == "B='\\1 \\g<0> $x'\n"


def test_removing_a_value_undoes_setting_it():
    text = "# About A.\nA=1\n#B=0\n"
    assert dotenv.without_value(dotenv.with_value(text, "B", "9"), "B", "0") == text


def test_removing_a_value_shows_the_default_and_keeps_other_names():
    assert dotenv.without_value("AB=1\nB=2\nBB=3", "B", "0") == "AB=1\n#B=0\nBB=3"


def test_a_name_that_occurs_twice_is_set_twice():
    # Compose takes the last one.
    assert dotenv.with_value("B=1\nB=2\n", "B", "3") == "B=3\nB=3\n"


def test_the_first_value_of_a_new_env_is_its_first_line():
    assert dotenv.with_value("", "B", "9") == "B=9\n"


# Ways to write a value, without escapes and other variables.
WRITTEN = """
# COMMENTED=1
  # COMMENTED_TOO=1
PLAIN=a b#c  # comment
export EXPORTED='single # quoted' # comment
DOUBLE="first line
NOT_ONE=this is in the value
NOR_THIS=either"
 COLON: x
SPACED = two  words \t
BLANK=
EMPTY=''
HASH=#x
ADDRESS=http://x:1/?a=b#c
QUOTES_INSIDE=it's "so"
TWICE=1
TWICE=2
LAST=é"""


def test_settings_are_read_as_compose_reads_them(tmp_path):
    found = dotenv.values(WRITTEN)
    names = "PLAIN EXPORTED DOUBLE COLON SPACED BLANK EMPTY HASH ADDRESS QUOTES_INSIDE TWICE LAST"
    assert list(found) == names.split()
    file = tmp_path / "docker-compose.yml"
    labels = {name: f"${{{name}}}" for name in found}
    file.write_text(json.dumps({"services": {"x": {"image": "x", "labels": labels}}}))
    printed = docker_compose("--file", str(file), "config", "--format", "json", env_file=WRITTEN)
    assert json.loads(printed.stdout)["services"]["x"]["labels"] == found


def test_a_quoted_value_ends_at_the_quote_that_is_not_escaped():
    assert dotenv.values("A='it\\'s'\nB=\"a\\\nb\\\"\"\nC=3\n") == {"A": r"it\'s", "B": 'a\\\nb\\"', "C": "3"}


def test_a_missing_env_sets_nothing(tmp_path):
    assert dotenv.read(tmp_path / ".env") == ""


def test_an_env_that_cannot_be_written_is_reported_in_one_line(tmp_path):
    with pytest.raises(Failure) as raised:
        dotenv.write(tmp_path / "missing" / ".env", "A=1\n")
    assert "cannot be written (No such file or directory)" in error_line(raised)


def test_an_env_is_read_back_as_it_was_written(tmp_path):
    dotenv.write(tmp_path / ".env", "A='ü $x'\n")
    assert dotenv.read(tmp_path / ".env") == "A='ü $x'\n"


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        pytest.param(b"A=1\r\nB=2\r\n", "save it with Unix line endings", id="CRLF"),
        pytest.param("A=ü\n".encode("latin-1"), "UTF-8", id="Latin-1"),
        pytest.param("A=1\n".encode("utf-16"), "UTF-8", id="UTF-16"),
    ],
)
def test_an_env_with_another_encoding_or_line_endings_is_refused_with_the_remedy(tmp_path, content, remedy):
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(Failure) as raised:
        dotenv.read(tmp_path / ".env")
    assert remedy in error_line(raised)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_its_owner_can_read_env(tmp_path, umask):
    path = tmp_path / ".env"
    path.write_text("A=1\n")
    path.chmod(0o644)
    before = os.umask(umask)
    try:
        dotenv.write(path, "A=2\n")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600


def test_nobody_else_can_read_env_while_it_is_written(tmp_path, monkeypatch):
    modes = []
    replace = type(tmp_path).replace

    def watched(part, target):
        modes.append(part.stat().st_mode & 0o777)
        return replace(part, target)

    (tmp_path / ".env.part").touch(mode=0o644)
    monkeypatch.setattr(type(tmp_path), "replace", watched)
    dotenv.write(tmp_path / ".env", "A=1\n")
    assert modes == [0o600]


def test_a_failed_write_leaves_the_old_env_complete(tmp_path):
    path = tmp_path / ".env"
    dotenv.write(path, "A=1\n")
    with pytest.raises(UnicodeEncodeError):
        dotenv.write(path, "A=2\n" * 9999 + "\udc80")
    assert dotenv.read(path) == "A=1\n"


def test_a_failed_first_write_leaves_no_env_and_does_not_prevent_the_next(tmp_path):
    path = tmp_path / ".env"
    with pytest.raises(UnicodeEncodeError):
        dotenv.write(path, "A=2\n" * 9999 + "\udc80")
    assert not path.exists()
    dotenv.write(path, "A=1\n")
    assert os.listdir(tmp_path) == [".env"]


def test_a_full_disk_is_reported_in_one_line_and_leaves_only_the_old_env(tmp_path):
    path = tmp_path / ".env"
    path.write_text("A=1\n")
    # A limit on the size of files makes the write fail as on a full disk.
    program = (
        "import resource, sys; from pathlib import Path; from toolbox import dotenv;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (8, 8)); dotenv.write(Path(sys.argv[1]), 'A=2\\n' * 9)"
    )
    ran = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=False)
    assert ran.stderr.splitlines()[-1].endswith(f"{path} cannot be written (File too large): check its owner and disk.")
    assert path.read_text() == "A=1\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_symbolic_link_is_kept(tmp_path):
    path, place = tmp_path / ".env", tmp_path / "elsewhere"
    place.write_text("A=1\n")
    path.symlink_to(place)
    dotenv.write(path, "A=2\n")
    assert path.is_symlink()
    assert place.read_text() == "A=2\n"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.symlink_to("nowhere"), "is a link to nowhere, which does not exist"),
        (lambda path: path.mkdir(), "is not a file"),
        (os.mkfifo, "is not a file"),
        (lambda path: path.symlink_to(path), "cannot be read"),
    ],
    ids=["a link to nothing", "a folder", "a pipe", "a link to itself"],
)
def test_an_env_that_is_not_a_file_is_reported_in_one_line(tmp_path, make, reason):
    path = tmp_path / ".env"
    make(path)
    with pytest.raises(Failure) as raised:
        dotenv.read(path)
    assert f"{path} {reason}" in error_line(raised)
