"""MLflow clients of other versions work from this machine: the programs of tests/clients."""

import subprocess
import sys

import pytest

from tests.support.copies import JUPYTER_TOKEN, ROOT, surroundings

pytestmark = pytest.mark.stack

CLIENTS = ROOT / "tests" / "clients"
# In one folder for each version of the client.
PROGRAMS = {str(path.relative_to(CLIENTS)): path for path in sorted(CLIENTS.glob("*/*.py"))}


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """A function that returns the Python of a virtual environment on this machine, with the packages of a client."""
    uv = [sys.executable, "-m", "uv"]

    def create(client):
        folder = tmp_path_factory.getbasetemp() / client
        if not folder.exists():
            requirements = CLIENTS / client / "requirements.txt"
            subprocess.run([*uv, "venv", "--quiet", folder], check=True)
            into = ["--python", folder, "--require-hashes", "--requirement", requirements]
            subprocess.run([*uv, "pip", "install", "--quiet", *into], check=True)
        return folder / "bin" / "python"

    return create


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_client_on_this_machine_works(toolbox, python, name, tmp_path):
    path = PROGRAMS[name]
    environment = surroundings(
        MLFLOW_TRACKING_URI=toolbox.url("mlflow", ""),
        NOTEBOOK=toolbox.url("notebook", ""),
        JUPYTER_TOKEN=JUPYTER_TOKEN,
    )
    command = [python(path.parent.name), path]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
