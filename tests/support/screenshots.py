"""The screenshots of the README, docs/jupyterlab.png and docs/mlflow.png: `invoke dev.pictures` runs this program.

They show the first example in a browser, on a temporary toolbox.
"""

import shutil
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks import stacks
from tests.support import browsing, first_example
from tests.support.copies import JUPYTER_TOKEN, ROOT
from toolbox.errors import Failure, one_line

# By file name, which screenshot of the browser each of them is.
SCREENSHOTS = {"jupyterlab.png": "the-outputs.png", "mlflow.png": "the-comparison.png"}
# A longer message is the output of a program, with the cause at its end.
MESSAGE_CHARACTERS = 500


def main(folder=ROOT / "docs"):
    """Save the screenshots in a folder; a failure exits with code 1 and one line."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            take(Path(scratch), folder)
    except Failure as failure:
        sys.exit(failure.message)
    except AssertionError as error:
        cause = one_line(str(error))[-MESSAGE_CHARACTERS:]
        sys.exit(f'FAIL: the screenshots could not be taken ({cause}): "invoke test --only pages" shows details.')
    except KeyboardInterrupt:
        sys.exit("FAIL: interrupted: the toolbox was removed, run it again when convenient.")


def take(scratch, folder):
    """Save the screenshots in `folder`, with a toolbox whose files are in the folder `scratch`.

    Raises Failure or AssertionError.
    """
    toolbox = stacks.Ours(scratch / "toolbox")
    try:
        toolbox.build()
        toolbox.up()
        browsing.build(toolbox)
        taken = scratch / "pictures"
        taken.mkdir()
        browsing.visit(toolbox, taken, "run_notebook.py", token=JUPYTER_TOKEN, **first_example.NOTEBOOK)
        browsing.visit(toolbox, taken, "find_run.py", **first_example.champion(toolbox), large=True)
        for name, screenshot in SCREENSHOTS.items():
            shutil.copyfile(taken / screenshot, folder / name)
            print(f"Wrote {folder / name}.")
    finally:
        # A second Ctrl-C would interrupt the removal.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        toolbox.remove()


if __name__ == "__main__":
    main()
