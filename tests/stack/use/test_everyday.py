"""What people type from tutorials works: the programs of tests/inside/everyday, each in a process of its own."""

import ast
import json
import subprocess
import sys

import pytest

from tests.support.copies import ROOT, surroundings

EVERYDAY = ROOT / "tests" / "inside" / "everyday"
CLIENTS = ROOT / "tests" / "clients"
IN_NOTEBOOK = {path.name: path for path in sorted(EVERYDAY.glob("*.py"))}
# By the MLflow client that they use.
ON_HOST = {str(path.relative_to(CLIENTS)): path for path in sorted(CLIENTS.glob("*/*.py"))}
LINES = range(5, 26)
# Each estimator needs its own kind of data.
LONG = {"every_estimator_of_scikit_learn_is_logged_and_loads_back.py"}


def code_lines(path):
    """Return how many lines of a program hold code, without its imports and the inside of long texts."""
    tree = ast.parse(path.read_text())
    imported = {line for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom) for line in span(node)}
    texts = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    quoted = {line for node in texts for line in span(node)[1:]}
    lines = enumerate(path.read_text().splitlines(), start=1)
    return sum(1 for number, line in lines if line.strip() and number not in imported | quoted)


def span(node):
    return range(node.lineno, node.end_lineno + 1)


@pytest.fixture(scope="module")
def ended(toolbox):
    """How each program of the notebook ended: its exit status, its seconds, and what it printed."""
    programs = {name: path.read_text() for name, path in IN_NOTEBOOK.items()}
    return toolbox.in_notebook("run_everyday.py", stdin=json.dumps(programs))


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """A function that gives the Python of an environment on this machine, with the packages of a client."""
    uv = [sys.executable, "-m", "uv"]

    def made(client):
        folder = tmp_path_factory.getbasetemp() / client
        if not folder.exists():
            requirements = CLIENTS / client / "requirements.txt"
            subprocess.run([*uv, "venv", "--quiet", folder], check=True)
            into = ["--python", folder, "--require-hashes", "--requirement", requirements]
            subprocess.run([*uv, "pip", "install", "--quiet", *into], check=True)
        return folder / "bin" / "python"

    return made


@pytest.mark.parametrize("name", IN_NOTEBOOK | ON_HOST)
def test_a_program_is_short_and_asserts(name):
    path = (IN_NOTEBOOK | ON_HOST)[name]
    assert code_lines(path) in LINES or name in LONG
    assert any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(path.read_text())))


def test_there_are_many_programs(record):
    assert len(IN_NOTEBOOK) >= 70
    record(f"everyday programs: {len(IN_NOTEBOOK)} in the notebook, {len(ON_HOST)} on this machine")


@pytest.mark.stack
@pytest.mark.parametrize("name", IN_NOTEBOOK)
def test_in_the_notebook(ended, name):
    status, _, printed = ended[name]
    assert status == 0, printed


@pytest.mark.stack
@pytest.mark.parametrize("name", ON_HOST)
def test_on_this_machine(toolbox, python, name, tmp_path):
    path = ON_HOST[name]
    surrounded = surroundings(
        MLFLOW_TRACKING_URI=toolbox.url("mlflow", ""),
        NOTEBOOK=toolbox.url("notebook", ""),
        JUPYTER_TOKEN="token-&?#/+=%20",
    )
    command = [python(path.parent.name), path]
    ran = subprocess.run(command, cwd=tmp_path, env=surrounded, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
