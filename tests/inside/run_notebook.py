"""Run the notebook on standard input from top to bottom, in an empty folder, and print its outputs as JSON.

Arguments: environment variables for its kernel, as NAME=VALUE. Prints `cells`, the outputs of each cell by its ID, as
{MIME type: data} (pictures as their size in bytes), and `failed`, the source of the cell that raised and the last line
of its error, or null.
"""

import json
import os
import sys
import tempfile

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

# For one cell, which takes a few seconds on an idle machine.
TIMEOUT_SECONDS = 300


def by_type(output):
    """Return an output of a cell as {MIME type or stream: data}."""
    if output.output_type == "stream":
        return {output.name: output.text}
    if output.output_type == "error":
        return {"error": output.ename}
    return {kind: len(data) if kind == "image/png" else data for kind, data in output.data.items()}


notebook = nbformat.reads(sys.stdin.read(), as_version=4)
nbformat.validate(notebook)
settings = dict(setting.split("=", 1) for setting in sys.argv[1:])
failed = None
with tempfile.TemporaryDirectory() as folder:
    client = NotebookClient(notebook, timeout=TIMEOUT_SECONDS, resources={"metadata": {"path": folder}})
    try:
        client.execute(env=os.environ | settings)
    except CellExecutionError as error:
        [source] = [
            cell.source
            for cell in notebook.cells
            if cell.cell_type == "code" and any(output.output_type == "error" for output in cell.outputs)
        ]
        failed = [source, f"{error.ename}: {error.evalue}"]
cells = {cell.id: [by_type(output) for output in cell.get("outputs", [])] for cell in notebook.cells}
print(json.dumps({"cells": cells, "failed": failed}))
