"""The example notebooks, and how they are run in the notebook container."""

import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "jupyter-notebook-docker" / "examples"
NAMES = sorted(path.name for path in FOLDER.iterdir())


def load(name):
    """Return an example as the JSON that it is."""
    return json.loads((FOLDER / name).read_text())


def code(identity, source):
    """Return a cell with Python code."""
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": identity,
        "metadata": {},
        "outputs": [],
        "source": source,
    }


def outputs(toolbox, notebook, *settings):
    """Run a notebook in the notebook container; return the outputs of each cell, see tests/inside/run_notebook.py.

    Where it raises, the test fails and says no more than the cell and the last line of the error. Settings are
    variables of the environment, as NAME=VALUE.
    """
    ran = toolbox.in_notebook("run_notebook.py", *settings, stdin=json.dumps(notebook))
    if ran["failed"]:
        source, error = ran["failed"]
        pytest.fail(f"this cell raised {error}\n\n{source}", pytrace=False)
    return ran["cells"]
