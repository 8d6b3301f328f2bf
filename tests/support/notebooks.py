"""Load the example notebooks, and run notebooks in the notebook container."""

import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "jupyter-notebook-docker" / "examples"
NAMES = sorted(path.name for path in FOLDER.iterdir())


def load(name):
    """Return an example as parsed JSON."""
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

    If a cell raises, the test fails with the cell and the last line of the error. Settings are environment variables,
    as NAME=VALUE.
    """
    result = toolbox.in_notebook("run_notebook.py", *settings, stdin=json.dumps(notebook))
    if result["failed"]:
        source, error = result["failed"]
        pytest.fail(f"this cell raised {error}\n\n{source}", pytrace=False)
    return result["cells"]
