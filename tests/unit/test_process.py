"""toolbox.process: programs run in the root of the repository, whatever its name is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from invoke import Context

from tests.support.layers import error_line
from toolbox import compose, process
from toolbox.errors import Failure

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
    monkeypatch.setattr(process, "ROOT", folder)
    yield folder
    assert [str(path) for path in (*Path().glob("PWNED"), *tmp_path.rglob("PWNED"))] == []


def test_a_command_runs_in_the_root_whatever_its_name(root):
    before = os.getcwd()
    assert process.quietly(Context(), ["sh", "-c", 'printf %s "$PWD" >here']).ok
    assert os.fsdecode((root / "here").read_bytes()) == str(root)
    assert os.getcwd() == before


def test_a_command_on_a_terminal_runs_in_the_root_whatever_its_name(tmp_path):
    root = tmp_path / """a;touch PWNED;'b"$(touch PWNED)\\\n"""
    root.mkdir()
    program = (
        "import sys; from pathlib import Path; from invoke import Context; from toolbox import process;"
        "process.ROOT = Path(sys.argv[1]); process.visibly(Context(), ['sh', '-c', 'tty -s && pwd >here'])"
    )
    on_a_terminal = [sys.executable, "-c", "import pty, sys; pty.spawn(sys.argv[1:])"]
    subprocess.run([*on_a_terminal, sys.executable, "-c", program, root], stdin=subprocess.DEVNULL, check=True)
    assert (root / "here").read_bytes() == os.fsencode(f"{root}\n")
    assert [*Path().glob("PWNED"), *tmp_path.rglob("PWNED")] == []


def test_a_command_runs_in_the_root_when_the_working_directory_is_gone(root, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert process.quietly(Context(), ["ls"]).ok


def test_a_folder_with_a_comma_is_read_from_a_containers_labels():
    labels = "com.docker.compose.project.working_dir={},com.docker.compose.service=mlflow,org.x=y"
    for folder in ("/plain", "/a,b", "/a,b=c", "/new\nline", "/a=b"):
        assert compose.folder({"Labels": labels.format(folder)}) == folder
    assert compose.folder({"Labels": "com.docker.compose.project.working_dir=/last,one"}) == "/last,one"
    assert compose.folder({"Labels": "x=y"}) is None


# --- Input and output that do not fit into memory ---


def python(text):
    return [sys.executable, "-c", text]


def test_the_output_of_a_command_is_yielded_in_chunks():
    size = 5 << 20
    chunks = list(process.stream(python(f"print(end='x' * {size})"), "no"))
    assert b"".join(chunks) == b"x" * size
    assert max(map(len, chunks)) <= process.CHUNK


def test_a_command_that_fails_after_its_output_is_a_failure_with_its_last_line():
    with pytest.raises(Failure) as raised:
        list(process.stream(python("import sys; print('much'); sys.exit('first\\nno such table')"), "cannot be dumped"))
    assert error_line(raised) == "FAIL: cannot be dumped (no such table)."


def test_the_cause_is_the_line_with_the_error():
    messages = (
        "pg_restore: error: could not execute query: ERROR:  permission denied\nCommand was: CREATE EXTENSION x;\n"
    )
    assert process.cause(messages) == "pg_restore: error: could not execute query: ERROR: permission denied"
    assert process.cause("first\nlast\n") == "last"


def test_a_command_that_stops_reading_is_a_failure_with_its_last_line():
    with pytest.raises(Failure) as raised:
        process.output(
            python("import sys; sys.exit('no space')"), "cannot be restored", (bytes(1 << 20) for _ in range(100))
        )
    assert error_line(raised) == "FAIL: cannot be restored (no space)."


def test_a_command_gets_all_of_its_input():
    chunks = (b"x" * 1000 for _ in range(5000))
    assert int(process.output(python("import sys; print(len(sys.stdin.read()))"), "no", chunks)) == 5_000_000


def test_a_command_is_ended_when_its_output_is_no_longer_read():
    chunks = process.stream(python("import sys\nwhile True: print('x' * 9999)"), "no")
    next(chunks)
    chunks.close()
