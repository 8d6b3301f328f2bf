"""toolbox.commands: programs are run in the root of the repository, whatever that folder is called."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from invoke import Context

from toolbox import commands, model

NAMES = [
    "a;touch PWNED;b",
    "$(touch PWNED)",
    "`touch PWNED`",
    "a&touch PWNED|b",
    "$HOME",
    "${COMPOSE_PROJECT_NAME}",
    "it's",
    'a"b',
    "back\\slash",
    " a b ",
    "tab\there",
    "new\nline",
    "line end\n",
    "-dash",
    "~",
    "*",
    "[x]",
    "%s",
    "{x}",
    "#x",
    "!x",
    "<x>",
    "a,b",
    "a:b",
    "ünï",
    os.fsdecode(b"not \xff UTF-8"),
]


@pytest.fixture(params=NAMES, ids=ascii)
def root(request, tmp_path, monkeypatch):
    """The root of the repository, in a folder with a difficult name."""
    folder = tmp_path / request.param
    folder.mkdir()
    monkeypatch.setattr(commands, "ROOT", folder)
    yield folder
    assert [str(path) for path in (*Path().glob("PWNED"), *tmp_path.rglob("PWNED"))] == []


def test_a_command_runs_in_the_root_whatever_its_name(root):
    before = os.getcwd()
    assert commands.quietly(Context(), ["sh", "-c", 'printf %s "$PWD" >here']).ok
    assert os.fsdecode((root / "here").read_bytes()) == str(root)
    assert os.getcwd() == before


def test_a_command_with_a_terminal_runs_there_too(tmp_path):
    root = tmp_path / """a;touch PWNED;'b"$(touch PWNED)\\\n"""
    root.mkdir()
    program = (
        "import sys; from pathlib import Path; from invoke import Context; from toolbox import commands;"
        "commands.ROOT = Path(sys.argv[1]); commands.visibly(Context(), ['sh', '-c', 'tty -s && pwd >here'])"
    )
    on_a_terminal = [sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])"]
    subprocess.run([*on_a_terminal, sys.executable, "-c", program, root], stdin=subprocess.DEVNULL, check=True)
    assert (root / "here").read_bytes() == os.fsencode(f"{root}\n")
    assert [*Path().glob("PWNED"), *tmp_path.rglob("PWNED")] == []


def test_a_command_runs_there_when_the_users_own_folder_is_gone(root, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert commands.quietly(Context(), ["ls"]).ok


def test_a_folder_with_a_comma_is_read_from_a_containers_labels():
    labels = "com.docker.compose.project.working_dir={},com.docker.compose.service=mlflow,org.x=y"
    for folder in ("/plain", "/a,b", "/a,b=c", "/new\nline", "/a=b"):
        assert model.folder({"Labels": labels.format(folder)}) == folder
    assert model.folder({"Labels": "com.docker.compose.project.working_dir=/last,one"}) == "/last,one"
    assert model.folder({"Labels": "x=y"}) is None
